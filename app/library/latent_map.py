"""A library's latents on a plane: t-SNE of the means, and the clusters that the map shows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from app.library.one_at_a_time import OneAtATime
from app.library.session import Session
from index.records import LatentTable
from model.errors import FigureError, LibraryBusy, MapBusy, Unmappable
from model.figures.embedding import NEIGHBOUR, Clustering, find_clusters, project
from model.modality import MODALITIES, Modality

Mapped = Literal[Modality, "both"]
FEWEST = NEIGHBOUR + 1  # points that have a k-distance
MOST_WAITING = 4  # requests beside the one that computes
TRIES = 3  # to read both modalities while others write


@dataclass(frozen=True)
class View:
    """Choose what is mapped: at most `points` latents, of which a larger library gives a sample by `seed`."""

    modality: Mapped = "both"
    points: int = 2000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Items:
    """Hold a modality's table and the rows of it that are mapped."""

    modality: Modality
    table: LatentTable
    rows: Int64[np.ndarray, "m"]


@dataclass(frozen=True, eq=False)
class LatentMap:
    """Hold the items' positions, in the order of `items`, their clusters, and of how many latents they are a sample."""

    view: View
    items: tuple[Items, ...]
    positions: Float64[np.ndarray, "n 2"]
    clustering: Clustering
    total: int
    computed_ms: float

    @property
    def version(self) -> int:
        """Return the catalogue version that is drawn."""
        return self.items[0].table.catalogue_version

    @property
    def fingerprint(self) -> str | None:
        """Return the model whose latents are drawn."""
        return self.items[0].table.fingerprint


class LatentMaps:
    """Draw a session's library, one map at a time; the last one is kept as long as the library does not change."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._one_at_a_time = OneAtATime(MOST_WAITING, _busy)
        self._last: LatentMap | None = None

    def current(self, view: View) -> LatentMap:
        """Return the map of the library as it is; EmptyLibrary, Unmappable, MapBusy, LibraryBusy."""
        with self._one_at_a_time.take():
            last, version = self._last, self._session.library.catalogue.catalogue_version
            if last is None or (last.view, last.version) != (view, version):
                self._last = last = draw(_tables(self._session, view.modality), view)
            return last


def draw(tables: dict[Modality, LatentTable], view: View) -> LatentMap:
    """Map at most `view.points` latents of the tables, and cluster the map. Raises Unmappable."""
    started = time.perf_counter()
    sizes = [len(table.ids) for table in tables.values()]
    total = sum(sizes)
    if total < FEWEST:
        raise Unmappable(f"{total} seconds with a latent given, at least {FEWEST} expected: add footage first")
    chosen = np.arange(total)
    if total > view.points:
        chosen = np.sort(np.random.default_rng(view.seed).choice(total, view.points, replace=False))
    parts = np.split(chosen, np.searchsorted(chosen, np.cumsum(sizes)[:-1]))
    firsts = np.cumsum([0, *sizes])
    items = tuple(
        Items(modality, table, part - first)
        for (modality, table), part, first in zip(tables.items(), parts, firsts[:-1], strict=True)
    )
    try:
        positions = project(np.concatenate([i.table.latents.mu[i.rows] for i in items]), view.seed)
    except FigureError as error:
        raise Unmappable(str(error)) from error
    return LatentMap(view, items, positions, find_clusters(positions), total, 1000 * (time.perf_counter() - started))


def _tables(session: Session, mapped: Mapped) -> dict[Modality, LatentTable]:
    """Return the latents of one catalogue version."""
    if mapped != "both":
        return {mapped: session.table(mapped)}
    for _ in range(TRIES):
        tables = {modality: session.table(modality) for modality in MODALITIES}
        if len({table.catalogue_version for table in tables.values()}) == 1:
            return tables
    raise LibraryBusy("the library changed while it was read, three times over: map it when nothing is being written")


def _busy() -> MapBusy:
    return MapBusy(f"a map is being computed and {MOST_WAITING} more are asked for: ask again in a minute")
