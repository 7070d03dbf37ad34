"""Certified search: lower bounds select candidates, exact scores order them, and the bounds prove the answer."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, Int64

from index.brute_force import exhaustive_each
from index.directions import Directions
from index.gallery import GalleryWithLatents, SearchResult
from index.latents_on_disk import LatentsOnDisk
from index.runs import LONGEST_RUN
from index.scores import Scores, score
from index.slots import Filled
from index.slotted_items import SlottedItems, Wanted
from model.data.distance import ScoreWeights
from model.data.latents import Latents

FEW = 64  # up to so many items are all scored, without a filter
FIRST, FIRST_PER_HIT = 32, 2  # items of the sieve's choice that are scored first
MOST_AT_ONCE = 1024
MOST_DISTANCES = 1 << 25  # of queries to runs that are computed at once: 128 MiB
SAMPLE = 1 << 14  # distances from which a threshold is estimated
log = logging.getLogger(__name__)


@final
class CertifiedGallery(GalleryWithLatents):
    """Search in four levels; the answer equals the oracle's unless the budget ends the search.

    1. Runs of items that follow each other in a video lie in a ball, the distance to which bounds D of all of them.
    2. The sieve bounds D by a few numbers of each item of the runs that are left. The max(2k, 32) items with the least
       bounds are scored exactly. Their k-th distance is an upper bound of the answer's; what is beyond is dropped.
    3. The others are bounded again by both blocks of p.
    4. Items are scored in the order of that bound until it passes the k-th distance.

    FAISS's kernels compute the distances of 2 and 3. p and the latents lie in files (index/slots.py), of which memory
    holds what is looked at.
    """

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents | LatentsOnDisk,
        weights: ScoreWeights,
        *,
        stamps: Int64[np.ndarray, "n"] | None = None,
        groups: Int[np.ndarray, "n"] | None = None,
        budget: int | None = None,
        before: CertifiedGallery | None = None,
        folder: Path | None = None,
        key: str = "",
    ) -> None:
        """Put n items into slots; a search scores at most max(budget, k) of them exactly.

        `stamps`: what an item has another of once its latents have changed; with them, of ids that ascend, the slots of
        `before`, a gallery of the same model, or of `folder` are used again, and the cost is that of what has changed.
        Without them `before` lends its directions alone. `groups`: numbers of the videos that the items are of.
        `folder` keeps the slots for the next start; `key` names the model.

        Raises:
            EmptyLibrary: there are no items. LibraryChanged: latents were deleted while they were read.
        """
        super().__init__(ids, latents, weights)
        if budget is not None and budget < 1:
            raise ValueError(f"a budget of {budget} items given, at least 1 or None expected")
        self.budget = budget
        wanted = Wanted(
            ids,
            stamps,
            latents,
            weights,
            np.arange(len(ids)) // LONGEST_RUN if groups is None else groups,
            f"{key} {weights} {self.widths}",
        )
        self._items: SlottedItems = wanted.provided(None if before is None else before._items, folder)
        self.directions: Directions = self._items.slots.directions
        self._prefilter, self._rounding = self.directions.prefilter, self.directions.rounding
        self._filled, self._slot_of_row = self._items.filled, self._items.slot_of_row
        self._in_order = np.array_equal(self._slot_of_row, np.arange(len(self._filled)))
        rows = np.full(len(self._filled), -1)
        rows[self._slot_of_row] = np.arange(len(ids))
        self._row_of_slot: Int64[np.ndarray, "slots"] = rows
        self._all_usable = None if self._in_order else Usable.of(rows >= 0, self._filled)
        reader = Reader(self._filled, self._items.slots.folder, latents, rows)  # no gallery is kept by a cycle
        self.latents = LatentsOnDisk(self._slot_of_row, latents.widths[0], latents.widths[2], reader.read)

    def _search(self, queries: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None) -> list[SearchResult]:
        count = len(self) if allowed is None else int(np.count_nonzero(allowed))
        if count <= max(4 * k, FEW):
            return exhaustive_each(self, queries, k, allowed)
        faiss.omp_set_num_threads(1)  # in this thread: concurrent searches are fastest with one each
        budget = count if self.budget is None else min(count, max(self.budget, k))
        blocks = [self._rounding.shortened(part) for part in self._prefilter.split(self._prefilter.project(queries))]
        norms = np.max([self._rounding.norms(block) for block in blocks], axis=0)
        packed = [self._rounding.pack(block) for block in blocks]
        short = [
            self._rounding.pack(contract(block)) for contract, block in zip(self.directions.sieve, blocks, strict=True)
        ]
        usable = self._all_usable if allowed is None else Usable.of(self._in_slots(allowed), self._filled)
        together, found = max(1, MOST_DISTANCES // self._filled.runs.count), []
        for start in range(0, len(queries), together):
            distances = self._filled.runs.distances([part[start : start + together] for part in short])
            for row, of_runs in enumerate(distances, start):
                if usable is not None:
                    of_runs[usable.runs_without] = np.inf
                parts = ([part[[row]] for part in packed], [part[[row]] for part in short])
                asked = Asked(queries[[row]], *parts, float(norms[row]), k, budget, count, usable)
                found.append(self._cascade(asked, of_runs))
        return found

    def _in_slots(self, allowed: Bool[np.ndarray, "n"]) -> Bool[np.ndarray, "slots"]:
        """Return which slots hold an allowed item."""
        if self._in_order:
            return allowed
        slots = np.zeros(len(self._filled), bool)
        slots[self._slot_of_row] = allowed
        return slots

    def _cascade(self, asked: Asked, of_runs: Float32[np.ndarray, "runs"]) -> SearchResult:
        """Answer one query, given its distances to all runs; inf marks those with nothing that is allowed."""
        blocks = len(asked.packed)
        wanted = min(max(FIRST_PER_HIT * asked.k, FIRST), asked.budget)
        near = self._slots_of(asked, nearest_rows(of_runs, min(wanted, len(of_runs))))
        near = near[nearest_rows(self._sieved(asked, near), wanted)]
        started = time.perf_counter()
        best = self._score(asked, near).nearest(asked.k)
        rerank_s = time.perf_counter() - started
        reach = self._rounding.reach(float(best.distance[-1]), asked.norm, blocks)
        left = self._slots_of(asked, np.flatnonzero(of_runs <= self._rounding.reach_of_balls(reach, blocks)))
        left = left[self._sieved(asked, left) <= reach]
        left = left[~are_among(left, np.sort(near))]
        beyond = self._rounding.beyond(float(reach), asked.norm, blocks)
        return self._prove(asked, best, len(near), left, beyond, rerank_s)

    def _prove(
        self,
        asked: Asked,
        best: Scores,
        examined: int,
        slots: Int64[np.ndarray, "m"],
        beyond: float,
        rerank_s: float,
    ) -> SearchResult:
        """Bound the items that passed the sieve, and score them in the order of their bounds until none can be nearer.

        `beyond`: the bound of all items neither examined nor in `slots`; `rerank_s`: time spent on exact scores so far.
        """
        worst = float(best.distance[-1])
        bounds = self._bounds(asked, slots)
        left = bounds <= worst  # an item strictly beyond the k-th cannot even tie
        beyond = min(beyond, float(np.min(bounds[~left], initial=np.inf)))
        slots, bounds = slots[left], bounds[left]
        order = np.argsort(bounds, kind="stable")
        slots, bounds = slots[order], bounds[order]
        budget, start, step = asked.budget - examined, 0, FEW
        while start < len(slots) and bounds[start] <= worst and start < budget:
            now = slots[start : min(start + step, budget)]
            now = now[: np.searchsorted(bounds[start : start + len(now)], worst, side="right")]
            began = time.perf_counter()
            best = Scores.concatenate([best, self._score(asked, now)]).nearest(asked.k)
            rerank_s += time.perf_counter() - began
            worst, start, step = float(best.distance[-1]), start + len(now), min(2 * step, MOST_AT_ONCE)
        bound = float(bounds[start]) if start < len(slots) else beyond
        everything = examined + start == asked.count
        certified, gap = everything or worst < bound, None if everything else bound - worst
        return self.result(best, "cascade", examined + start, rerank_s, certified=certified, bound_gap=gap)

    def _slots_of(self, asked: Asked, runs: Int64[np.ndarray, "m"]) -> Int64[np.ndarray, "_"]:
        """Return the slots of some runs that hold an allowed item, in the order of the runs."""
        slots = self._filled.runs.slots(runs)
        return slots if asked.usable is None else slots[asked.usable.slots[slots]]

    def _sieved(self, asked: Asked, slots: Int64[np.ndarray, "m"]) -> Float32[np.ndarray, "m"]:
        """Return the sums over the blocks of lower bounds of their distances, in units of scale."""
        total = np.zeros(len(slots), np.float32)
        for query, short in zip(asked.short, self._filled.short, strict=True):
            squared = squared_distances(query, short, slots)
            total += np.sqrt(squared, out=squared)
        return total

    def _bounds(self, asked: Asked, slots: Int64[np.ndarray, "m"]) -> Float64[np.ndarray, "m"]:
        """Return the sum of the blocks' lower bounds of D."""
        total = np.zeros(len(slots))
        for query, stored in zip(asked.packed, self._filled.stored, strict=True):
            total += self._rounding.lower(squared_distances(query, stored, slots), asked.norm)
        return total

    def _score(self, asked: Asked, slots: Int64[np.ndarray, "m"]) -> Scores:
        return score(asked.query, self.ids, self.latents, self.weights, self._row_of_slot[slots])


