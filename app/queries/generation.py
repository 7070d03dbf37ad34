"""Generation: the pair that a model imagines for a query; numbers always, a picture and a sound where possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float32

from app.media.timings import Timings
from app.queries.query import EncodedQuery, Query, QueryWork
from app.queries.work import Answer, Serving
from index.gallery import SearchResult
from model.frontends.frontend import FrontEnd
from model.media.encoding import encode_png, encode_wav
from model.modality import Modality


@dataclass(frozen=True, eq=False, kw_only=True)
class Imagined(Answer):
    """Hold a generated pair in the front-end's units, and of what it was generated.

    `front_end`: its name. `frame_png`, `sound_wav`: made by `render`, where the front-end can go back from features.
    """

    audio: Float32[np.ndarray, "..."]
    visual: Float32[np.ndarray, "..."]
    modality: Modality
    uncertainty: float
    front_end: str
    frame_png: bytes | None = None
    sound_wav: bytes | None = None
    is_rendered: ClassVar[bool] = True

    def render(self, front_end_of: Callable[[str], FrontEnd]) -> Self:
        """Return it with its picture and its sound."""
        front_end = front_end_of(self.front_end)
        picture, sound = front_end.picture(self.visual), front_end.sound(self.audio)
        return replace(
            self,
            frame_png=None if picture is None else encode_png(picture),
            sound_wav=None if sound is None else encode_wav(sound),
        )


@dataclass(frozen=True, eq=False)
class Generation(QueryWork[Imagined]):
    """Ask for what belongs to a query."""

    query: Query

    def finish(self, serving: Serving, encoded: EncodedQuery, found: SearchResult | None, timings: Timings) -> Imagined:
        """Let the shared decoder generate the pair."""
        with timings.stage("generate"):
            pair = serving.encoder.pair(encoded.latents)
        return Imagined(
            audio=pair["audio"][0],
            visual=pair["visual"][0],
            modality=encoded.modality,
            uncertainty=encoded.uncertainty,
            front_end=serving.encoder.checkpoint.front_end,
            fingerprint=serving.encoder.fingerprint,
            timings_ms=timings.report(),
        )
