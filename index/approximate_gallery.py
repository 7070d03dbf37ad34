"""Approximate search: an index proposes candidates, exact scores order them, and the recall is measured."""

from __future__ import annotations

import hashlib
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from index.brute_force import exhaustive, exhaustive_each
from index.faiss_index import Index
from index.gallery import GalleryInMemory, SearchResult
from index.index_cache import IndexCache
from index.prefilter import Prefilter
from index.rounding import LARGEST_QUERY_NORM, Rounding
from index.scores import score
from model.data.distance import ScoreWeights
from model.data.latents import Latents

CANDIDATES = 256  # proposed for an answer, at least
CANDIDATES_PER_HIT = 16
MANY_CANDIDATES = 2048  # with so many, four for a hit find it: recall 0.999 (benchmarks/search/candidates.py)
FEWER_PER_HIT = 4
LEAST_PER_HIT = 2  # of those nearest by p: recall 1.000; one gives 0.95 to 0.98
SCAN = 16  # scoring 16 items takes as long as an index takes to propose one, measured with HNSW
BLOCK_ROWS = 65_536

RECALL_AT = 10
RECALL_QUERIES = 100
FEWEST_RECALL_QUERIES = 10
RECALL_SCORES = 2_000_000  # scored at most to measure a recall, as long as FEWEST_RECALL_QUERIES allow it

Packed = Float32[np.ndarray, "q width"]  # p of q queries, as the index takes it
Allowed = Bool[np.ndarray, "n"] | None
Proposals = list[Int64[np.ndarray, "_"]]  # rows, for each query


class ApproximateGallery(GalleryInMemory):
    """Score exactly what an index over p proposes: distances and their order are right, but hits may be missing.

    An answer is certified only where everything allowed was scored: where few items are allowed, where the index
    proposes too few, where k is over half of what it can propose, and where the query is too far away for float32. An
    index that cannot filter is asked for more than is needed; two allowed items for each hit are enough.

    `recall` is the share of the ten nearest items that a search finds, where the queries are items of the gallery, each
    left out of its own answer; a hit as near as the tenth counts. It is measured when the gallery is built, on 100
    items drawn with a fixed seed, on fewer from 20,000 items on, and on ten from 200,000.

    A subclass sets `path`, makes its index from `packed()` and then calls `measure()`.
    """

    path: str
    most: ClassVar[int] = 2**31 - 1  # candidates that the index can propose for an answer
    filters: ClassVar[bool] = True  # the index looks for allowed items alone

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        scan: int = SCAN,
        before: ApproximateGallery | None = None,
    ) -> None:
        """Fit p to n items, or take that of a gallery `before`, which suits them."""
        super().__init__(ids, latents, weights)
        if scan < 0:
            raise ValueError(f"scan = {scan} given, at least 0 expected, which asks the index always")
        self.scan = scan
        self.recall: float | None = None
        self._prefilter: Prefilter = Prefilter.fit(latents, weights) if before is None else before._prefilter
        self._rounding: Rounding = (
            Rounding(self._prefilter.largest_norm(latents) or 1.0, sum(self._prefilter.widths))
            if before is None
            else before._rounding
        )

    @abstractmethod
    def _propose(self, packed: Packed, m: int, allowed: Allowed) -> Proposals:
        """Return, for each query, the rows of up to m allowed items, those near by p."""

    def packed(self, rows: Int64[np.ndarray, "m"] | None = None) -> Float32[np.ndarray, "m width"]:
        """Return p of the items at `rows`, at least one, as the index takes it; of every item for None.

        In units of the largest, so that nothing overflows.
        """
        blocks = range(0, len(self) if rows is None else len(rows), BLOCK_ROWS)
        here = [slice(at, at + BLOCK_ROWS) if rows is None else rows[at : at + BLOCK_ROWS] for at in blocks]
        project, pack = self._prefilter.project, self._rounding.pack
        return np.concatenate([pack(project(self.latents[one])) for one in here])

    def kept(self, cache: IndexCache | None, key: str, make: Callable[[np.ndarray], Index]) -> Index:
        """Return the index that `make` builds of the items, from the cache if it holds that one."""
        if cache is None:
            return make(self.packed())
        return cache.kept(f"{key} {make.__name__} {self.content()}", lambda: make(self.packed()))

    def content(self) -> str:
        """Return the SHA-256 of all that the index depends on: ids, latents and weights."""
        digest = hashlib.sha256(repr(self.weights).encode())
        for array in (self.ids, self.latents.mu, self.latents.sigma, self.latents.generated):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def measure(self) -> None:
        """Measure the recall."""
        if self._scans(len(self), RECALL_AT + 1):
            self.recall = 1.0
            return
        rows = recall_rows(len(self))
        found = self.search_batch(self.latents[rows], RECALL_AT + 1)
        self.recall = float(np.mean([self._share(int(row), one) for row, one in zip(rows, found, strict=True)]))

    def _search(self, queries: Latents, k: int, allowed: Allowed) -> list[SearchResult]:
        m, count = candidates(k, self.most), count_of(allowed, len(self))
        fewest = m if self.filters else min(m, LEAST_PER_HIT * k)
        p = self._prefilter.project(queries)
        near = self._rounding.norms(p) <= LARGEST_QUERY_NORM
        if self._scans(count, k) or not near.any():
            return exhaustive_each(self, queries, k, allowed)
        packed = self._rounding.pack(np.where(near[:, np.newaxis], p, 0.0))
        return [
            self._rescore(queries[[row]], k, rows)
            if near[row] and len(rows) >= fewest
            else exhaustive(self, queries[[row]], k, allowed)
            for row, rows in enumerate(self._propose(packed, m, allowed))
        ]

    def _scans(self, count: int, k: int) -> bool:
        """Say whether to score all `count` allowed items: where that is as fast, or the index proposes too few."""
        m = candidates(k, self.most)
        return count <= m or LEAST_PER_HIT * k > self.most or self._is_scan_faster(count, m)

    def _is_scan_faster(self, count: int, m: int) -> bool:
        """Say whether `count` allowed items are scored as fast as an index proposes m of them.

        Among the allowed ones of n items it looks n / count times as far: count <= scan * m * n / count.
        """
        return count**2 <= self.scan * m * len(self)

    def _rescore(self, query: Latents, k: int, rows: Int64[np.ndarray, "m"]) -> SearchResult:
        started = time.perf_counter()
        best = score(query, self.ids, self.latents, self.weights, rows).nearest(k)
        rerank_s = time.perf_counter() - started
        return self.result(best, self.path, len(rows), rerank_s, certified=False, recall=self.recall)

    def _share(self, row: int, found: SearchResult) -> float:
        """Return the share of the ten items nearest to that of a row that were found."""
        if found.certified:
            return 1.0
        own = int(self.ids[row])
        tenth = _others(exhaustive(self, self.latents[[row]], RECALL_AT + 1, None), own)[-1]
        return np.count_nonzero(_others(found, own) <= tenth) / RECALL_AT


