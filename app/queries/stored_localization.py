"""Localization in a video of the library, by the latents that it has: nothing of it is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.library.features import kept_stretch
from app.library.session import Session
from app.media.decoding import DIRECTIONS, MOST_TARGET_S, Decoded, Direction, decode_second_file
from app.media.timings import Timings
from app.media.upload import SmallUpload
from app.processes.decoder import Call
from app.queries.encoding import Encoding
from app.queries.windows import Located, Seconds, locate, spanned
from app.queries.work import Serving, Work
from index.gallery import SearchResult
from index.records import Video
from model.data.latents import Latents
from model.errors import LibraryChanged, NoPicture, QueryError, Silent
from model.media.medium import Limits
from model.modality import Modality

Found = tuple[Seconds, Seconds, str]  # the query's, the target's, and the video's name


@dataclass(frozen=True, eq=False)
class StoredLocalization(Work[Found, Located]):
    """Ask where in the seconds [from_s, from_s + length_s) of a video; to its end, at most 60 s, without a length.

    The query is a stretch of the same video, another second of the library, or a file; `features`: of the file.
    """

    video_id: str
    direction: Direction
    from_s: int = 0
    length_s: int | None = None
    query_start_s: int | None = None
    query_length_s: int | None = None
    query_segment_id: int | None = None
    query: Path | SmallUpload | None = None
    query_audio_track: int | None = None
    features: Decoded | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what was lost of the query's file, or left aside."""
        return () if self.features is None else self.features.notes

    def check(self) -> None:
        """Refuse what makes no sense. Raises QueryError."""
        stretch = (self.query_start_s, self.query_length_s)
        ways = (stretch != (None, None), self.query_segment_id is not None, self.query is not None)
        if sum(ways) != 1 or (ways[0] and None in stretch):
            raise QueryError(
                "one query expected: query_start_s and query_length_s, or query_segment_id, or a second file as query"
            )
        if self.from_s < 0 or not _fits(self.length_s):
            raise QueryError(
                f"the stretch from_s={self.from_s}, length_s={self.length_s} given, one of 1 to {MOST_TARGET_S} s from "
                "0 on expected: ask about a part of a long video"
            )
        if self.query_start_s is not None and (self.query_start_s < 0 or not _fits(self.query_length_s)):
            raise QueryError(
                f"the query query_start_s={self.query_start_s}, query_length_s={self.query_length_s} given, one of 1 "
                f"to {MOST_TARGET_S} s from 0 on expected"
            )

    def decoding(self, limits: Limits) -> Call[Decoded] | None:
        """Return how the query's file is decoded, if it is one."""
        if self.query is None:
            return None
        modality, _ = DIRECTIONS[self.direction]
        longest_s = self.length_s or MOST_TARGET_S
        return Call(decode_second_file, (self.query, modality, limits, longest_s, self.query_audio_track))

    def decoded(self, decoded: Decoded) -> StoredLocalization:
        """Return the question with the features of the query's file."""
        return replace(self, query=None, features=decoded)

    def encodings(self, serving: Serving) -> list[Encoding]:
        """Return the file's seconds, if a file is the query."""
        return [] if self.features is None else [Encoding(serving.encoder, self.features.query)]

    def encoded(self, session: Session, serving: Serving, latents: Sequence[Latents]) -> Found:
        """Return the query's seconds and those to search in.

        Raises NotFound, QueryError, MediaError, LibraryChanged.
        """
        catalogue = session.library.catalogue
        video = catalogue.video(self.video_id)
        asked_by, looked_for = DIRECTIONS[self.direction]
        whole = range(catalogue.end_s(self.video_id))
        searched = range(self.from_s, min(len(whole), self.from_s + (self.length_s or MOST_TARGET_S)))
        if not searched:
            raise QueryError(f"from_s={self.from_s} given, but {video.file_name} ends at {len(whole)} s")
        target = self._stored(session, serving, video, looked_for, searched)
        if self.features is not None:
            start_s = self.features.query.start_s
            return Seconds(asked_by, spanned(start_s), start_s, latents[0]), target, video.file_name
        if self.query_segment_id is not None:
            row = catalogue.segment(self.query_segment_id)
            of, asked = catalogue.video(row.video_id), range(row.start_s, row.start_s + 1)
        else:
            assert self.query_start_s is not None, "checked before"
            assert self.query_length_s is not None, "checked before"
            of, asked = video, range(self.query_start_s, self.query_start_s + self.query_length_s)
            if asked.stop > len(whole) or len(asked) > len(searched):
                raise QueryError(
                    f"the query [{asked.start}, {asked.stop}) s was given, a stretch within [0, {len(whole)}) s and no "
                    f"longer than the {len(searched)} s that are searched expected"
                )
        return self._stored(session, serving, of, asked_by, asked), target, video.file_name

    def _stored(self, session: Session, serving: Serving, video: Video, modality: Modality, stretch: range) -> Seconds:
        """Return the latents of a stretch of a video, each second taken alone."""
        table = session.library.catalogue.latents_of(video.video_id, modality, (stretch.start, stretch.stop))
        if table.fingerprint != serving.encoder.fingerprint:
            raise LibraryChanged("the library was encoded anew just now: ask again")
        if not len(table.ids):
            raise _absent(modality, f"{video.file_name}, seconds {stretch.start} to {stretch.stop},")
        order = np.argsort(table.start_s)
        start_s, latents = table.start_s[order], table.latents[order]
        checkpoint = serving.encoder.checkpoint
        if checkpoint.context.width_s:  # the library's latents are of seconds in their context, which blurs the answer
            kept = kept_stretch(session, video, checkpoint.front_end_identity, stretch)
            if kept is None or not np.isin(start_s, kept.start_s).all():
                return Seconds(modality, stretch, start_s, latents, (_blurred(video, checkpoint.context.width_s),))
            rows = kept.rows(np.isin(kept.start_s, start_s))
            latents = serving.encoder.latents(modality, rows.audio if modality == "audio" else rows.visual)
        return Seconds(modality, stretch, start_s, latents)

    def finish(self, serving: Serving, encoded: Found, found: SearchResult | None, timings: Timings) -> Located:
        """Score every window. Raises QueryError."""
        query, target, name = encoded
        located = locate(query, target, serving.encoder, name, timings)
        return replace(located, notes=tuple(dict.fromkeys(query.notes + target.notes)))


def _fits(length_s: int | None) -> bool:
    return length_s is None or 1 <= length_s <= MOST_TARGET_S


def _blurred(video: Video, width_s: int) -> str:
    return (
        f"the features of {video.file_name} are gone, so that each second was compared together with the {width_s} s "
        "around it: the answer is less sharp; encoding the library anew restores them"
    )


def _absent(modality: Modality, where: str) -> Silent | NoPicture:
    if modality == "audio":
        return Silent(f"{where} has nothing that can be heard: ask about another stretch")
    return NoPicture(f"{where} has no picture: ask about another stretch")