@dataclass(frozen=True, eq=False)
class Asked:
    """Hold a question: the query, the blocks of its p as stored, and contracted for the sieve; norm, k, and limits.

    `norm`: that of the longest block. `budget`: how many items may be scored, of `count` that are allowed.
    `usable`: where they are; None for everywhere.
    """

    query: Latents
    packed: list[Float32[np.ndarray, "1 _"]]
    short: list[Float32[np.ndarray, "1 _"]]
    norm: float
    k: int
    budget: int
    count: int
    usable: Usable | None


@dataclass(frozen=True, eq=False)
class Usable:
    """Say which slots hold an item that may be found, and which runs have none."""

    slots: Bool[np.ndarray, "slots"]
    runs_without: Bool[np.ndarray, "runs"]

    @classmethod
    def of(cls, slots: Bool[np.ndarray, "slots"], filled: Filled) -> Usable:
        """Look at the slots of each run."""
        return cls(slots, ~np.logical_or.reduceat(slots, filled.runs.starts))


@dataclass(frozen=True, eq=False)
class Reader:
    """Read the latents in slots, and damaged ones from where they came from, `given`.

    `rows`: at which row of `given` the item in each slot is.
    """

    filled: Filled
    folder: Path | None
    given: Latents | LatentsOnDisk
    rows: Int64[np.ndarray, "slots"]

    def read(self, slots: Int64[np.ndarray, "m"]) -> Latents:
        """Return them in order. LibraryChanged where damaged ones are no longer where they came from."""
        latents = self.filled.read(slots)
        if latents is None:
            log.warning("latents in %s are damaged: they are read from where they came from", self.folder)
            return self.given[self.rows[slots]]
        return latents