def candidates(k: int, most: int) -> int:
    """Return how many candidates to ask for, at most `most`: 16 for a hit, and four from 2,048 candidates on."""
    wanted = min(CANDIDATES_PER_HIT * k, max(MANY_CANDIDATES, FEWER_PER_HIT * k))
    return min(most, max(wanted, CANDIDATES))


def recall_rows(n: int) -> Int64[np.ndarray, "queries"]:
    """Return the rows whose items a recall is measured with."""
    queries = min(RECALL_QUERIES, max(FEWEST_RECALL_QUERIES, RECALL_SCORES // n), n)
    return np.asarray(np.sort(np.random.default_rng(0).choice(n, queries, replace=False)), np.int64)


def count_of(allowed: Allowed, n: int) -> int:
    """Return how many of n items are allowed."""
    return n if allowed is None else int(np.count_nonzero(allowed))


def only_allowed(rows: Int64[np.ndarray, "q found"], m: int, allowed: Allowed) -> Proposals:
    """Return the first m allowed rows of each query; -1 means no row."""
    found = [one[one >= 0] for one in rows]
    return [one[:m] if allowed is None else one[allowed[one]][:m] for one in found]


def enough(m: int, allowed: Allowed, most: int) -> int:
    """Return how many to ask of an index that cannot filter: about 2m of them are allowed, unless `most` is fewer."""
    return m if allowed is None else min(most, 2 * m * len(allowed) // count_of(allowed, len(allowed)))


def _others(result: SearchResult, own: int) -> Float64[np.ndarray, "m"]:
    """Return the ten least distances of hits other than the item itself."""
    return np.asarray(result.distance[result.ids != own][:RECALL_AT])
