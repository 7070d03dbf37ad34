"""The latents of a catalogue: of the model that serves, and, while another is swapped in, of that one beside them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import numpy as np
from jaxtyping import Int64, UInt8

from index.changes import EVERY_VIDEO, count_change
from index.latents_on_disk import ConceptsOnDisk, LatentsOnDisk
from index.records import LatentBatch, LatentTable
from index.rows import (
    generation,
    holds_video,
    load_concepts,
    load_latents,
    meta,
    one_video,
    put_latents,
    set_meta,
    version,
    width_of,
)
from index.store import LARGEST_ID, Store
from index.table_changes import columns_since, items_since
from index.table_rows import read_concepts, read_latents
from model.data.latents import Latents
from model.errors import LibraryError
from model.modality import Modality


class StoredLatents:
    """Read the latents of a catalogue, and replace them as a whole."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def replace_latents(
        self,
        fingerprint: str | None,
        batches: Iterable[tuple[str, Modality, LatentBatch]],
        frontend: str | None = None,
    ) -> None:
        """Replace all latents by those of a new checkpoint: readers see all old or all new ones, even after a crash.

        With `frontend` the front-end changes in the same step. A fingerprint of None leaves the library untrained.
        `batches` yields (video_id, modality, items) and may be slow: each batch is written beside the old
        latents, and one last transaction replaces the old by the new. Videos that are deleted meanwhile are skipped.
        Latents that are added meanwhile are lost, so hold `Library.writer()`. If it fails, the old latents stay.
        """
        following = self._forget_unused_latents()  # of an attempt that was cut off
        try:
            for video_id, modality, batch in batches:
                with self._store.write() as c:
                    if holds_video(c, video_id):
                        put_latents(c, following, video_id, modality, batch)
            with self._store.write() as c:
                c.execute("DELETE FROM latents WHERE generation < ?", (following,))
                set_meta(c, "generation", str(following))
                set_meta(c, "fingerprint", fingerprint)
                if frontend is not None:
                    set_meta(c, "frontend", frontend)
                count_change(c, EVERY_VIDEO)
        except BaseException:
            with suppress(LibraryError):  # not even that may fit on a full disk: the next attempt does it
                self._forget_unused_latents()
            raise

    def _forget_unused_latents(self) -> int:
        """Delete the latents of generations that were never swapped in; return the number of the next one."""
        with self._store.write() as c:
            following = generation(c) + 1
            c.execute("DELETE FROM latents WHERE generation >= ?", (following,))
            return following

    def latents(self, modality: Modality) -> LatentTable:
        """Return every item of a modality that is searched, float32 as stored, and the catalogue version it is of.

        Those of videos whose files went missing are left out.
        """
        with self._store.read() as c:
            return load_latents(c, modality, "AND NOT missing", ())

    def table_on_disk(
        self, modality: Modality, before: LatentTable | None = None, beside: LatentTable | None = None
    ) -> LatentTable:
        """Return what `latents` returns, with latents and concepts that are read from the disk when they are asked for.

        `before`: such a table of an earlier version. While the log knows what changed since, only that is read, and
        arrays that stay the same are shared. `beside`: such a table of any modality, whose videos are shared.
        """
        with self._store.read() as c:
            now, number = version(c), generation(c)
            if before is not None and before.catalogue_version == now:
                return before
            latest = max((t for t in (beside, before) if t), key=lambda table: table.catalogue_version, default=None)
            if latest is None or latest.catalogue_version < now:
                columns = columns_since(c, latest)
            else:
                columns = latest.video_columns
            items = items_since(c, modality, columns, before)
            latent, pair = width_of(c, number) or (0, 0)
            of_rows = (number, modality, items.ids, items.stamps)
            return LatentTable(
                ids=items.ids,
                video_numbers=items.video_numbers,
                start_s=items.start_s,
                heard=items.heard,
                seen=items.seen,
                latents=LatentsOnDisk(items.ids, latent, pair, partial(self._read_latents, (latent, pair), *of_rows)),
                fingerprint=meta(c, "fingerprint"),
                catalogue_version=now,
                videos=columns.videos,
                concepts=ConceptsOnDisk(items.ids, items.bits, partial(self._read_concepts, *of_rows)),
                stamps=items.stamps,
                columns=columns,
            )

    def _read_latents(
        self,
        widths: tuple[int, int],
        generation: int,
        modality: Modality,
        ids: Int64[np.ndarray, "n"],
        stamps: Int64[np.ndarray, "n"],
        wanted: Int64[np.ndarray, "m"],
    ) -> Latents:
        with self._store.read() as c:
            return read_latents(c, generation, modality, wanted, stamps[np.searchsorted(ids, wanted)], widths)

    def _read_concepts(
        self,
        generation: int,
        modality: Modality,
        ids: Int64[np.ndarray, "n"],
        stamps: Int64[np.ndarray, "n"],
        wanted: Int64[np.ndarray, "m"],
    ) -> UInt8[np.ndarray, "m concepts"]:
        with self._store.read() as c:
            return read_concepts(c, generation, modality, wanted, stamps[np.searchsorted(ids, wanted)])

    def latents_of(self, video_id: str, modality: Modality, stretch: tuple[int, int] = (0, LARGEST_ID)) -> LatentTable:
        """Return a video's items of a modality, of the seconds [start, stop); NotFound if there is no such video."""
        with self._store.read() as c:
            one_video(c, video_id)
            condition = "AND segments.video_id = ? AND start_s >= ? AND start_s < ?"
            return load_latents(c, modality, condition, (video_id, *stretch))

    def latent_of(self, segment_id: int, modality: Modality) -> LatentTable:
        """Return one segment's item of a modality; empty if there is no such segment or it has no latent."""
        with self._store.read() as c:
            return load_latents(c, modality, "AND segments.segment_id = ?", (segment_id,))

    def concepts_of(self, video_id: str, modality: Modality) -> dict[int, UInt8[np.ndarray, "concepts"]]:
        """Return the concepts of a video's seconds in a modality, of those that have any, by segment id."""
        with self._store.read() as c:
            return load_concepts(c, video_id, modality)
