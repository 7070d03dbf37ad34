"""What POST /generate answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Base64Bytes, Field

from app.schemas.answering import Answering
from app.schemas.search import QueryAnswer

if TYPE_CHECKING:
    from app.queries.generation import Imagined


class FeaturesAnswer(Answering):
    """Features in the front-end's own units, flat, with the shape that they fill row by row."""

    shape: list[int]
    values: list[float]


class PairAnswer(Answering):
    """Both halves of a generated pair."""

    audio: FeaturesAnswer
    visual: FeaturesAnswer


class GenerateAnswer(Answering):
    """The answer of POST /generate; picture and sound are null where the front-end's features determine none."""

    front_end: str
    features: PairAnswer
    frame_png: Base64Bytes | None = Field(description="base64 of a PNG")
    sound_wav: Base64Bytes | None = Field(description="base64 of a WAV, one second at 16 kHz")
    query: QueryAnswer
    device: str = Field(description="what computed this answer: `cpu`, or `cuda` and the name of the card")
    warnings: list[str] = Field(
        [], description="why this model cannot be trusted with the library's footage, and what to do"
    )
    notes: list[str] = Field([], description="what was lost of the query's file, or left aside, such as sound tracks")
    timings_ms: dict[str, float]

    @staticmethod
    def of(imagined: Imagined) -> GenerateAnswer:
        """Write a generated pair out."""
        return GenerateAnswer(
            front_end=imagined.front_end,
            features=PairAnswer(audio=_features(imagined.audio), visual=_features(imagined.visual)),
            frame_png=_base64(imagined.frame_png),
            sound_wav=_base64(imagined.sound_wav),
            query=QueryAnswer(
                modality=imagined.modality, uncertainty=imagined.uncertainty, fingerprint=imagined.fingerprint
            ),
            device=imagined.device,
            warnings=list(imagined.warnings),
            notes=list(imagined.notes),
            timings_ms=imagined.timings_ms,
        )


def _features(array: np.ndarray) -> FeaturesAnswer:
    return FeaturesAnswer(shape=list(array.shape), values=array.ravel().tolist())


def _base64(content: bytes | None) -> bytes | None:
    return None if content is None else base64.b64encode(content)
