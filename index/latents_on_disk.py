"""What a table of many items leaves on the disk: their latents and concepts, read by row when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Int64, UInt8

from model.data.latents import Latents
from model.errors import LibraryError

MOST_BYTES = 1 << 30  # read at once
NUMBER_BYTES = 4  # of float32
PRESENT = 128  # of 255: from this strength on an item has a concept

Rows = slice | Int[np.ndarray, "m"] | list[int]


@dataclass(frozen=True, eq=False)
class LatentsOnDisk:
    """Read the latents of n items of a catalogue by row. `latent`, `pair`: how many numbers they have.

    `read` returns those of some ids, in order. It raises LibraryChanged where one was deleted or written anew since.
    """

    ids: Int64[np.ndarray, "n"]
    latent: int
    pair: int
    read: Callable[[Int64[np.ndarray, "m"]], Latents]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Rows) -> Latents:
        """Return the chosen rows. LibraryError if they are so many that memory might not hold them."""
        return self.read(_few(self.ids[rows], NUMBER_BYTES * sum(self.widths)))

    @property
    def widths(self) -> tuple[int, int, int]:
        """Return how many numbers mu, sigma and the generated pair have."""
        return self.latent, self.latent, self.pair


@dataclass(frozen=True, eq=False)
class ConceptsOnDisk:
    """Hold for n items which concepts each has, a bit each; read how strongly by row, as `LatentsOnDisk`.

    `bits`: no columns where no item ever had any. An item that was deleted or written anew since has none.
    """

    ids: Int64[np.ndarray, "n"]
    bits: UInt8[np.ndarray, "n bytes"]
    read: Callable[[Int64[np.ndarray, "m"]], UInt8[np.ndarray, "m concepts"]]

    def __getitem__(self, rows: Rows) -> UInt8[np.ndarray, "m concepts"]:
        return self.read(_few(self.ids[rows], 8 * self.bits.shape[1]))

    def present_in(self, column: int) -> Bool[np.ndarray, "n"]:
        """Return which items have a concept."""
        if column >= 8 * self.bits.shape[1]:
            return np.zeros(len(self.ids), bool)
        return np.asarray(self.bits[:, column // 8] & (PRESENT >> column % 8), bool)


def unchanged(
    ids: Int64[np.ndarray, "n"],
    stamps: Int64[np.ndarray, "n"],
    before_ids: Int64[np.ndarray, "before"],
    before_stamps: Int64[np.ndarray, "before"],
) -> tuple[Int64[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Return at which row each item was before, and whether it was there with this stamp; `before_ids` ascend."""
    if not len(before_ids):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
    rows = np.minimum(np.searchsorted(before_ids, ids), len(before_ids) - 1)
    return rows, (before_ids[rows] == ids) & (before_stamps[rows] == stamps)


def blocks_of(
    items: Latents | LatentsOnDisk, size: int, rows: Int64[np.ndarray, "m"] | None = None
) -> Iterator[tuple[Int64[np.ndarray, "b"], Latents]]:
    """Yield rows and their latents, at most `size` at a time; all rows for None, and views of latents in memory."""
    if rows is None:
        for start in range(0, len(items), size):
            end = min(len(items), start + size)
            yield np.arange(start, end), items[start:end]
        return
    for start in range(0, len(rows), size):
        chosen = rows[start : start + size]
        yield chosen, items[chosen]


def _few(ids: Int64[np.ndarray, "m"], row_bytes: int) -> Int64[np.ndarray, "m"]:
    most = MOST_BYTES // max(1, row_bytes)
    if len(ids) > most:
        raise LibraryError(
            f"the latents of {len(ids):,} seconds asked for, at most {most:,} at once expected, since this index "
            "keeps them out of memory: ask about fewer, or choose an index that holds them with ECHOLENS_INDEX"
        )
    return ids