def squared_distances(
    query: Float32[np.ndarray, "1 width"], vectors: Float32[np.ndarray, "slots width"], slots: Int64[np.ndarray, "m"]
) -> Float32[np.ndarray, "m"]:
    """Return the squared distances of a query to some vectors, by FAISS's kernel."""
    squared = np.empty(len(slots), np.float32)
    if len(slots):
        ask = faiss.fvec_L2sqr_by_idx  # type: ignore[attr-defined]
        pointers = (faiss.swig_ptr(array) for array in (squared, query, vectors, slots))
        ask(*pointers, vectors.shape[1], 1, len(slots))
    return squared


def are_among(slots: Int64[np.ndarray, "m"], others: Int64[np.ndarray, "o"]) -> Bool[np.ndarray, "m"]:
    """Say which slots are among others, which ascend and are at least one; np.isin takes longer for few."""
    return np.asarray(others[np.minimum(np.searchsorted(others, slots), len(others) - 1)] == slots)


def nearest_rows(distances: Float32[np.ndarray, "n"], wanted: int) -> Int64[np.ndarray, "wanted"]:
    """Return the rows of the least distances; of many rows, by a threshold estimated from a part of them."""
    part = distances[:: max(1, len(distances) // SAMPLE)]
    position = min(len(part) - 1, 2 * wanted * len(part) // len(distances) + 4)
    rows = np.flatnonzero(distances <= np.partition(part, position)[position])
    if len(rows) < wanted:  # the part was unlucky
        rows = np.arange(len(distances))
    return rows[np.argpartition(distances[rows], wanted - 1)[:wanted]]
