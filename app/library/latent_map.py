"""A library's latents on a plane: t-SNE of the means, and the clusters that the map shows."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt64

from app.library.kept_maps import KeptMap, KeptMaps
from app.library.one_at_a_time import OneAtATime
from app.library.session import Session
from index.latents_on_disk import blocks_of
from index.records import LatentTable
from model.errors import EmptyLibrary, FigureError, LibraryBusy, MapBusy, Unmappable
from model.figures.embedding import NEIGHBOUR, Clustering, find_clusters
from model.modality import MODALITIES, Modality

Mapped = Literal[Modality, "both"]
FEWEST = NEIGHBOUR + 1  # points that have a k-distance
MOST_WAITING = 4  # requests beside the one that computes
TRIES = 3  # to read both modalities while others write
# Whose distance decides on a cluster: in a large map not that of another second of the same video.
FEW, MOST_NEIGHBOUR = 100, 20
BLOCK_ROWS = 4096  # of latents that are read from the disk at a time
MOST_JOINED = 0.25  # of a map's points; beyond that it is drawn anew
Arranged = tuple[Float64[np.ndarray, "n 2"], Clustering]
Arrange = Callable[[Float32[np.ndarray, "n d"], Float64[np.ndarray, "n 2"], int], Arranged]


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
    """Hold the items' positions, in the order of `items`, their clusters, and of how many latents they are a sample.

    `joined`: how many of them have joined since the map was drawn.
    """

    view: View
    items: tuple[Items, ...]
    positions: Float64[np.ndarray, "n 2"]
    clustering: Clustering
    total: int
    joined: int
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
    """Draw a session's library, one map at a time; maps are kept on disk, and new seconds join them."""

    def __init__(self, session: Session, arrange: Arrange) -> None:
        """`arrange`: as `arrange_points`, perhaps in a process of its own."""
        self._session, self._arrange = session, arrange
        self._one_at_a_time = OneAtATime(MOST_WAITING, _busy)
        self._last: LatentMap | None = None

    def current(self, view: View) -> LatentMap:
        """Return the map of the library as it is; EmptyLibrary, Unmappable, MapBusy, LibraryBusy, WorkerFailure."""
        with self._one_at_a_time.take():
            last, version = self._last, self._session.library.catalogue.catalogue_version
            if last is None or (last.view, last.version) != (view, version):
                kept = KeptMaps(self._session.library.cache / "maps")
                self._last = last = draw(_tables(self._session, view.modality), view, self._arrange, kept)
            return last


def arrange_points(points: Float32[np.ndarray, "n d"], known: Float64[np.ndarray, "n 2"], seed: int) -> Arranged:
    """Return where points lie, those of a known position where they were, and the clusters of that. FigureError."""
    from model.figures.plane import place  # only the process that draws loads openTSNE

    positions = place(points, known, seed)
    return positions, find_clusters(positions, int(np.clip(len(points) // FEW, NEIGHBOUR, MOST_NEIGHBOUR)))


def draw(tables: dict[Modality, LatentTable], view: View, arrange: Arrange, kept: KeptMaps) -> LatentMap:
    """Map at most `view.points` latents of the tables, and cluster the map. Raises Unmappable, WorkerFailure."""
    started = time.perf_counter()
    total = sum(len(table.ids) for table in tables.values())
    if total < FEWEST:
        raise Unmappable(f"{total} seconds with a latent given, at least {FEWEST} expected: add footage first")
    items, keys = _sample(tables, view)
    name = f"{view.modality}-{view.points}-{view.seed}-{items[0].table.fingerprint}"
    held = kept.load(name)
    try:
        now = _arranged(np.concatenate([i.table.latents[i.rows].mu for i in items]), keys, view.seed, arrange, held)
    except FigureError as error:
        raise Unmappable(str(error)) from error
    if now is not held:
        kept.save(name, now)
    at = now.find(keys)
    clustering = Clustering(now.cluster[at], now.k_distance, float(now.eps))
    computed_ms = 1000 * (time.perf_counter() - started)
    return LatentMap(view, items, now.positions[at], clustering, total, int((~now.first).sum()), computed_ms)


def _arranged(
    points: Float32[np.ndarray, "n d"],
    keys: UInt64[np.ndarray, "n"],
    seed: int,
    arrange: Arrange,
    held: KeptMap | None,
) -> KeptMap:
    """Return the map that is held where it has these points and no others; else one that goes on from it."""
    order = np.argsort(keys)
    points, keys = points[order], keys[order]
    if held is not None and np.array_equal(held.keys, keys):
        return held
    known, first = np.full((len(keys), 2), np.nan), np.ones(len(keys), bool)
    if held is not None:
        at = held.find(keys)
        stays = (at >= 0) & held.first[at]
        if stays.mean() >= 1 - MOST_JOINED:
            known[at >= 0], first = held.positions[at[at >= 0]], stays
    positions, clustering = arrange(points, known, seed)
    return KeptMap(keys, positions, clustering.cluster, clustering.k_distance, np.array(clustering.eps), first)


def _sample(tables: dict[Modality, LatentTable], view: View) -> tuple[tuple[Items, ...], UInt64[np.ndarray, "n"]]:
    """Return what is mapped, and the key of each point. A second keeps its place in the lot when others are added."""
    parts = [_keys(modality, table, view.seed) for modality, table in tables.items()]
    keys = np.concatenate(parts)
    chosen = np.sort(np.argsort(keys, kind="stable")[: view.points])
    firsts = np.cumsum([0, *map(len, parts)])
    rows = np.split(chosen, np.searchsorted(chosen, firsts[1:-1]))
    items = zip(tables.items(), rows, firsts[:-1], strict=True)
    return tuple(Items(modality, table, row - first) for (modality, table), row, first in items), keys[chosen]


def _keys(modality: Modality, table: LatentTable, seed: int) -> UInt64[np.ndarray, "n"]:
    """Return what each point is known by, which is also its lot: the hash of the second and its latent."""
    salt = seed.to_bytes(8, "big")
    digests = [
        hashlib.blake2b(f"{modality} {video} {start} ".encode() + mu.tobytes(), digest_size=8, salt=salt).digest()
        for rows, latents in blocks_of(table.latents, BLOCK_ROWS)
        for video, start, mu in zip(
            table.video_ids_at(rows).tolist(), table.start_s[rows].tolist(), latents.mu, strict=True
        )
    ]
    return np.frombuffer(b"".join(digests), np.uint64)


def _tables(session: Session, mapped: Mapped) -> dict[Modality, LatentTable]:
    """Return the latents of one catalogue version."""
    if mapped != "both":
        return {mapped: session.table(mapped)}
    for _ in range(TRIES):
        tables = _tables_of_both(session)
        if len({table.catalogue_version for table in tables.values()}) == 1:
            return tables
    raise LibraryBusy("the library changed while it was read, three times over: map it when nothing is being written")


def _tables_of_both(session: Session) -> dict[Modality, LatentTable]:
    """Return what there is: footage may have no sound, or no picture. Raises EmptyLibrary where there is neither."""
    tables: dict[Modality, LatentTable] = {}
    for modality in MODALITIES:
        try:
            tables[modality] = session.table(modality)
        except EmptyLibrary:
            if modality == MODALITIES[-1] and not tables:
                raise
    return tables


def _busy() -> MapBusy:
    return MapBusy(f"a map is being computed and {MOST_WAITING} more are asked for: ask again in a minute")
