"""Approximate search by lists around centres; they take a fraction of the time of a graph to build."""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Int64

from index.approximate_gallery import SCAN, Allowed, ApproximateGallery, Packed, Proposals, count_of, only_allowed
from index.faiss_index import compressed_ivf, ivf, lists_for, nearest
from index.index_cache import IndexCache
from model.data.distance import ScoreWeights
from model.data.latents import Latents

SHARE = 32  # one list in so many is searched
PLENTY = 8  # allowed items in these lists, for each candidate
COMPRESSED_FROM = 2_000_000  # items: from here on p would take more than a gigabyte
FEWEST_COMPRESSED = 256  # what a product quantizer takes to find its codes


@final
class IvfGallery(ApproximateGallery):
    """Propose by FAISS's inverted lists of p, compressed to a byte for four of its numbers where items are many."""

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        cache: IndexCache | None = None,
        key: str = "",
        compressed: bool | None = None,
        scan: int = SCAN,
    ) -> None:
        """Divide n items, or read the lists from the cache; `key` says what they are of.

        `compressed`: None for from two million items on; fewer than 256 never are.
        """
        super().__init__(ids, latents, weights, scan=scan)
        if compressed is None:
            compressed = len(ids) >= COMPRESSED_FROM
        compressed = compressed and len(ids) >= FEWEST_COMPRESSED
        self.path = "ivf-pq" if compressed else "ivf"
        self._index = self.kept(cache, key, compressed_ivf if compressed else ivf)
        self.measure()

    def _propose(self, packed: Packed, m: int, allowed: Allowed) -> Proposals:
        lists = lists_to_search(len(self), m, count_of(allowed, len(self)))
        return only_allowed(nearest(self._index, packed, m, lists=lists, allowed=allowed), m, None)


def lists_to_search(n: int, m: int, count: int) -> int:
    """Return how many lists of n items to look through for m candidates among `count` allowed items."""
    lists = lists_for(n)
    return min(lists, max(-(-lists // SHARE), -(-PLENTY * m * lists // count)))
