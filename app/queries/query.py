"""The query: a file, or a second of the library, that is searched or imagined by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from app.library.session import Session
from app.media.decoding import Decoded, Track, decode_query
from app.media.upload import SmallUpload
from app.processes.decoder import Decoder
from app.queries.encoding import Encoding
from app.queries.work import Answered, Work
from model.data.latents import Latents
from model.errors import LibraryChanged, QueryError
from model.media.medium import Limits
from model.modality import Modality
from model.network.encoder import Encoder


@dataclass(frozen=True, eq=False)
class EncodedQuery:
    """Hold one row of latents to search by, and the modality that it was read from."""

    modality: Modality
    latents: Latents

    @property
    def uncertainty(self) -> float:
        """Return the mean standard deviation of the query's posterior."""
        return float(self.latents.sigma.mean())


@dataclass(frozen=True, eq=False)
class Query:
    """Name a file or a second of the library, and by which modality and second of it to ask; `track`: its features."""

    file: Path | SmallUpload | None = None
    segment_id: int | None = None
    modality: Modality | None = None
    at_s: float | None = None
    track: Track | None = None


class QueryWork(Work[EncodedQuery, Answered]):
    """A question that is asked by one query."""

    query: Query

    def check(self) -> None:
        """Refuse what is no query. Raises QueryError."""
        query = self.query
        if query.at_s is not None and not 0 <= query.at_s < math.inf:
            raise QueryError(f"at_s={query.at_s} given, a finite number of at least 0 expected")
        if (query.file is None) == (query.segment_id is None):
            raise QueryError("give either a file or a segment_id as the query")

    def decoding(self, decoder: Decoder, limits: Limits) -> Future[Decoded] | None:
        """Have the file decoded, if it is one. The future raises MediaError, QueryError."""
        query = self.query
        if query.file is None:
            return None
        return decoder.submit(decode_query, query.file, limits, query.at_s, query.modality)

    def decoded(self, decoded: Decoded) -> Self:
        """Return the question with the file's features in place of the file."""
        return replace(self, query=replace(self.query, file=None, track=decoded.query))  # type: ignore[type-var]

    def encodings(self, encoder: Encoder) -> list[Encoding]:
        """Return what is to be encoded: one row for all seconds of a file, nothing for a second of the library."""
        track = self.query.track
        return [] if track is None else [Encoding.of(encoder, track, averaged=True)]

    def encoded(self, session: Session, encoder: Encoder, latents: Sequence[Latents]) -> EncodedQuery:
        """Return the latents of the file, or those that the library has.

        Raises NotFound, LibraryChanged, QueryError.
        """
        if self.query.track is not None:
            return EncodedQuery(self.query.track.modality, latents[0])
        segment_id, catalogue = self.query.segment_id, session.library.catalogue
        assert segment_id is not None, "checked before"
        segment = catalogue.segment(segment_id)
        modality: Modality = self.query.modality or ("audio" if segment.heard else "visual")
        table = catalogue.latent_of(segment_id, modality)
        if table.fingerprint != encoder.fingerprint:  # newer than what is searched, of which there may be a gallery
            table = session.gallery(modality).table
        if table.fingerprint != encoder.fingerprint:
            raise LibraryChanged("the library was encoded anew just now: ask again")
        kept = table.latents[np.flatnonzero(table.ids == segment_id)]
        if not len(kept):
            raise QueryError(f"segment {segment_id} has no {modality} latent: ask by its other modality")
        return EncodedQuery(modality, kept)
