"""The contract of a front-end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from model.data.features import Features
from model.errors import FrontEndError, NotFinite
from model.frontends.prior import Prior
from model.media.segments import Segment
from model.modality import MODALITIES, Modality


class FrontEnd(ABC):
    """Turn segments into features, one second at a time.

    Each second is computed by itself, never as part of a batch: matrix kernels may round differently for
    different batch sizes, and a query must have the bits that ingest gave the same second.
    """

    name: str
    identity: str  # name and version, or the hash of the weights: equal identity, equal features
    audio_shape: tuple[int, ...]
    visual_shape: tuple[int, ...]
    prior: Prior | None = None  # what it knows across modalities before any footage; None: nothing
    shares_space: bool = False  # features of sound and picture are unit vectors in one space: what matches is close
    rounding: float = 1e-3  # how far apart, of their length, features of one second on two machines may be

    @abstractmethod
    def audio(self, sound: Float32[np.ndarray, "16000"]) -> Float32[np.ndarray, "..."]:
        """Return the features of a second of 16 kHz mono sound, shape `audio_shape`."""

    @abstractmethod
    def visual(self, frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "..."]:
        """Return the features of an RGB frame of any size, shape `visual_shape`."""

    def text(self, words: str, target: Modality) -> Float32[np.ndarray, "..."] | None:
        """Return the features of a second of the target modality that words describe, in the shape of its own.

        By default those of the prior's concepts that the words name, None without a prior. Of these the embedding is
        NaN, since concepts do not tell it: the model takes the usual one.

        Raises:
            QueryError: the words cannot be read. UnknownWord: one of them names nothing.
        """
        if self.prior is None:
            return None
        return self.prior.text(words, target, np.full(self.shape_of(target), np.nan, np.float32))

    @property
    def reads_text(self) -> bool:
        """Say whether `text` has an answer."""
        return self.prior is not None or type(self).text is not FrontEnd.text

    def sound(self, audio: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "16000"] | None:
        """Return a second of sound that has about these features; None where they do not determine one."""
        return None

    def picture(self, visual: Float32[np.ndarray, "..."]) -> UInt8[np.ndarray, "height width 3"] | None:
        """Return a picture that has about these features; None where they do not determine one."""
        return None

    def shape_of(self, modality: Modality) -> tuple[int, ...]:
        """Return the shape of the features of a modality."""
        return self.audio_shape if modality == "audio" else self.visual_shape

    def features_of(self, segment: Segment, modality: Modality) -> Float32[np.ndarray, "..."] | None:
        """Return the features of a segment's sound or picture; None where it is missing.

        Raises:
            FrontEndError: they are not of the shape that is declared. NotFinite: one is NaN or infinite.
        """
        answer: object
        if modality == "audio":
            if segment.sound is None:
                return None
            part, answer = "sound", self.audio(segment.sound)
        else:
            if segment.frame is None:
                return None
            part, answer = "picture", self.visual(segment.frame)
        asked = f"the {part} of second {segment.start_s}"
        features = as_features(answer, self.shape_of(modality), f"the front-end {self.name} answers {asked} with")
        if not np.isfinite(features).all():
            raise NotFinite(
                f"the front-end {self.name} gives {asked} features that are not finite; use another front-end for "
                "this file"
            )
        return features

    def features(self, segments: Sequence[Segment]) -> Features:
        """Return the features of segments in order; a missing modality is a row of zeros, masked out.

        Raises as `features_of`.
        """
        audio = np.zeros((len(segments), *self.audio_shape), np.float32)
        visual = np.zeros((len(segments), *self.visual_shape), np.float32)
        for row, segment in enumerate(segments):
            for modality, rows in zip(MODALITIES, (audio, visual), strict=True):
                if (features := self.features_of(segment, modality)) is not None:
                    rows[row] = features
        return Features(
            start_s=np.array([s.start_s for s in segments], np.int64),
            audio=audio,
            visual=visual,
            heard=np.array([s.sound is not None for s in segments], bool),
            seen=np.array([s.frame is not None for s in segments], bool),
            sound_whole=np.array([s.sound_whole for s in segments], bool),
            frame_whole=np.array([s.frame_whole for s in segments], bool),
        )


def as_features(answer: object, shape: tuple[int, ...], beginning: str) -> Float32[np.ndarray, "..."]:
    """Return what a front-end answered, once its kind and shape are right; numbers that are not finite pass.

    Raises:
        FrontEndError: they are not. Its message starts with `beginning`.
    """
    if not isinstance(answer, np.ndarray) or answer.dtype != np.float32 or answer.shape != shape:
        found = f"{answer.dtype} {answer.shape}" if isinstance(answer, np.ndarray) else type(answer).__name__
        raise FrontEndError(
            f"{beginning} {found}, a numpy array of float32 {shape} expected: correct the front-end, or use another one"
        )
    return answer
