"""An index in pieces that never change: a gallery takes over those of the one before it, and makes what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64

from index.approximate_gallery import BLOCK_ROWS, Allowed, Packed, enough
from index.gallery import GalleryInMemory
from index.gpu_index import MOST, GpuIndex
from index.ivf_gallery import lists_to_search
from model.data.latents import Latents

PIECE_ROWS = 1 << 18  # items: 202 MB at 193 numbers each, and 2,048 lists, all of which FAISS can search on a GPU
LEAST_LEFT = 0.75  # of the items of a piece; with less it is made anew


@dataclass(frozen=True, eq=False)
class Piece:
    """Hold an index, and at which row of the gallery each of its vectors is; -1 for one that is gone."""

    index: GpuIndex
    rows: Int64[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def left(self) -> Bool[np.ndarray, "n"]:
        """Say which vectors are still in the gallery."""
        return self.rows >= 0

    @cached_property
    def count_left(self) -> int:
        """Return how many vectors are still in the gallery."""
        return int(np.count_nonzero(self.left))

    def nearest(self, packed: Packed, m: int, allowed: Allowed) -> Nearest:
        """Find about m allowed ones. Raises DeviceError."""
        wanted = self.left if allowed is None else self.left & allowed[self.rows]
        count = self.count_left if allowed is None else int(np.count_nonzero(wanted))
        if count == 0:
            return Nearest.none(len(packed))
        asked = min(len(self), m if count == len(self) else enough(m, wanted, MOST))
        lists = min(MOST, lists_to_search(len(self), asked, len(self))) if self.index.divided else 0
        distances, found = self.index.nearest(packed, asked, lists=lists)
        hit = (found >= 0) & wanted[found]
        reach = np.where((found[:, -1] >= 0) & (asked < len(self)), distances[:, -1], np.float32(np.inf))
        return Nearest(np.where(hit, distances, np.float32(np.inf)), np.where(hit, self.rows[found], -1), reach)


@dataclass(frozen=True, eq=False)
class Nearest:
    """Hold distances and the gallery's rows of what was found for each query; row -1, infinitely far, is nothing.

    `reach`: the distance within which nothing that is allowed is missing, as far as lists were searched.
    """

    distances: Float32[np.ndarray, "q found"]
    rows: Int64[np.ndarray, "q found"]
    reach: Float32[np.ndarray, "q"]

    @classmethod
    def none(cls, queries: int) -> Nearest:
        """Return that there is nothing to find."""
        empty = np.empty((queries, 0), np.float32)
        return cls(empty, empty.astype(np.int64), np.full(queries, np.inf, np.float32))

    @staticmethod
    def of_all(parts: Sequence[Nearest], m: int) -> list[Int64[np.ndarray, "_"]]:
        """Return, for each query, the rows of the m nearest of what the pieces found, within the reach of them all.

        What lies beyond is left out, for something nearer may be missing there.
        """
        distances = np.concatenate([part.distances for part in parts], axis=1)
        rows = np.concatenate([part.rows for part in parts], axis=1)
        distances[distances > np.min([part.reach for part in parts], axis=0)[:, np.newaxis]] = np.inf
        if rows.shape[1] > m:
            nearest = np.argpartition(distances, m - 1, axis=1)[:, :m]
            distances, rows = np.take_along_axis(distances, nearest, 1), np.take_along_axis(rows, nearest, 1)
        return [one[far < np.inf] for one, far in zip(rows, distances, strict=True)]


@dataclass(frozen=True, eq=False)
class Change:
    """Hold at which row each item of an earlier gallery is now, -1 for one that is gone, and which rows are new."""

    moved: Int64[np.ndarray, "before"]
    new: Int64[np.ndarray, "new"]

    @classmethod
    def since(cls, before: GalleryInMemory | None, ids: Int64[np.ndarray, "n"], latents: Latents) -> Change:
        """Find the items of an earlier gallery among n of now, at least one, by id and latents; None has no item.

        The generated pair is a function of mu, and is not compared.
        """
        if before is None:
            return cls(np.empty(0, np.int64), np.arange(len(ids)))
        order = np.argsort(ids, kind="stable")
        rows = order[np.minimum(np.searchsorted(ids, before.ids, sorter=order), len(ids) - 1)]
        there = ids[rows] == before.ids
        for start in range(0, len(rows), BLOCK_ROWS):
            here = slice(start, start + BLOCK_ROWS)
            for now, was in ((latents.mu, before.latents.mu), (latents.sigma, before.latents.sigma)):
                there[here] &= (now[rows[here]] == was[here]).all(axis=1)
        new = np.ones(len(ids), bool)
        new[rows[there]] = False
        return cls(np.where(there, rows, -1), np.flatnonzero(new))

    def __len__(self) -> int:
        return len(self.new) + int(np.count_nonzero(self.moved < 0))

    def carried(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Return pieces of the earlier gallery with the rows of now."""
        return [Piece(piece.index, np.where(piece.left, self.moved[piece.rows], -1)) for piece in pieces]


def plan(pieces: Sequence[Piece], n: int) -> tuple[list[Piece], list[Int64[np.ndarray, "_"]]]:
    """Return which of these pieces of a gallery of n items stay, and the rows of those to make.

    A piece that has lost too much is made anew, and so are pieces that are no larger than what is added: as a library
    grows each item is copied a few times, and the number of small pieces grows with the logarithm of their size.
    """
    kept = sorted((piece for piece in pieces if piece.count_left >= LEAST_LEFT * len(piece)), key=len, reverse=True)
    new = np.ones(n, bool)
    for piece in kept:
        new[piece.rows[piece.left]] = False
    while kept and len(kept[-1]) < PIECE_ROWS and len(kept[-1]) <= np.count_nonzero(new):
        last = kept.pop()
        new[last.rows[last.left]] = True
    rows = np.flatnonzero(new)
    return kept, [rows[at : at + PIECE_ROWS] for at in range(0, len(rows), PIECE_ROWS)]
