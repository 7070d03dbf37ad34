"""The door to libsndfile: read sound files of every format that it knows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from model.errors import Damaged
from model.media import ogg, wav
from model.media.channels import Mixer, Mixing
from model.media.part import opened
from model.media.segments import SoundBlock

MEDIA_TYPES = {
    "WAV": "audio/wav",
    "WAVEX": "audio/wav",
    "RF64": "audio/wav",
    "W64": "audio/wav",
    "FLAC": "audio/flac",
    "OGG": "audio/ogg",
    "MP3": "audio/mpeg",
    "AIFF": "audio/aiff",
    "AU": "audio/basic",
    "CAF": "audio/x-caf",
}
BLOCK_S = 1
FLOATS = ("FLOAT", "DOUBLE")
# Floats are meant to be in [-1, 1], and recorders that go beyond stay under LOUDEST (36 dB more). What is louder was
# written at the scale of whole numbers of 16, 24 or 32 bits. The loudest of the first minute decides.
LOUDEST = 64.0
WHOLE_NUMBERS = (2.0**15, 2.0**23, 2.0**31)
LISTENED_S = 60
# libsndfile takes every extensible head of a W64 for whole numbers; FFmpeg knows which of these are floats.
MISREAD = ("W64", "PCM_32")
UNKNOWN_LENGTH = 2**62  # libsndfile's largest count means that the file does not declare its length


@dataclass(frozen=True)
class SoundHead:
    """Hold what a sound file declares about itself."""

    media_type: str
    duration_s: float | None


def read_head(path: Path, last_resort: bool = False, part: range | None = None) -> SoundHead | None:
    """Read a sound file's head; None where libsndfile does not know the format, or where FFmpeg may read it better.

    That is a stream whose head was never completed, an Ogg file that is damaged or several streams in a row, surround
    sound. With `last_resort` those are taken too. `part`: the bytes to read, all without it.
    """
    try:
        with _opened(path, part) as sound:
            media_type = MEDIA_TYPES.get(sound.format)
            known = 0 < sound.frames < UNKNOWN_LENGTH
            in_one = sound.format != "OGG" or ogg.is_one_stream(path, part)
            plain = known and in_one and sound.channels <= 2 and (sound.format, sound.subtype) != MISREAD
            if media_type is None or not (last_resort or plain):
                return None
            return SoundHead(media_type, sound.frames / sound.samplerate if known else None)
    except soundfile.LibsndfileError:
        return None


def read_sound(
    path: Path, from_s: int = 0, part: range | None = None, mixing: Mixing | None = None
) -> Iterator[SoundBlock]:
    """Yield a sound file from a second on, in blocks of a second, mixed to one channel or by `mixing`.

    Raises Damaged.
    """
    try:
        with _opened(path, part) as sound:
            rate_hz, mixing, full_scale = sound.samplerate, mixing or Mixer(), _full_scale(sound)
            start = sound.seek(min(from_s * rate_hz, sound.frames)) if from_s else 0
            # Not sound.blocks(): it fills a short read up with samples of the block before.
            while len(block := sound.read(rate_hz * BLOCK_S, dtype="float32", always_2d=True)):
                if full_scale != 1:
                    block /= np.float32(full_scale)
                yield SoundBlock(start / rate_hz, rate_hz, mixing.mix(block.T, (), rate_hz))
                start += len(block)
    except soundfile.LibsndfileError as error:
        raise Damaged(
            f"{path.name} is a sound file that cannot be decoded ({error.error_string}) Export it again."
        ) from error


def depth_of(path: Path) -> str:
    """Return libsndfile's name of the depth in which a sound file holds its samples, such as PCM_24. Raises Damaged."""
    try:
        with _opened(path, None) as sound:
            return str(sound.subtype)
    except soundfile.LibsndfileError as error:
        raise Damaged(f"{path.name} is a sound file that cannot be read ({error.error_string})") from error


def _full_scale(sound: soundfile.SoundFile) -> float:
    """Return the value that full scale has in a file, which is left at its beginning."""
    if sound.subtype not in FLOATS:
        return 1.0
    peak = 0.0
    for _ in range(LISTENED_S):
        block = sound.read(sound.samplerate, dtype="float32", always_2d=True)
        if len(block) == 0:
            break
        peak = max(peak, float(np.max(np.abs(block), initial=0, where=np.isfinite(block))))
    sound.seek(0)
    return next((scale for scale in WHOLE_NUMBERS if LOUDEST < peak <= scale * 1.001), 1.0)


@contextmanager
def _opened(path: Path, part: range | None) -> Iterator[soundfile.SoundFile]:
    with opened(path, part) as file:
        if part is not None:
            with soundfile.SoundFile(file) as sound:
                yield sound
        elif patches := wav.patches_of(path):
            with soundfile.SoundFile(io.BufferedReader(wav.Patched(file, patches))) as sound:
                yield sound
        else:
            # By descriptor, so that libsndfile cannot judge by the name.
            with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
                yield sound
