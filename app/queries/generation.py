"""Generation: the pair that a model imagines for a query; numbers always, a picture and a sound where possible."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float32

from app.library.session import Session
from app.media.decoding import Decoded
from app.media.timings import Timings
from app.processes.decoder import Decoder
from app.queries.encoding import Encoding
from app.queries.query import EncodedQuery, Query
from app.queries.work import Answer, Serving, Work
from index.gallery import SearchResult
from model.data.latents import Latents
from model.frontends.frontend import FrontEnd
from model.media.encoding import encode_png, encode_wav
from model.media.medium import Limits
from model.modality import Modality
from model.network.encoder import Encoder


@dataclass(frozen=True, eq=False, kw_only=True)
class Imagined(Answer):
    """Hold a generated pair in the front-end's units, and of what it was generated.

    `frame_png`, `sound_wav`: made by `render`, where the front-end can go back from features.
    """

    audio: Float32[np.ndarray, "..."]
    visual: Float32[np.ndarray, "..."]
    modality: Modality
    uncertainty: float
    frame_png: bytes | None = None
    sound_wav: bytes | None = None
    is_rendered: ClassVar[bool] = True

    def render(self, front_end: FrontEnd) -> Self:
        """Return it with its picture and its sound."""
        picture, sound = front_end.picture(self.visual), front_end.sound(self.audio)
        return replace(
            self,
            frame_png=None if picture is None else encode_png(picture),
            sound_wav=None if sound is None else encode_wav(sound),
        )


@dataclass(frozen=True, eq=False)
class Generation(Work[EncodedQuery, Imagined]):
    """Ask for what belongs to a query."""

    query: Query

    def check(self) -> None:
        """Refuse what makes no sense. Raises QueryError."""
        self.query.check()

    def decoding(self, decoder: Decoder, limits: Limits) -> Future[Decoded] | None:
        """Have the query's file decoded."""
        return self.query.decoding(decoder, limits)

    def decoded(self, decoded: Decoded) -> Generation:
        """Return the question with the query's features."""
        return Generation(self.query.decoded(decoded))

    def encodings(self, encoder: Encoder) -> list[Encoding]:
        """Return the query's."""
        return self.query.encodings(encoder)

    def encoded(self, session: Session, encoder: Encoder, latents: Sequence[Latents]) -> EncodedQuery:
        """Return the query's latents."""
        return self.query.encoded(session, encoder, latents)

    def finish(self, serving: Serving, encoded: EncodedQuery, found: SearchResult | None, timings: Timings) -> Imagined:
        """Let the shared decoder generate the pair."""
        with timings.stage("generate"):
            pair = serving.encoder.pair(encoded.latents)
        return Imagined(
            audio=pair["audio"][0],
            visual=pair["visual"][0],
            modality=encoded.modality,
            uncertainty=encoded.uncertainty,
            fingerprint=serving.encoder.fingerprint,
            timings_ms=timings.report(),
        )
