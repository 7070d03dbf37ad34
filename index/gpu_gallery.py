"""Approximate search on a GPU; FAISS's GPU kernels round in ways that the proofs here do not cover."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
from jaxtyping import Int64

from index.approximate_gallery import SCAN, Allowed, ApproximateGallery, Packed, Proposals, enough, only_allowed
from index.faiss_index import MOST_ON_GPU, GpuIndex, flat, gpus, ivf
from index.index_cache import IndexCache
from index.ivf_gallery import lists_to_search
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.errors import LibraryError


@final
class GpuGallery(ApproximateGallery):
    """Propose by all of p on the first GPU, or by inverted lists of it; searches wait for each other."""

    most: ClassVar[int] = MOST_ON_GPU
    filters: ClassVar[bool] = False

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        cache: IndexCache | None = None,
        key: str = "",
        divided: bool = False,
        scan: int = SCAN,
    ) -> None:
        """Copy p of n items to the GPU, as lists if `divided`; `key` says what they are of.

        LibraryError without a GPU.
        """
        super().__init__(ids, latents, weights, scan=scan)
        if gpus() == 0:
            raise LibraryError(
                "no GPU that FAISS can use, one expected: install the extra `gpu`, or choose another gallery"
            )
        self._divided = divided
        self.path = "ivf-gpu" if divided else "flat-gpu"
        self._index = GpuIndex(self.kept(cache, key, ivf) if divided else flat(self.packed()))
        self.measure()

    def _propose(self, packed: Packed, m: int, allowed: Allowed) -> Proposals:
        asked = enough(m, allowed, self.most)  # FAISS's selectors do not work there
        lists = min(self.most, lists_to_search(len(self), asked, len(self))) if self._divided else 0
        return only_allowed(self._index.nearest(packed, asked, lists=lists), m, allowed)
