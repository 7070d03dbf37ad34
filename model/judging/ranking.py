"""Retrieval figures: reciprocal rank and average precision, per query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64


@dataclass(frozen=True, eq=False)
class Ranking:
    """Hold the figures per query; NaN where a query has no relevant item and is left out.

    `order`: the items from the nearest to the farthest. `hits`: which of them, in that order, are relevant.
    """

    reciprocal_rank: Float64[np.ndarray, "queries"]
    average_precision: Float64[np.ndarray, "queries"]
    order: Int64[np.ndarray, "queries items"]
    hits: Bool[np.ndarray, "queries items"]

    def without_each(self) -> tuple[Float64[np.ndarray, "queries items"], Float64[np.ndarray, "queries items"]]:
        """Return each query's reciprocal rank and average precision without item i, for each i.

        The other items keep their order, so nothing is ranked again. NaN where no relevant item is left.
        """
        hits, ranks = self.hits, np.arange(1, self.hits.shape[1] + 1)
        found, nearer = hits.cumsum(1), np.maximum(ranks - 1, 1)
        left = found[:, -1:] - hits  # relevant items, without the one at this rank
        first, second = (np.argmax(hits & (found == nth), axis=1)[:, None] + 1 for nth in (1, 2))
        moved = np.where(ranks < first, first - 1, np.where(ranks > first, first, second - 1))
        precision = np.where(hits, found / ranks, 0)
        after, after_hit = (_sum_after(np.where(hits, (found - gone) / nearer, 0)) for gone in (0, 1))
        total = precision.cumsum(1) - precision + np.where(hits, after_hit, after)
        reciprocal, average = (np.full(hits.shape, np.nan) for _ in range(2))
        np.divide(1, moved, out=reciprocal, where=left > 0)
        np.divide(total, left, out=average, where=left > 0)
        return self._by_item(reciprocal), self._by_item(average)

    def _by_item(self, by_rank: Float64[np.ndarray, "queries items"]) -> Float64[np.ndarray, "queries items"]:
        by_item = np.empty_like(by_rank)
        np.put_along_axis(by_item, self.order, by_rank, axis=1)
        return by_item


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
    return Ranking(np.where(count > 0, first, np.nan), precision, order, ranked)


def _sum_after(values: Float64[np.ndarray, "queries items"]) -> Float64[np.ndarray, "queries items"]:
    """Return the sum of what lies behind each rank."""
    return np.asarray(values.sum(1, keepdims=True) - values.cumsum(1))
