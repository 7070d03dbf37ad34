"""The query: a file, or a second of the library, that is searched or imagined by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Bool, Float

from app.library.session import Session
from app.media.decoding import Decoded, Track, decode_query, in_memory
from app.media.upload import SmallUpload
from app.processes.decoder import Call
from app.queries.encoding import Encoding
from app.queries.reasons import strengths_of
from app.queries.work import Answered, Serving, Work
from model.data.latents import Latents
from model.errors import LibraryChanged, QueryError
from model.media.medium import Limits
from model.modality import Modality

MOST_TEXT = 1000  # characters
MOST_HARMLESS_BYTES = 256 * 1024  # of a sound: a few seconds, of which a few milliseconds make features


@dataclass(frozen=True, eq=False)
class EncodedQuery:
    """Hold one row of latents to search by, and the modality that it was read from.

    `concepts`: how strong each is in it, 0..1; None without a prior. `having`: which items have the wanted concept.
    `video_id`: the video of a second of the library.
    """

    modality: Modality
    latents: Latents
    concepts: Float[np.ndarray, "concepts"] | None = None
    having: Bool[np.ndarray, "n"] | None = None
    video_id: str | None = None

    @property
    def uncertainty(self) -> float:
        """Return the mean standard deviation of the query's posterior."""
        return float(self.latents.sigma.mean())


@dataclass(frozen=True, eq=False)
class Query:
    """Name a file or a second of the library, and by which modality and second of it to ask; or give words, `text`.

    `audio_track`: which sound track of the file, counted from 1; None for the default one. `track`: the features of the
    file. `notes`: what a person should know of how it was read.
    """

    file: Path | SmallUpload | None = None
    segment_id: int | None = None
    modality: Modality | None = None
    at_s: float | None = None
    length_s: float | None = None
    track: Track | None = None
    text: str | None = None
    audio_track: int | None = None
    notes: tuple[str, ...] = ()


class QueryWork(Work[EncodedQuery, Answered]):
    """A question that is asked by one query."""

    query: Query

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of how the file was read."""
        return self.query.notes

    def check(self) -> None:
        """Refuse what is no query. Raises QueryError."""
        query = self.query
        if query.at_s is not None and not 0 <= query.at_s < math.inf:
            raise QueryError(f"at_s={query.at_s} given, a finite number of at least 0 expected")
        if sum(given is not None for given in (query.file, query.segment_id, query.text)) != 1:
            raise QueryError(
                "give either a file or a segment_id as the query, or a text to search by, and one of them only"
            )
        if query.text is not None and not 1 <= len(query.text.strip()) <= MOST_TEXT:
            raise QueryError(
                f"a text of {len(query.text)} characters given, 1 to {MOST_TEXT} expected: "
                "write what is heard or seen, such as: dog barking"
            )
        if query.text is not None and (query.at_s is not None or query.modality is not None):
            raise QueryError("a text given with at_s or query_modality, which are of files: leave those out")
        if query.length_s is not None and query.file is None:
            raise QueryError(
                f"length_s={query.length_s} given without a file, of which it is a stretch: send one, or leave it out"
            )
        if query.audio_track is not None and query.file is None:
            raise QueryError(
                f"audio_track={query.audio_track} given without a file, whose sound tracks it counts: leave it out"
            )

    def decoding(self, limits: Limits) -> Call[Decoded] | None:
        """Return how the file is decoded, if it is one. The call raises MediaError, QueryError."""
        query = self.query
        if query.file is None:
            return None
        args = (query.file, limits, query.at_s, query.modality, query.audio_track, query.length_s)
        if not isinstance(query.file, SmallUpload):
            return Call(decode_query, args)
        is_short = len(query.file.content) <= MOST_HARMLESS_BYTES
        is_harmless = is_short and in_memory(query.file, limits, query.audio_track) is not None
        return Call(decode_query, args, is_small=True, is_harmless=is_harmless)

    def decoded(self, decoded: Decoded) -> Self:
        """Return the question with the file's features in place of the file."""
        query = replace(self.query, file=None, audio_track=None, track=decoded.query, notes=decoded.notes)
        return replace(self, query=query)  # type: ignore[type-var]

    def encodings(self, serving: Serving) -> list[Encoding]:
        """Return what is to be encoded: one row for all seconds of a file, nothing for a second of the library."""
        track = self.query.track
        return [] if track is None else [Encoding(serving.encoder, track, as_one=True)]

    def encoded(self, session: Session, serving: Serving, latents: Sequence[Latents]) -> EncodedQuery:
        """Return the latents of the file, or those that the library has.

        Raises NotFound, LibraryChanged, QueryError.
        """
        track, prior = self.query.track, serving.prior
        if track is not None:
            concepts = None if prior is None else Encoding(serving.encoder, track).strengths(prior)
            return EncodedQuery(track.modality, latents[0], concepts)
        segment_id, catalogue = self.query.segment_id, session.library.catalogue
        assert segment_id is not None, "checked before"
        segment = catalogue.segment(segment_id)
        modality: Modality = self.query.modality or ("audio" if segment.heard else "visual")
        table, fingerprint = catalogue.latent_of(segment_id, modality), serving.encoder.fingerprint
        if table.fingerprint != fingerprint:  # newer than what is searched, of which there may be a gallery
            table = session.gallery(modality).table
        if table.fingerprint != fingerprint:
            raise LibraryChanged("the library was encoded anew just now: ask again")
        rows = np.flatnonzero(table.ids == segment_id)
        if not len(rows):
            raise QueryError(f"segment {segment_id} has no {modality} latent: ask by its other modality")
        concepts = None if prior is None else strengths_of(prior, table.concepts[rows])[0]
        return EncodedQuery(modality, table.latents[rows], concepts, video_id=segment.video_id)
