"""How far a retrieval figure would vary from one sample of videos to the next (docs/decisions/0018-intervals.md).

A video takes part twice: as a query, and as an item of the others' galleries. Leaving it out of both shows its
influence on the mean (the jackknife). That counts twice what two videos do to each other, so it is taken off once
(Efron and Stein, 1981). Both parts are linear: those of a difference of two systems are the differences of theirs.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.special import stdtrit

PROBES = 256  # random projections that keep the sum of squares over pairs of videos

Influence = Float64[np.ndarray, "n"]
Pairs = Float64[np.ndarray, "probes"]


def spread_of(figures: Float64[np.ndarray, "n"], without: Float64[np.ndarray, "n n"]) -> tuple[Influence, Pairs]:
    """Return each video's influence on the mean, and projections of what every two do to each other.

    `figures` of the queries, NaN where there is none; `without[q, i]` that of query q when item i is gone, of which the
    diagonal is not read. The influence is NaN where leaving out one video leaves no figure.
    """
    n = len(figures)
    known = ~np.isnan(without)
    np.fill_diagonal(known, False)
    total, count = np.where(known, without, 0).sum(0), known.sum(0)
    mean = np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
    influence = (n - 1) * (mean.mean() - mean)
    queries = max(1, int((~np.isnan(figures)).sum()))
    effect = np.where(known, figures[:, None] - without, 0) * (n / queries)
    both = effect + effect.T
    rows = both.sum(1) / max(1, n - 1)
    both -= rows[:, None] + rows - rows.mean()
    np.fill_diagonal(both, 0)
    left, right = _probes(n)
    return influence, np.einsum("nk,nk->k", left, both @ right)


def ends(mean: float, influence: Influence, pairs: Pairs) -> tuple[float, float] | None:
    """Return the ends of the 95 % interval by Student's t; None where one video alone decides the figure."""
    n = len(influence)
    if np.isnan(influence).any():
        return None
    jackknife = (influence**2).sum() / (n * (n - 1))
    twice = (pairs**2).mean() / (2 * n**2)
    half = float(stdtrit(n - 1, 0.975) * np.sqrt(max(jackknife - twice, jackknife / 2)))
    return mean - half, mean + half


def _probes(n: int) -> tuple[Float64[np.ndarray, "n probes"], Float64[np.ndarray, "n probes"]]:
    """Return random signs; the same for every system on so many videos, so that projections can be subtracted."""
    left, right = np.random.default_rng(n).choice([-1.0, 1.0], (2, n, PROBES))
    return left, right
