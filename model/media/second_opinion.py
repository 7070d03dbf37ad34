"""Read a sound file with libsndfile, and with FFmpeg where libsndfile fails or ends too early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model.errors import Damaged, MediaError
from model.media import containers, sounds
from model.media.segments import SoundBlock

ESTIMATED = ("audio/mpeg", "audio/flac")  # libsndfile ends where an estimate, or a wrong head, says
MISSED_S = 0.5


def read_sound(path: Path, media_type: str) -> Iterator[SoundBlock]:
    """Yield a sound file, mixed to one channel, in blocks of a second. Raises Damaged where no decoder reads it."""
    end_s, failure = 0.0, None
    try:
        for block in sounds.read_sound(path):
            end_s = block.end_s
            yield block
    except Damaged as error:
        failure = error
    if failure is None and not (media_type in ESTIMATED and _goes_on(path, end_s)):
        return
    try:
        for block in containers.read_sound(path):
            if (rest := _cut_before(block, end_s)) is not None:
                yield rest
                failure = None
    except MediaError:
        pass
    if failure is not None and end_s == 0:
        raise failure


def _goes_on(path: Path, end_s: float) -> bool:
    """Return whether FFmpeg finds more sound behind libsndfile's end."""
    try:
        return containers.measure_sound_s(path) > end_s + MISSED_S
    except MediaError:
        return False


def _cut_before(block: SoundBlock, start_s: float) -> SoundBlock | None:
    """Return what of the block lies at or behind start_s."""
    first = max(0, round((start_s - block.start_s) * block.sample_rate_hz))
    if first >= len(block.samples):
        return None
    return SoundBlock(max(block.start_s, start_s), block.sample_rate_hz, block.samples[first:])
