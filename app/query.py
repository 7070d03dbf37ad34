"""From a query file to one latent: decode, features, encode, with the time that each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from model.encoder import Encoder
from model.errors import NoPicture, NoSoundTrack, QueryError, Silent
from model.frontends.frontend import FrontEnd
from model.latents import Latents
from model.media import Limits, Medium, open_medium
from model.msvae import Modality
from model.segments import SILENCE_DBFS, Segment

MOST_AVERAGED_S = 10


@dataclass
class Timings:
    """Collect milliseconds by stage."""

    stages_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; a stage that comes twice adds up."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = 1000 * (time.perf_counter() - started)
            self.stages_ms[name] = self.stages_ms.get(name, 0.0) + spent

    def report(self) -> dict[str, float]:
        """Return the stages and their total, rounded to microseconds."""
        stages = {name: round(value, 3) for name, value in self.stages_ms.items()}
        return stages | {"total": round(sum(self.stages_ms.values()), 3)}


def modality_of(medium: Medium, asked: Modality | None) -> Modality:
    """Return what a file is asked by: sound by its sound, a picture by its look, a video as told.

    Raises:
        QueryError: a video, and not told. NoSoundTrack, NoPicture: told what it has not.
    """
    if asked is None:
        if medium.kind == "video":
            raise QueryError("a video was given as query: set query_modality to audio or visual")
        return "audio" if medium.kind == "sound" else "visual"
    if asked == "audio" and not medium.has_sound:
        raise NoSoundTrack(
            f"{medium.path.name} has no sound track, but its sound was asked for: "
            "send a file with sound, or ask by its picture (query_modality=visual)"
        )
    if asked == "visual" and not medium.has_picture:
        raise NoPicture(
            f"{medium.path.name} has no picture, but its look was asked for: "
            "send a picture or a video, or ask by its sound (query_modality=audio)"
        )
    return asked


def read_query(
    path: Path, limits: Limits, at_s: float | None, asked: Modality | None
) -> tuple[Modality, list[Segment]]:
    """Return the modality and the segments that have it: of second floor(at_s), else of the first ten.

    Raises:
        MediaError: the file cannot be used, is silent, or lacks what was asked for.
        QueryError: `at_s` lies outside the file.
    """
    medium = open_medium(path, limits)
    modality = modality_of(medium, asked)
    first = 0 if at_s is None else int(at_s)
    segments = list(medium.segments(first, first + (MOST_AVERAGED_S if at_s is None else 1)))
    if not segments:
        raise QueryError(f"at_s={at_s} given, but {path.name} has no such second: give a time within it")
    return modality, present(segments, modality, path.name)


def present(segments: list[Segment], modality: Modality, name: str) -> list[Segment]:
    """Return the segments that have the modality.

    Raises:
        Silent, NoPicture: none has.
    """
    having = [s for s in segments if (s.sound if modality == "audio" else s.frame) is not None]
    if having:
        return having
    where = f"{name}, seconds {segments[0].start_s} to {segments[-1].start_s + 1},"
    if modality == "audio":
        raise Silent(
            f"{where} is silent (under {SILENCE_DBFS:.0f} dBFS): send something that can be heard, or another second"
        )
    raise NoPicture(f"{where} has no picture: ask for another second")


def encode_segments(
    front_end: FrontEnd, encoder: Encoder, segments: list[Segment], modality: Modality, timings: Timings
) -> Latents:
    """Return the latents of segments that all have the modality, (n, ...)."""
    with timings.stage("features"):
        if modality == "audio":
            features = np.stack([front_end.audio(s.sound) for s in segments if s.sound is not None])
        else:
            features = np.stack([front_end.visual(s.frame) for s in segments if s.frame is not None])
    with timings.stage("encode"):
        return encoder.latents(modality, features)
