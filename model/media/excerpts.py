"""Cut an excerpt out of a recording: an MP4 of what has a picture, a WAV of what is only heard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from model.errors import NoPicture
from model.media import containers, sounds
from model.media.mp4 import as_channels, write_timed_mp4
from model.media.reading import Medium
from model.media.segments import SoundBlock
from model.media.stretch import Stretch

MOST_SIDE, OF_LONG = 1280, 854  # encoding a frame of the second takes half as long
LONG_S = 30
STEREO, ANY = 2, 1000
Format = Literal["mp4", "wav"]
MEDIA_TYPES: dict[Format, str] = {"mp4": "video/mp4", "wav": "audio/wav"}
# The depth in which a WAV holds what another file holds in the first; all lossy codecs get 16 bits.
DEPTHS = {"PCM_U8": "PCM_U8", "PCM_S8": "PCM_U8", "PCM_24": "PCM_24", "PCM_32": "PCM_32", "FLOAT": "FLOAT"}
DEPTHS |= {"DOUBLE": "FLOAT"}
USUAL_DEPTH = "PCM_16"
BITS = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
LOSSLESS = ("pcm_", "flac", "alac", "wavpack", "tta", "ape", "mlp", "truehd", "tak", "shorten", "dsd_")


def format_of(medium: Medium) -> Format:
    """Return the format that an excerpt of a medium has. Raises NoPicture for a still picture."""
    if medium.kind == "picture":
        raise NoPicture(f"{medium.path.name} is a still picture, a video or a sound expected: fetch its original")
    return "mp4" if medium.has_picture else "wav"


def write_excerpt(medium: Medium, start_s: float, end_s: float, path: Path) -> None:
    """Write [start_s, end_s) of a medium, on the clock of its segments, in the format that it has.

    Frames are encoded anew, at most 1,280 pixels a side, 854 of more than 30 s; a sound file's samples stay as they
    are, with their rate, channels and depth. Memory does not grow with length. Raises MediaError.
    """
    if format_of(medium) == "wav":
        _write_wav(medium, Stretch(medium, start_s, end_s, ANY, MOST_SIDE), path)
        return
    most_side = OF_LONG if end_s - start_s > LONG_S else MOST_SIDE
    stretch = Stretch(medium, start_s, end_s, STEREO, most_side)
    frames = stretch.frames()
    first = next(frames, None)
    if first is None:  # a picture that comes later, or not at all, is black until then
        first = (0.0, np.zeros((180, 320, 3), np.uint8))
    write_timed_mp4(path, chain([first], frames), stretch.blocks(), stretch.length_s)


def _write_wav(medium: Medium, stretch: Stretch, path: Path) -> None:
    blocks = stretch.blocks()
    first = next(blocks)
    rate_hz, channels = first.sample_rate_hz, 1 if first.samples.ndim == 1 else len(first.samples)
    depth = _depth_of(medium)
    kind = "WAV" if channels <= 2 else "WAVEX"
    with soundfile.SoundFile(path, "w", rate_hz, channels, depth, format=kind) as file:
        for block in _all(first, blocks):
            file.write(_whole_numbers(as_channels(block, channels, rate_hz).T, depth))


def _all(first: SoundBlock, rest: Iterator[SoundBlock]) -> Iterator[SoundBlock]:
    yield first
    yield from rest


def _depth_of(medium: Medium) -> str:
    if medium.decoder == "sound file":
        return DEPTHS.get(sounds.depth_of(medium.path), USUAL_DEPTH)
    if medium.decoder == "unlike streams":
        return USUAL_DEPTH
    tracks = containers.probe(medium.path, medium.audio_track)
    if not (tracks.sound_codec or "").startswith(LOSSLESS):
        return USUAL_DEPTH
    kind = (tracks.sound_format or "").removesuffix("p")
    return {"s32": "PCM_24", "flt": "FLOAT", "dbl": "FLOAT", "u8": "PCM_U8"}.get(kind, USUAL_DEPTH)


def _whole_numbers(samples: np.ndarray, depth: str) -> np.ndarray:
    """Return samples as libsndfile keeps them bit by bit: its own scale for floats is a step off."""
    if depth == "FLOAT":
        return samples
    step = 2.0 ** (BITS[depth] - 1)
    whole = np.rint(np.clip(samples.astype(np.float64) * step, -step, step - 1)).astype(np.int64)
    return np.asarray(whole << (32 - BITS[depth])).astype(np.int32)
