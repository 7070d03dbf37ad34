"""Cross-modal localization: where in a target do the seconds of a query lie?

t* = argmin over t of sum_s D(target[t + s], query[s]) (Zhu et al., ICASSP 2021).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int64

FITTED_S = 3  # the temperature is fitted on windows of three seconds


def window_distances(
    distances: Float[np.ndarray, "rows seconds"],
    rolled: bool = False,
    offsets: Int64[np.ndarray, "rows"] | None = None,
) -> Float64[np.ndarray, "windows"]:
    """Return the mean distance of each window of the target to the query's seconds.

    `distances` holds D(query second, target second); NaN marks a target second without a latent, and a
    window that needs one gets NaN. `offsets` are the query's seconds, ascending from 0, where some are
    missing (silence within a sound): those are not compared, but keep their time. `rolled` takes all
    circular windows instead of those that lie within the target. A query longer than the target gives none.
    """
    rows, seconds = distances.shape
    offsets = np.arange(rows) if offsets is None else offsets
    inside = max(0, seconds - int(offsets[-1]))
    starts = np.arange(seconds if rolled and inside else inside)
    columns = (starts[:, None] + offsets) % seconds
    return np.asarray(distances[np.arange(rows), columns].mean(axis=1, dtype=np.float64))


def window_probabilities(
    windows: Float[np.ndarray, "windows"], temperature: float, compared_s: int = FITTED_S
) -> Float64[np.ndarray, "windows"]:
    """Return softmax(-distance / temperature) of windows of FITTED_S; 0 for a window without a distance.

    The temperature (in units of distance, > 0) is fitted on validation videos and kept in the checkpoint. The distance
    is a mean over the `compared_s` seconds of a window, and each of them is evidence: the more seconds, the surer.
    """
    scores = np.where(np.isnan(windows), -np.inf, -windows * (compared_s / FITTED_S) / temperature)
    if not np.isfinite(scores).any():
        return np.zeros(len(windows))
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum(), np.float64)


def fit_temperature(windows: list[Float[np.ndarray, "_"]], truth: list[int]) -> float:
    """Return the temperature under which the true windows are most likely, from a grid of 60.

    `windows`: one array of distances per query, of windows of FITTED_S; `truth`: the row of its true window.
    """
    spread = float(np.mean([w.std() for w in windows])) or 1.0
    grid = spread * np.geomspace(0.02, 50, 60)
    likelihood = [
        np.mean([np.log(window_probabilities(w, t)[row] + 1e-12) for w, row in zip(windows, truth, strict=True)])
        for t in grid
    ]
    return float(grid[int(np.argmax(likelihood))])
