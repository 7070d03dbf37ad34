"""The door to libsndfile: read sound files of every format that it knows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile

from model.errors import Damaged
from model.media import ogg, wav
from model.media.channels import Mixer
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
UNKNOWN_LENGTH = 2**62  # libsndfile's largest count means that the file does not declare its length


@dataclass(frozen=True)
class SoundHead:
    """Hold what a sound file declares about itself."""

    media_type: str
    duration_s: float | None


def read_head(path: Path, last_resort: bool = False) -> SoundHead | None:
    """Read a sound file's head; None where libsndfile does not know the format, or where FFmpeg may read it better.

    That is a stream whose head was never completed, an Ogg file that is damaged or several streams in a row, surround
    sound. With `last_resort` those are taken too.
    """
    try:
        with _opened(path) as sound:
            media_type = MEDIA_TYPES.get(sound.format)
            known = 0 < sound.frames < UNKNOWN_LENGTH
            in_one = sound.format != "OGG" or ogg.is_one_stream(path)
            if media_type is None or not (last_resort or (known and in_one and sound.channels <= 2)):
                return None
            return SoundHead(media_type, sound.frames / sound.samplerate if known else None)
    except soundfile.LibsndfileError:
        return None


def read_sound(path: Path) -> Iterator[SoundBlock]:
    """Yield a sound file in blocks of a second, mixed to one channel. Raises Damaged."""
    try:
        with _opened(path) as sound:
            rate_hz, start, mixer = sound.samplerate, 0, Mixer()
            # Not sound.blocks(): it fills a short read up with samples of the block before.
            while len(block := sound.read(rate_hz * BLOCK_S, dtype="float32", always_2d=True)):
                yield SoundBlock(start / rate_hz, rate_hz, mixer.mix(block.T, (), rate_hz))
                start += len(block)
    except soundfile.LibsndfileError as error:
        raise Damaged(
            f"{path.name} is a sound file that cannot be decoded ({error.error_string}) Export it again."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    with path.open("rb") as file:
        if patches := wav.patches_of(path):
            with soundfile.SoundFile(io.BufferedReader(wav.Patched(file, patches))) as sound:
                yield sound
        else:
            # By descriptor, so that libsndfile cannot judge by the name.
            with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
                yield sound
