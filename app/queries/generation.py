"""The pair that a model imagines for a query: numbers always, a picture and a sound where they can be made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from app.library.session import Session
from app.media.timings import Timings
from app.queries.retrieval import Query, Question, check, read_query
from model.data.latents import Latents
from model.frontends.frontend import FrontEnd
from model.media.encoding import encode_png, encode_wav
from model.media.medium import Limits
from model.modality import Modality
from model.network.encoder import Encoder


@dataclass(frozen=True, eq=False)
class Generated:
    """Hold a generated pair in the front-end's units; `frame_png`, `sound_wav` where the front-end can go back."""

    audio: Float32[np.ndarray, "..."]
    visual: Float32[np.ndarray, "..."]
    frame_png: bytes | None
    sound_wav: bytes | None


def generate(encoder: Encoder, front_end: FrontEnd, latents: Latents) -> Generated:
    """Return what the model imagines for latents of one row."""
    pair = encoder.pair(latents)
    audio, visual = pair["audio"][0], pair["visual"][0]
    picture, sound = front_end.picture(visual), front_end.sound(audio)
    return Generated(
        audio,
        visual,
        None if picture is None else encode_png(picture),
        None if sound is None else encode_wav(sound),
    )


@dataclass(frozen=True, eq=False)
class Imagined:
    """Hold what was imagined, and of what."""

    generated: Generated
    front_end: str
    modality: Modality
    uncertainty: float
    fingerprint: str
    timings_ms: dict[str, float]


def imagine(session: Session, question: Question, limits: Limits) -> Imagined:
    """Generate the pair of a file or of a second of the library; the question's target and filters do not matter.

    Raises:
        MediaError: the query file cannot be used. QueryError: the question makes no sense.
        LibraryError: no model, or one that does not match.
    """
    check(question)
    timings, encoder = Timings(), session.encoder
    query = read_query(session, encoder, question, limits, timings)
    return imagined(session.front_end, encoder, query, timings)


def imagined(front_end: FrontEnd, encoder: Encoder, query: Query, timings: Timings) -> Imagined:
    """Generate the pair of what was asked by."""
    with timings.stage("generate"):
        generated = generate(encoder, front_end, query.latents)
    uncertainty = float(query.latents.sigma.mean())
    return Imagined(generated, front_end.name, query.modality, uncertainty, encoder.fingerprint, timings.report())
