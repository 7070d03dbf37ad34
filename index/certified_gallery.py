"""Certified search: lower bounds select candidates, exact scores order them, and the bounds prove the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import final

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from index.brute_force import exhaustive_each
from index.directions import Directions
from index.gallery import GalleryInMemory, SearchResult
from index.prefilter import BLOCK_ROWS
from index.rounding import LARGEST_QUERY_NORM, Rounding
from index.scores import Scores, score
from index.sieve import Sieve
from model.data.distance import ScoreWeights
from model.data.latents import Latents

FEW = 64  # up to so many items are all scored, without a filter
MOST_AT_ONCE = 1024
MOST_DISTANCES = 1 << 25  # of queries to items that the sieve gives at once: 128 MiB
SAMPLE = 1 << 14  # distances from which a threshold is estimated


@final
class CertifiedGallery(GalleryInMemory):
    """Search in three levels; the answer equals the oracle's unless the budget ends the search.

    1. The sieve bounds D from below by a few numbers of each item. The max(4k, 64) items with the least bounds are
       scored exactly. Their k-th distance is an upper bound of the answer's; items with a larger bound are dropped.
    2. The others are bounded again by both blocks of p, which two flat FAISS indexes hold.
    3. Items are scored in the order of that bound until it passes the k-th distance.
    """

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        budget: int | None = None,
        before: CertifiedGallery | None = None,
    ) -> None:
        """Fit the levels to n items; a search scores at most max(budget, k) of them exactly.

        `before`: a gallery of the same model's latents; its directions are used again if they suit.
        """
        super().__init__(ids, latents, weights)
        if budget is not None and budget < 1:
            raise ValueError(f"a budget of {budget} items given, at least 1 or None expected")
        self.budget = budget
        self.directions: Directions
        if before is not None and before.directions.suit(ids, weights):
            self.directions = before.directions
        else:
            self.directions = Directions.fit(ids, latents, weights)
        self._prefilter = self.directions.prefilter
        widths = self._prefilter.widths
        self._rounding = Rounding(self._prefilter.largest_norm(latents) or 1.0, sum(widths))
        self._sieve = Sieve(len(ids), self.directions.sieve, self._rounding)
        self._blocks = [faiss.IndexFlatL2(width) for width in widths]
        for start in range(0, len(ids), BLOCK_ROWS):
            blocks = self._prefilter.split(self._prefilter.project(latents[start : start + BLOCK_ROWS]))
            self._sieve.fill(start, blocks)
            for index, block in zip(self._blocks, blocks, strict=True):
                index.add(self._rounding.pack(block))

    def _search(self, queries: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None) -> list[SearchResult]:
        count = len(self) if allowed is None else int(np.count_nonzero(allowed))
        p = self._prefilter.project(queries)
        norms = self._rounding.norms(p)
        if count <= max(4 * k, FEW) or not (norms <= LARGEST_QUERY_NORM).all():
            return exhaustive_each(self, queries, k, allowed)
        faiss.omp_set_num_threads(1)  # in this thread: concurrent searches are fastest with one each
        budget = count if self.budget is None else min(count, max(self.budget, k))
        together = max(1, MOST_DISTANCES // len(self))
        found = []
        for start in range(0, len(queries), together):
            blocks = self._prefilter.split(p[start : start + together])
            for offset, coarse in enumerate(self._sieve.distances(blocks)):
                if allowed is not None:
                    coarse[~allowed] = np.inf
                row = start + offset
                packed = [self._rounding.pack(block[[offset]]) for block in blocks]
                asked = Asked(queries[[row]], packed, float(norms[row]), k, budget, count)
                found.append(self._cascade(asked, coarse))
        return found

    def _cascade(self, asked: Asked, coarse: Float32[np.ndarray, "n"]) -> SearchResult:
        """Answer one query, given the sieve's distances to all items; inf marks what is not allowed."""
        near = nearest_rows(coarse, min(max(4 * asked.k, FEW), asked.budget))
        started = time.perf_counter()
        best = score(asked.query, self.ids, self.latents, self.weights, near).nearest(asked.k)
        rerank_s = time.perf_counter() - started
        reach = self._rounding.reach(float(best.distance[-1]), asked.norm, len(self._blocks))
        beyond = self._rounding.beyond(float(reach), asked.norm, len(self._blocks))
        coarse[near] = np.inf
        return self._prove(asked, best, len(near), np.flatnonzero(coarse <= reach), beyond, rerank_s)

    def _prove(
        self,
        asked: Asked,
        best: Scores,
        examined: int,
        rows: Int64[np.ndarray, "m"],
        beyond: float,
        rerank_s: float,
    ) -> SearchResult:
        """Bound the items that passed the sieve, and score them in the order of their bounds until none can be nearer.

        `beyond`: the bound of all items neither examined nor in `rows`; `rerank_s`: time spent on exact scores so far.
        """
        worst = float(best.distance[-1])
        bounds = self._bounds(asked, rows)
        left = bounds <= worst  # an item strictly beyond the k-th cannot even tie
        beyond = min(beyond, float(np.min(bounds[~left], initial=np.inf)))
        rows, bounds = rows[left], bounds[left]
        order = np.argsort(bounds, kind="stable")
        rows, bounds = rows[order], bounds[order]
        budget, start, step = asked.budget - examined, 0, FEW
        while start < len(rows) and bounds[start] <= worst and start < budget:
            now = rows[start : min(start + step, budget)]
            now = now[: np.searchsorted(bounds[start : start + len(now)], worst, side="right")]
            began = time.perf_counter()
            found = score(asked.query, self.ids, self.latents, self.weights, now)
            best = Scores.concatenate([best, found]).nearest(asked.k)
            rerank_s += time.perf_counter() - began
            worst, start, step = float(best.distance[-1]), start + len(now), min(2 * step, MOST_AT_ONCE)
        bound = float(bounds[start]) if start < len(rows) else beyond
        everything = examined + start == asked.count
        certified, gap = everything or worst < bound, None if everything else bound - worst
        return self.result(best, "cascade", examined + start, rerank_s, certified=certified, bound_gap=gap)

    def _bounds(self, asked: Asked, rows: Int64[np.ndarray, "m"]) -> Float64[np.ndarray, "m"]:
        """Return the sum of the blocks' lower bounds of D."""
        total = np.zeros(len(rows))
        if not len(rows):
            return total
        squared = np.empty(len(rows), np.float32)
        for index, query in zip(self._blocks, asked.packed, strict=True):
            pointers = (faiss.swig_ptr(a) for a in (squared, rows))
            ask = index.compute_distance_subset  # type: ignore[attr-defined]
            ask(1, faiss.swig_ptr(query), len(rows), *pointers)
            total += self._rounding.lower(squared, asked.norm)
        return total


@dataclass(frozen=True, eq=False)
class Asked:
    """Hold a question: the query, the blocks of its p as stored, p's norm, k, and how many items may be scored.

    `count`: how many items are allowed.
    """

    query: Latents
    packed: list[Float32[np.ndarray, "1 _"]]
    norm: float
    k: int
    budget: int
    count: int


def nearest_rows(distances: Float32[np.ndarray, "n"], wanted: int) -> Int64[np.ndarray, "wanted"]:
    """Return the rows of the least distances; of many rows, by a threshold estimated from a part of them."""
    part = distances[:: max(1, len(distances) // SAMPLE)]
    position = min(len(part) - 1, 2 * wanted * len(part) // len(distances) + 4)
    rows = np.flatnonzero(distances <= np.partition(part, position)[position])
    if len(rows) < wanted:  # the part was unlucky
        rows = np.arange(len(distances))
    return rows[np.argpartition(distances[rows], wanted - 1)[:wanted]]
