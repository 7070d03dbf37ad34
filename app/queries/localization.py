"""Localization: where in a video does one see what one hears, or hear what one sees?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.library.session import Session
from app.media.decoding import Decoded, Direction, decode_clip
from app.media.timings import Timings
from app.media.upload import SmallUpload
from app.processes.decoder import Call
from app.queries.encoding import Encoding
from app.queries.windows import Located, Seconds, locate, spanned
from app.queries.work import Serving, Work
from index.gallery import SearchResult
from model.data.latents import Latents
from model.errors import QueryError
from model.media.medium import Limits


@dataclass(frozen=True, eq=False)
class Localization(Work[tuple[Latents, Latents], Located]):
    """Ask where in `video`. The query is a stretch of the video itself, or a second file; `features`: of both.

    `audio_track`, `query_audio_track`: which sound track of the video, and of the second file, counted from 1.
    """

    video: Path | SmallUpload
    direction: Direction
    query_start_s: int | None = None
    query_length_s: int | None = None
    query: Path | SmallUpload | None = None
    audio_track: int | None = None
    query_audio_track: int | None = None
    features: Decoded | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what was lost of the video or the second file, or left aside."""
        return self._features.notes

    def check(self) -> None:
        """Refuse what makes no sense. Raises QueryError."""
        bounds = (self.query_start_s, self.query_length_s)
        if self.query is not None and bounds != (None, None):
            raise QueryError("give a query file, or query_start_s and query_length_s, not both")
        if self.query is None and None in bounds:
            raise QueryError("give query_start_s and query_length_s, or a second file as query")
        if self.query is None and self.query_audio_track is not None:
            raise QueryError(
                "query_audio_track given without a second file, whose sound tracks it counts: leave it out"
            )

    def decoding(self, limits: Limits) -> Call[Decoded]:
        """Return how the clip is decoded, and the query."""
        tracks = self.audio_track, self.query_audio_track
        if self.query is not None:
            return Call(decode_clip, (self.video, self.direction, self.query, limits, *tracks))
        assert self.query_start_s is not None, "checked before"
        assert self.query_length_s is not None, "checked before"
        stretch = range(self.query_start_s, self.query_start_s + self.query_length_s)
        return Call(decode_clip, (self.video, self.direction, stretch, limits, *tracks))

    def decoded(self, decoded: Decoded) -> Localization:
        """Return the question with the features of clip and query; of the files their names alone."""
        return replace(self, video=Path(self.video.name), query=None, features=decoded)

    def encodings(self, serving: Serving) -> list[Encoding]:
        """Return the query's seconds, and the clip's."""
        decoded = self._features
        assert decoded.target is not None
        return [Encoding(serving.encoder, track) for track in (decoded.query, decoded.target)]

    def encoded(self, session: Session, serving: Serving, latents: Sequence[Latents]) -> tuple[Latents, Latents]:
        """Return the latents of the query's seconds, and of the clip's."""
        query, target = latents
        return query, target

    def finish(
        self, serving: Serving, encoded: tuple[Latents, Latents], found: SearchResult | None, timings: Timings
    ) -> Located:
        """Score every window by the sum of its seconds' distances. Raises QueryError."""
        decoded = self._features
        assert decoded.target is not None
        query, target = (
            Seconds(track.modality, stretch, track.start_s, latents)
            for track, stretch, latents in zip(
                (decoded.query, decoded.target), (self._asked, range(decoded.length_s)), encoded, strict=True
            )
        )
        return locate(query, target, serving.encoder, self.video.name, timings)

    @property
    def _asked(self) -> range:
        """Return the stretch that is asked: of a second file what of it is heard or seen."""
        if self.query_start_s is not None and self.query_length_s is not None:
            return range(self.query_start_s, self.query_start_s + self.query_length_s)
        return spanned(self._features.query.start_s)

    @property
    def _features(self) -> Decoded:
        assert self.features is not None, "decoded before"
        return self.features
