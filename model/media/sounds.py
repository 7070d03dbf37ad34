"""The door to libsndfile: read sound files of every format that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from model.errors import Damaged
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
    duration_s: float


def read_head(path: Path) -> SoundHead | None:
    """Read a sound file's head; None where libsndfile does not know the format or the length.

    FFmpeg may still read such files: streams whose head was never completed, truncated Ogg files.
    """
    try:
        with _opened(path) as sound:
            media_type = MEDIA_TYPES.get(sound.format)
            if media_type is None or not 0 < sound.frames < UNKNOWN_LENGTH:
                return None
            return SoundHead(media_type, sound.frames / sound.samplerate)
    except soundfile.LibsndfileError:
        return None


def read_sound(path: Path, from_s: int = 0) -> Iterator[SoundBlock]:
    """Yield a sound file from a second on, in blocks of a second, the mean of its channels. Raises Damaged."""
    try:
        with _opened(path) as sound:
            rate_hz = sound.samplerate
            start = sound.seek(min(from_s * rate_hz, sound.frames)) if from_s else 0
            # Not sound.blocks(): it fills a short read up with samples of the block before.
            while len(block := sound.read(rate_hz * BLOCK_S, dtype="float32", always_2d=True)):
                # NaN and infinity are refused by name in fill_gaps.
                with np.errstate(invalid="ignore", over="ignore"):
                    mono = block.mean(axis=1, dtype=np.float32)
                yield SoundBlock(start / rate_hz, rate_hz, mono)
                start += len(block)
    except soundfile.LibsndfileError as error:
        raise Damaged(
            f"{path.name} is a sound file that cannot be decoded ({error.error_string}) Export it again."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    # By descriptor, so that libsndfile cannot judge by the name.
    with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
        yield sound
