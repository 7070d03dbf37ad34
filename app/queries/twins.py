"""Which hits are the same picture or sound again, in other videos: copies at another bit rate, size or name.

Two seconds are twins if their posteriors lie much nearer to each other than what the library otherwise holds near them.
How near that is differs by front-end, modality and place: a fixed distance would fold all silence and find no copy of
speech. docs/api.md says on what evidence ALIKE was chosen. Seconds of one video never are: those beside each other
differ less than a copy does from its original.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial.distance import cdist

from index.records import LatentTable

ALIKE = 0.4  # twins are at most this share of `_nearness` apart
NEAR, MOST_NEAR = 0.05, 0.2  # of the seconds of other videos, so many are near
SAMPLE = 256  # seconds of the library


def better_of(table: LatentTable, rows: Int64[np.ndarray, "k"]) -> Int64[np.ndarray, "k"]:
    """Return for each of k hits, best first, the position of the better one whose twin it is; its own if it is none."""
    better = np.arange(len(rows))
    if not len(rows):
        return better
    points, videos = _points(table, rows), table.video_numbers[rows]
    nearness = _nearness(table, rows)
    kept: list[int] = []
    for position in range(len(rows)):
        others = np.array([other for other in kept if videos[other] != videos[position]], np.int64)
        if len(others):
            gaps = np.linalg.norm(points[others] - points[position], axis=1)
            gaps -= ALIKE * np.sqrt(nearness[others] * nearness[position])
            if gaps.min() <= 0:
                better[position] = others[gaps.argmin()]
                continue
        kept.append(position)
    return better


def _nearness(table: LatentTable, rows: Int64[np.ndarray, "k"]) -> Float64[np.ndarray, "k"]:
    """Return within what distance of each row the nearest seconds of other videos lie, of a sample of the library.

    Those are NEAR of the sample; of a small library more, so that one copy of a whole video does not fill them.
    """
    sample = np.unique(np.linspace(0, len(table.ids) - 1, SAMPLE).astype(np.int64))
    videos = table.video_numbers[sample]
    gaps = cdist(_points(table, rows), _points(table, sample))
    gaps[table.video_numbers[rows][:, None] == videos] = np.inf
    longest = int(np.bincount(videos).max())
    near = math.ceil(max(NEAR * len(sample), min(longest + 1, MOST_NEAR * len(sample))))
    found = np.partition(gaps, near - 1, axis=1)[:, near - 1]
    return np.where(np.isfinite(found), found, 0.0)


def _points(table: LatentTable, rows: Int64[np.ndarray, "k"]) -> Float64[np.ndarray, "k twice_latent"]:
    """Return means and deviations side by side: their distance is W2."""
    return np.concatenate([table.latents.mu[rows], table.latents.sigma[rows]], axis=1, dtype=np.float64)
