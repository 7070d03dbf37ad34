"""Which hits are the same picture or sound again, in other videos: copies at another bit rate, size or name.

Two seconds are twins if their posteriors lie much nearer to each other than what the library otherwise holds near them.
How near that is differs by front-end, modality and place: a fixed distance would fold all silence and find no copy of
speech. docs/api.md says on what evidence ALIKE was chosen. Seconds of one video never are: those beside each other
differ less than a copy does from its original.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64, Int, Int64
from scipy.spatial.distance import cdist

from index.records import LatentTable
from model.data.latents import Latents

ALIKE = 0.4  # twins are at most this share of `_nearness` apart
NEAR, MOST_NEAR = 0.05, 0.2  # of the seconds of other videos, so many are near


def better_of(table: LatentTable, rows: Int64[np.ndarray, "k"], hits: Latents) -> Int64[np.ndarray, "k"]:
    """Return for each of k hits, best first, the position of the better one whose twin it is; its own if it is none.

    `rows`, `hits`: where they are in the table, and their latents.
    """
    better = np.arange(len(hits))
    if not len(hits):
        return better
    points, videos = _points(hits), table.video_numbers[rows]
    nearness = _nearness(table, points, videos)
    kept: list[int] = []
    for position in range(len(hits)):
        others = np.array([other for other in kept if videos[other] != videos[position]], np.int64)
        if len(others):
            gaps = np.linalg.norm(points[others] - points[position], axis=1)
            gaps -= ALIKE * np.sqrt(nearness[others] * nearness[position])
            if gaps.min() <= 0:
                better[position] = others[gaps.argmin()]
                continue
        kept.append(position)
    return better


def _nearness(
    table: LatentTable, points: Float64[np.ndarray, "k twice_latent"], videos: Int[np.ndarray, "k"]
) -> Float64[np.ndarray, "k"]:
    """Return within what distance of each point the nearest seconds of other videos lie, of a sample of the library.

    Those are NEAR of the sample; of a small library more, so that one copy of a whole video does not fill them.
    """
    theirs, count = table.video_numbers[table.sample.rows], len(table.sample.rows)
    gaps = cdist(points, _points(table.sample.latents))
    gaps[videos[:, None] == theirs] = np.inf
    longest = int(np.bincount(theirs).max())
    near = math.ceil(max(NEAR * count, min(longest + 1, MOST_NEAR * count)))
    found = np.partition(gaps, near - 1, axis=1)[:, near - 1]
    return np.where(np.isfinite(found), found, 0.0)


def _points(latents: Latents) -> Float64[np.ndarray, "k twice_latent"]:
    """Return means and deviations side by side: their distance is W2."""
    return np.concatenate([latents.mu, latents.sigma], axis=1, dtype=np.float64)
