"""Approximate search by a graph of near neighbours in main memory, for galleries that are too large to scan."""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Int64

from index.approximate_gallery import SCAN, Allowed, ApproximateGallery, Packed, Proposals, count_of, only_allowed
from index.faiss_index import hnsw, nearest
from index.index_cache import IndexCache
from model.data.distance import ScoreWeights
from model.data.latents import Latents

WIDER = 2  # nodes kept in view for each candidate


@final
class HnswGallery(ApproximateGallery):
    """Propose by FAISS's HNSW graph, with p and 64 links per item: slow to build, fast to search."""

    path = "hnsw"

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        cache: IndexCache | None = None,
        key: str = "",
        scan: int = SCAN,
    ) -> None:
        """Link n items, or read the graph from the cache; `key` says what they are of."""
        super().__init__(ids, latents, weights, scan=scan)
        self._index = self.kept(cache, key, hnsw)
        self.measure()

    def _propose(self, packed: Packed, m: int, allowed: Allowed) -> Proposals:
        breadth = WIDER * m * len(self) // count_of(allowed, len(self))
        return only_allowed(nearest(self._index, packed, m, breadth=breadth, allowed=allowed), m, None)
