"""Random galleries: one second drawn from each video."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64


def draw_seconds(
    video: Int64[np.ndarray, "n"], galleries: int, rng: np.random.Generator
) -> Int64[np.ndarray, "galleries videos"]:
    """Draw, for each gallery, one row per video; columns follow the sorted video numbers."""
    _, first, count = np.unique(video, return_index=True, return_counts=True)
    assert np.all(np.diff(video) >= 0), "the seconds of a video are neighbours"
    return np.asarray(first + np.floor(rng.random((galleries, len(first))) * count), np.int64)
