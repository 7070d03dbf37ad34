"""Certified search: FAISS finds candidates by L2 on p, exact scores decide, a bound proves."""

from __future__ import annotations

from typing import final

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from index.brute_force import exhaustive
from index.gallery import Gallery, SearchResult
from index.prefilter import Prefilter, Rounding
from index.scores import Scores, score
from model.distance import ScoreWeights
from model.latents import Latents

FEW = 64  # so many items are scored at once rather than filtered
MOST_AT_ONCE = 1024
LARGEST_QUERY_NORM = 2.0**40  # in units of the gallery's largest: float32 squares stay far from overflow


@final
class FaissGallery(Gallery):
    """Search a flat FAISS index of p, then prove the answer; equal to the oracle unless a budget ends it.

    The nearest max(4k, 64) by p are scored exactly. Where p's bound does not yet prove the answer, FAISS's
    kernel scans the two blocks of p apart, for the tighter bound of every item at once, and items are scored
    in the order of that bound until it passes the k-th distance. (Doubling the candidates instead would
    search p again and again, and the bound of p alone leaves many more to score.)
    """

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        budget: int | None = None,
    ) -> None:
        super().__init__(ids, latents, weights)
        if budget is not None and budget < 1:
            raise ValueError(f"a budget of {budget} items given, at least 1 or None expected")
        self.budget = budget
        self._prefilter = Prefilter.fit(latents, weights)
        p = self._prefilter.project(latents)
        self._rounding = Rounding.of(p)
        stored = self._rounding.pack(p)
        self._index = faiss.IndexFlatL2(stored.shape[1])
        self._index.add(stored)
        self._blocks = self._split(stored)

    @classmethod
    def build(
        cls,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        budget: int | None = None,
    ) -> FaissGallery:
        """Fit the prefilter and index n items; a search scores at most max(budget, k) of them exactly."""
        return cls(ids, latents, weights, budget=budget)

    def _search(self, query: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None) -> SearchResult:
        count = len(self) if allowed is None else int(np.count_nonzero(allowed))
        budget = count if self.budget is None else max(self.budget, k)
        candidates = min(max(4 * k, FEW), budget)
        p = self._prefilter.project(query)
        norm = self._rounding.norm(p)
        if count <= candidates or not norm <= LARGEST_QUERY_NORM:
            return exhaustive(self, query, k, allowed)
        faiss.omp_set_num_threads(1)  # in this thread: concurrent searches are fastest with one each
        packed = self._rounding.pack(p)
        near, bound = self._nearest(packed, candidates, allowed, norm)
        scores = score(query, self.ids, self.latents, self.weights, near)
        best, examined = scores.nearest(k), len(near)
        if best.distance[-1] >= bound:
            bounds = self._bounds(packed, norm)
            bounds[near] = np.inf
            if allowed is not None:
                bounds[~allowed] = np.inf
            best, more, bound = self._refine(query, best, bounds, budget - examined)
            examined += more
        everything = examined == count
        return SearchResult(
            ids=best.ids,
            distance=best.distance,
            latent=best.latent,
            generated=best.generated,
            certified=everything or float(best.distance[-1]) < bound,
            examined=examined,
            gallery_size=len(self),
            path="faiss-flat",
            bound_gap=None if everything else bound - float(best.distance[-1]),
        )

    def _nearest(
        self, packed: Float32[np.ndarray, "1 p"], m: int, allowed: Bool[np.ndarray, "n"] | None, norm: float
    ) -> tuple[Int64[np.ndarray, "m"], float]:
        """Return the rows of the m nearest by p, m < allowed items, and a lower bound of D for the rest."""
        selector = None if allowed is None else _selector(allowed)  # the parameters only point to it
        only = None if selector is None else faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        squared, rows = self._index.search(packed, m, params=only)
        return rows[0], self._rounding.lower(float(squared[0, -1]), norm)

    def _bounds(self, packed: Float32[np.ndarray, "1 p"], norm: float) -> Float64[np.ndarray, "n"]:
        """Return the tighter lower bound of D, part by part, for every item."""
        total = np.zeros(len(self))
        for block, query in zip(self._blocks, self._split(packed), strict=True):
            squared = np.empty(len(self), np.float32)
            numbers = block.shape[1]
            pointers = (faiss.swig_ptr(a) for a in (squared, query, block))
            faiss.fvec_L2sqr_ny(*pointers, numbers, len(self))  # type: ignore[attr-defined]
            total += self._rounding.lower_part(squared, norm)
        return total

    def _refine(
        self, query: Latents, best: Scores, bounds: Float64[np.ndarray, "n"], budget: int
    ) -> tuple[Scores, int, float]:
        """Score items by ascending bound while they may be among the k best and the budget lasts.

        Returns the k best, how many were scored, and the least bound of what was not; inf marks what is out.
        """
        k, worst, start, step = len(best), float(best.distance[-1]), 0, FEW
        rows = np.flatnonzero(bounds <= worst)  # strictly beyond the k-th there is not even a tie
        beyond = float(np.min(bounds, initial=np.inf, where=bounds > worst))
        rows = rows[np.argsort(bounds[rows], kind="stable")]
        while start < len(rows) and bounds[rows[start]] <= worst and start < budget:
            now = rows[start : min(start + step, budget)]
            now = now[bounds[now] <= worst]
            found = score(query, self.ids, self.latents, self.weights, now)
            best = Scores.concatenate([best, found]).nearest(k)
            worst, start, step = float(best.distance[-1]), start + len(now), min(2 * step, MOST_AT_ONCE)
        return best, start, float(bounds[rows[start]]) if start < len(rows) else beyond

    def _split(self, p: Float32[np.ndarray, "m p"]) -> tuple[np.ndarray, np.ndarray]:
        """Return the block of the Gaussian and that of the generated pair, each contiguous."""
        width = self._prefilter.latent_width
        return np.ascontiguousarray(p[:, :width]), np.ascontiguousarray(p[:, width:])


def _selector(allowed: Bool[np.ndarray, "n"]) -> faiss.IDSelector:
    bits = np.packbits(allowed, bitorder="little")
    return faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]
