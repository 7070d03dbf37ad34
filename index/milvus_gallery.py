"""Approximate search beyond one machine's memory: Milvus proposes items, and gives the latents that score them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Bool, Float32, Int64

from index.approximate_gallery import (
    LEAST_PER_HIT,
    RECALL_AT,
    Allowed,
    candidates,
    count_of,
    enough,
    recall_rows,
)
from index.gallery import Gallery, SearchResult
from index.latents_on_disk import LatentsOnDisk, blocks_of, unchanged
from index.milvus import MOST_CANDIDATES, Collection, Milvus, MilvusServer, Rows
from index.projection import Projection
from index.scores import Scores, score
from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents
from model.errors import LibraryChanged

LOCAL = MilvusServer()
SCAN = 8  # so many times as many items as candidates are fetched as fast as candidates are found
FILTERED_AT_ONCE = 20_000  # ids that a filter of Milvus names
MOST_WITH_LATENTS = 2048  # candidates that come with their latents in one answer
MOST_UNMEASURED = 0.1  # of the items, changed since the recall was measured
FLUSHED_FROM = 1000  # rows; fewer are searched without the index, which takes less time than the seconds of a flush
BLOCK_ROWS = 4096  # scored at a time when the recall is measured


@final
class MilvusGallery(Gallery):
    """Propose by a collection in Milvus, and score exactly the latents that it gives: this process holds none of them.

    Distances and their order are right, but hits may be missing; an answer has at most 16,384. It is certified only
    where everything allowed was fetched and scored, which is where few items are allowed.

    `recall`: as of an ApproximateGallery. It is measured when the collection is filled, in one pass over all latents,
    and again when a tenth of the items has changed.
    """

    path = "milvus"

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents | LatentsOnDisk,
        weights: ScoreWeights,
        *,
        stamps: Int64[np.ndarray, "n"] | None = None,
        key: str = "",
        server: MilvusServer = LOCAL,
        file: Path | None = None,
        before: Gallery | None = None,
        scan: int = SCAN,
    ) -> None:
        """Bring the collection to these items: write those that it lacks, delete those that are gone.

        `stamps`: what an item has another of once its latents have changed; made of the latents where not given.
        `key` names the model. `file` keeps how p is made; without it that is found out anew, and a collection of other
        items is filled anew. `before`: a gallery of the same model, of the library as it was, which may go on serving.

        Others so called are dropped by the next gallery of this model, or the next start: one of them may still serve.

        Raises:
            EmptyLibrary: there are no items. LibraryError: Milvus cannot be used, or another process fills the
            collection with other items. LibraryChanged: latents were deleted while they were read.
        """
        super().__init__(ids, latents, weights)
        self.scan = scan
        self._overtaken = False  # the collection may hold other items by now
        order = np.argsort(ids)
        self._by_id = None if np.array_equal(order, np.arange(len(ids))) else order
        self._sorted_ids = ids if self._by_id is None else ids[order]
        given = _stamps_of(latents) if stamps is None else stamps
        self._stamps = given if self._by_id is None else given[order]
        last = before if isinstance(before, MilvusGallery) and before._milvus.server == server else None
        known = last._projection if last is not None else None if file is None else Projection.load(file)
        if known is None or not known.suits(key, latents, weights):
            last, known = None, Projection.fit(key, latents, weights)
        self._projection: Projection = known
        self._milvus: Milvus = Milvus(server) if last is None else last._milvus
        self._collection = Collection(self._milvus, known.digest, known.width, self.widths)
        self._keep(file)  # before it is filled, so that a start after a crash goes on with the same vectors
        changed = self._provide(latents, last)
        self._projection = self._projection.changed(changed)
        if self._projection.recall is None or self._projection.unmeasured > MOST_UNMEASURED * len(self):
            self._projection = self._projection.measured(self._measured(latents))
        self._keep(file)
        if last is not None or not changed:
            self._collection.drop_others()

    @property
    def recall(self) -> float | None:
        """Return the share of the ten nearest items that a search finds."""
        return self._projection.recall

    def close(self) -> None:
        """End the connection; a file of Milvus Lite is free for others only then."""
        self._milvus.close()

    def _keep(self, file: Path | None) -> None:
        if file is not None:
            self._projection.save(file)

    # Filling

    def _provide(self, latents: Latents | LatentsOnDisk, last: MilvusGallery | None) -> int:
        """Leave the collection with these items and no others; return how many it lacked or had too many."""
        there = self._collection.open()
        held = None if last is None or last._overtaken or not there else (last._sorted_ids, last._stamps)
        if last is not None:
            last._overtaken = True
        changed = 0
        for _ in range(2):  # what another process did to it since is seen by listing what it holds
            ids, stamps = held if held is not None else self._collection.listed(self._sorted_ids)
            changed += self._change(latents, ids, stamps)
            if self._collection.count() == len(self):
                return changed
            held = None
        raise LibraryChanged(
            f"the collection {self._collection.name} holds other items than were just written to it: "
            "let one process at a time fill it, and ask again"
        )

    def _change(
        self,
        latents: Latents | LatentsOnDisk,
        ids: Int64[np.ndarray, "held"],
        stamps: Int64[np.ndarray, "held"],
    ) -> int:
        """Write what a collection of these ids and stamps lacks, and delete what it has too many."""
        _, same = unchanged(self._sorted_ids, self._stamps, ids, stamps)
        lacking, gone = np.flatnonzero(~same), ids[self._rows(ids) < 0]
        rows = lacking if self._by_id is None else self._by_id[lacking]
        at = 0
        for _, block in blocks_of(latents, self._collection.rows_at_once, rows):
            if not block.is_finite():
                raise ValueError("latents with NaN or infinite numbers given, finite ones expected")
            here = lacking[at : at + len(block)]
            vectors = self._projection.pack(block)
            self._collection.put(self._sorted_ids[here], self._stamps[here], vectors, block)
            at += len(block)
        self._collection.delete(gone)
        if len(lacking) >= FLUSHED_FROM:
            self._collection.flush()
        return len(lacking) + len(gone)

    # Searching

    def _search(self, queries: Latents, k: int, allowed: Allowed) -> list[SearchResult]:
        m, count = candidates(k, MOST_CANDIDATES), count_of(allowed, len(self))
        if count <= max(1, self.scan) * m:
            return self._all(queries, k, allowed)
        vectors = self._projection.pack(queries)
        return [
            self._rescore(queries[[row]], k, self._fetched(ids) if found is None else iter([self._own(found)]))
            for row, (ids, found) in enumerate(self._proposed(vectors, m, min(m, LEAST_PER_HIT * k), allowed))
        ]

    def _proposed(
        self, vectors: Float32[np.ndarray, "q width"], m: int, fewest: int, allowed: Allowed
    ) -> Iterator[tuple[Int64[np.ndarray, "_"], Rows | None]]:
        """Yield for each query the ids of up to m allowed items, at least `fewest`, and their rows if they came."""
        if allowed is None and m <= MOST_WITH_LATENTS:
            for one in self._collection.nearest(vectors, m, rows=True):
                yield one.ids, one.rows
            return
        asked = enough(m, allowed, MOST_CANDIDATES)
        for row, one in enumerate(self._collection.nearest(vectors, asked)):
            rows = self._rows(one.ids)
            ids = one.ids[(rows >= 0) & (True if allowed is None else allowed[rows])][:m]
            yield (
                (ids if allowed is None or len(ids) >= fewest else self._filtered(vectors[[row]], m, fewest, allowed)),
                None,
            )

    def _filtered(
        self, vector: Float32[np.ndarray, "1 width"], m: int, fewest: int, allowed: Bool[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "_"]:
        """Return the ids of the m nearest allowed items, of some allowed ids after the other; all where few are met."""
        named = self.ids[allowed]
        parts = [named[start : start + FILTERED_AT_ONCE] for start in range(0, len(named), FILTERED_AT_ONCE)]
        found = [next(self._collection.nearest(vector, m, among=part)) for part in parts]
        order = np.argsort(np.concatenate([one.distances for one in found]), kind="stable")[:m]
        ids = np.concatenate([one.ids for one in found])[order]
        return ids[self._rows(ids) >= 0] if len(ids) >= fewest else named

    def _rows(self, ids: Int64[np.ndarray, "m"]) -> Int64[np.ndarray, "m"]:
        """Return the rows of ids; -1 where one is not of this gallery: it came to the library since."""
        at = np.minimum(np.searchsorted(self._sorted_ids, ids), len(self) - 1)
        return np.where(self._sorted_ids[at] == ids, at if self._by_id is None else self._by_id[at], -1)

    def _own(self, found: Rows) -> Rows:
        """Return what is of this gallery; a row that was rewritten since, or by another library, is not."""
        _, same = unchanged(found.ids, found.stamps, self._sorted_ids, self._stamps)
        own = np.flatnonzero(same)
        return Rows(found.ids[own], found.stamps[own], found.latents[own])

    def _fetched(self, ids: Int64[np.ndarray, "m"]) -> Iterator[Rows]:
        """Yield the rows of those items that are still there, as many at a time as fit into a message."""
        for start in range(0, len(ids), self._collection.rows_at_once):
            yield self._own(self._collection.rows(ids[start : start + self._collection.rows_at_once]))

    def _all(self, queries: Latents, k: int, allowed: Allowed) -> list[SearchResult]:
        """Score every allowed item; certified unless one of them has left the collection since."""
        wanted = self.ids if allowed is None else self.ids[allowed]
        nearest, rerank_s = [_Nearest(queries[[row]], k, self.weights) for row in range(len(queries))], 0.0
        for part in self._fetched(wanted):
            started = time.perf_counter()
            for one in nearest:
                one.add(part.ids, part.latents)
            rerank_s += time.perf_counter() - started
        certified = nearest[0].examined == len(wanted)
        path, recall = ("exhaustive", None) if certified else (self.path, self.recall)
        return [self._answer(one, path, rerank_s / len(nearest), certified, recall) for one in nearest]

    def _rescore(self, query: Latents, k: int, parts: Iterator[Rows]) -> SearchResult:
        nearest, rerank_s = _Nearest(query, k, self.weights), 0.0
        for part in parts:
            started = time.perf_counter()
            nearest.add(part.ids, part.latents)
            rerank_s += time.perf_counter() - started
        return self._answer(nearest, self.path, rerank_s, False, self.recall)

    def _answer(
        self, nearest: _Nearest, path: str, rerank_s: float, certified: bool, recall: float | None
    ) -> SearchResult:
        latents = _no_latents(self.widths) if nearest.latents is None else nearest.latents
        scores, examined = nearest.scores, nearest.examined
        return self.result(scores, path, examined, rerank_s, certified=certified, recall=recall, latents=latents)

    # Recall

    def _measured(self, latents: Latents | LatentsOnDisk) -> float:
        """Return the recall; reads all latents once, a block at a time."""
        if len(self) <= max(1, self.scan) * candidates(RECALL_AT + 1, MOST_CANDIDATES):
            return 1.0
        own = recall_rows(len(self))
        queries = latents[own]
        nearest = np.full((len(own), RECALL_AT), np.inf)
        for rows, block in blocks_of(latents, BLOCK_ROWS):
            far = distances(queries, block, self.weights).total
            far[own[:, np.newaxis] == rows] = np.inf
            nearest = np.sort(np.concatenate([nearest, far], axis=1), axis=1)[:, :RECALL_AT]
        found = self.search_batch(queries, RECALL_AT + 1)
        return float(
            np.mean(
                [
                    _share(one, int(self.ids[row]), tenth)
                    for row, one, tenth in zip(own, found, nearest[:, -1], strict=True)
                ]
            )
        )


class _Nearest:
    """Keep the k nearest to a query of items that come in parts, with their latents, and count how many came."""

    def __init__(self, query: Latents, k: int, weights: ScoreWeights) -> None:
        self._query, self._k, self._weights = query, k, weights
        self.scores = Scores(np.empty(0, np.int64), np.empty(0), np.empty(0))
        self.latents: Latents | None = None
        self.examined = 0

    def add(self, ids: Int64[np.ndarray, "m"], latents: Latents) -> None:
        """Score a part."""
        scores = Scores.concatenate([self.scores, score(self._query, ids, latents, self._weights)])
        together = latents if self.latents is None else Latents.concatenate([self.latents, latents])
        self.scores, order = scores.nearest(self._k), np.argsort(scores.ids)
        self.latents = together[order[np.searchsorted(scores.ids, self.scores.ids, sorter=order)]]
        self.examined += len(ids)


def _share(found: SearchResult, own: int, tenth: float) -> float:
    """Return how many of the ten nearest other items were found; one as near as the tenth counts."""
    return float(np.count_nonzero(found.distance[found.ids != own][:RECALL_AT] <= tenth) / RECALL_AT)


def _stamps_of(latents: Latents | LatentsOnDisk) -> Int64[np.ndarray, "n"]:
    """Return a digest of each item's latents."""
    stamps = [
        hashlib.blake2b(b"".join(a.tobytes() for a in row), digest_size=8).digest()
        for _, block in blocks_of(latents, BLOCK_ROWS)
        for row in zip(block.mu, block.sigma, block.generated, strict=True)
    ]
    return np.frombuffer(b"".join(stamps), "<i8").astype(np.int64)


def _no_latents(widths: tuple[int, int, int]) -> Latents:
    return Latents(*(np.empty((0, width), np.float32) for width in widths))
