"""The coarsest level of certified search: balls round runs of items that follow each other in a video."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int, Int64

from index.rounding import Rounding

LONGEST_RUN = 10  # items
NUMBERS = 1 << 18  # distances computed at a time: 1 MiB, which stays in a core's cache
ROOM = 1.25  # how much more than is needed is allocated
RADIUS_MARGIN = 1 + 2.0**-22  # float32 rounds a radius by less


class Run(NamedTuple):
    """Say where the numbers of a run lie in its row: first how many items it has, then each block's ball."""

    radius: int
    centre: slice

    @staticmethod
    def layout(widths: tuple[int, ...]) -> tuple[Run, ...]:
        """Return where the balls of blocks of so many numbers lie."""
        starts = np.cumsum([1, *(1 + width for width in widths)]).tolist()
        return tuple(Run(at, slice(at + 1, at + 1 + width)) for at, width in zip(starts, widths, strict=False))

    @staticmethod
    def width(widths: tuple[int, ...]) -> int:
        """Return how many numbers a row has."""
        return 1 + sum(1 + width for width in widths)


class Runs:
    """Hold the balls of all runs, in columns for matrix products; those that are there never change.

    |c|^2 + |q|^2 - 2 c.q of all pairs is one product of the columns [c ; |c|^2]. Items follow each other as runs do.
    """

    def __init__(self, widths: tuple[int, ...], before: Runs | None, rows: Float32[np.ndarray, "m width"]) -> None:
        """Add the runs of these rows to those before, which keep what they are and share memory with these."""
        self._widths = widths
        held: int = 0 if before is None else before.count
        self.count: int = held + len(rows)
        room = None if before is None else before._room
        if room is None or room.used != held or self.count > room.radii.shape[1]:
            room = _Room(widths, int(ROOM * self.count) + LONGEST_RUN)
            if before is not None:
                room.copy(before._room, held)
        room.used = self.count
        self._room: _Room = room
        here = slice(held, self.count)
        for i, place in enumerate(Run.layout(widths)):
            centres = rows[:, place.centre]
            room.columns[i][:-1, here] = centres.T
            room.columns[i][-1, here] = Rounding.uncancelled((centres.astype(np.float64) ** 2).sum(1), widths[i])
            room.radii[i, here] = rows[:, place.radius]
        room.lengths[here] = rows[:, 0]
        first = int(room.starts[held - 1] + room.lengths[held - 1]) if held else 0
        room.starts[here] = first + np.cumsum(room.lengths[here]) - room.lengths[here]

    @property
    def starts(self) -> Int64[np.ndarray, "runs"]:
        """Return the first slot of each run."""
        return self._room.starts[: self.count]

    def slots(self, runs: Int64[np.ndarray, "m"]) -> Int64[np.ndarray, "_"]:
        """Return the slots of some runs, run by run."""
        lengths = self._room.lengths[runs]
        ends = np.cumsum(lengths)
        begin = self._room.starts[runs] - (ends - lengths)
        return np.asarray(np.arange(lengths.sum()) + np.repeat(begin, lengths))

    def distances(self, queries: list[Float32[np.ndarray, "q _"]]) -> Float32[np.ndarray, "q runs"]:
        """Return the sums over the blocks of lower bounds of their distances to all that is in a run."""
        products = [_products(*pair) for pair in zip(queries, self._widths, strict=True)]
        total, step = np.empty((len(queries[0]), self.count), np.float32), max(1, NUMBERS // len(queries[0]))
        for start in range(0, self.count, step):
            here = slice(start, min(self.count, start + step))
            for i, (query, squared) in enumerate(products):
                far = query @ self._room.columns[i][:, here]
                far += squared
                np.sqrt(np.maximum(far, 0, out=far), out=far)
                far -= self._room.radii[i, here]
                np.maximum(far, 0, out=far)
                if i == 0:
                    total[:, here] = far
                else:
                    total[:, here] += far
        return total


class _Room:
    """Hold the arrays of runs, and how many of their columns are in use."""

    def __init__(self, widths: tuple[int, ...], capacity: int) -> None:
        self.columns = [np.empty((width + 1, capacity), np.float32) for width in widths]
        self.radii = np.empty((len(widths), capacity), np.float32)
        self.starts, self.lengths = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
        self.used = 0

    def copy(self, other: _Room, count: int) -> None:
        """Take over the first columns of another."""
        for mine, theirs in zip(self._arrays, other._arrays, strict=True):
            mine[..., :count] = theirs[..., :count]

    @property
    def _arrays(self) -> list[np.ndarray]:
        return [*self.columns, self.radii, self.starts, self.lengths]


def _products(
    query: Float32[np.ndarray, "q width"], width: int
) -> tuple[Float32[np.ndarray, "q width_and_one"], Float32[np.ndarray, "q 1"]]:
    """Return [-2 q, 1] and |q|^2, of which the products and sums are lower bounds of squared distances."""
    squared = Rounding.uncancelled((query.astype(np.float64) ** 2).sum(axis=1), width)[:, np.newaxis]
    return np.concatenate([-2 * query, np.ones_like(squared)], axis=1, dtype=np.float32), squared.astype(np.float32)


def lengths_of(groups: Int[np.ndarray, "m"]) -> Int64[np.ndarray, "runs"]:
    """Return how many items each run has, where neighbours with the same number belong together.

    Those that belong together are divided into as few runs as LONGEST_RUN allows, of lengths that differ by one.
    """
    edges = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1, append=groups[-1:] + 1))
    together = np.diff(edges)
    parts = -(-together // LONGEST_RUN)
    number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)  # of a run among those of its group
    whole, count = np.repeat(together, parts), np.repeat(parts, parts)
    return np.asarray((number + 1) * whole // count - number * whole // count, np.int64)


def balls_round(
    blocks: list[Float32[np.ndarray, "m _"]], lengths: Int64[np.ndarray, "runs"]
) -> Float32[np.ndarray, "runs width"]:
    """Return the row of each run: the balls that hold the blocks of its items."""
    widths = tuple(block.shape[1] for block in blocks)
    rows = np.empty((len(lengths), Run.width(widths)), np.float32)
    rows[:, 0] = lengths
    starts = np.cumsum(lengths) - lengths
    for place, block in zip(Run.layout(widths), blocks, strict=True):
        exact: Float64[np.ndarray, "m _"] = block.astype(np.float64)
        rows[:, place.centre] = np.add.reduceat(exact, starts, axis=0) / lengths[:, np.newaxis]
        exact -= np.repeat(rows[:, place.centre], lengths, axis=0)
        squared = np.maximum.reduceat(np.einsum("nd,nd->n", exact, exact), starts)
        rows[:, place.radius] = np.sqrt(squared) * RADIUS_MARGIN + 2.0**-120
    return rows
