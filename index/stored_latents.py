"""The latents of a catalogue: of the model that serves, and, while another is swapped in, of that one beside them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import numpy as np
from jaxtyping import UInt8

from index.records import LatentBatch, LatentTable
from index.rows import (
    count_change,
    generation,
    holds_video,
    load_concepts,
    load_latents,
    one_video,
    put_latents,
    set_meta,
)
from index.store import LARGEST_ID, Store
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
                count_change(c)
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
