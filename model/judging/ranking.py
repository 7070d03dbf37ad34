"""Retrieval figures: reciprocal rank and average precision, per query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64


@dataclass(frozen=True, eq=False)
class Ranking:
    """Hold the figures per query; NaN where a query has no relevant item and is left out."""

    reciprocal_rank: Float64[np.ndarray, "queries"]
    average_precision: Float64[np.ndarray, "queries"]


def rank(
    distances: Float[np.ndarray, "queries items"],
    relevant: Bool[np.ndarray, "queries items"],
    rng: np.random.Generator,
    masked: Bool[np.ndarray, "queries items"] | None = None,
) -> Ranking:
    """Rank the items of each query, small distances first.

    Ties are broken at random, so that a scorer that cannot tell items apart scores as chance does. `masked`
    items take no part. Reciprocal rank: 1 / rank of the first relevant item. Average precision: the mean of
    the precision at each relevant item.
    """
    if masked is None:
        masked = np.zeros_like(relevant)
    hits = relevant & ~masked
    order = np.lexsort((rng.random(distances.shape), distances, masked), axis=1)
    ranked = np.take_along_axis(hits, order, axis=1)
    ranks = np.arange(1, ranked.shape[1] + 1)
    count = ranked.sum(1)
    with np.errstate(invalid="ignore"):
        precision = np.where(ranked, ranked.cumsum(1) / ranks, 0).sum(1) / count
    first = 1.0 / (ranked.argmax(1) + 1)
    return Ranking(np.where(count > 0, first, np.nan), precision)
