"""Read a sound file with libsndfile, and with FFmpeg where libsndfile fails or ends too early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model.errors import Damaged, MediaError
from model.media import containers, sounds
from model.media.channels import Mixing
from model.media.segments import LONGEST_JITTER_S, Lost, SoundBlock
from model.media.source import Findings

ESTIMATED = ("audio/mpeg", "audio/flac")  # libsndfile ends where an estimate, or a wrong head, says
MISSED_S = 0.5


def read_sound(
    path: Path,
    media_type: str,
    findings: Findings | None = None,
    from_s: int = 0,
    part: range | None = None,
    mixing: Mixing | None = None,
) -> Iterator[SoundBlock | Lost]:
    """Yield a sound file, mixed to one channel or by `mixing`, from a second on, in blocks of a second.

    What no decoder reads is told as Lost. Raises Damaged where none reads anything.
    """
    end_s, failure = float(from_s), None
    try:
        for block in sounds.read_sound(path, from_s, part, mixing):
            end_s = block.end_s
            yield block
    except Damaged as error:
        failure = error
    if failure is None and not (media_type in ESTIMATED and _goes_on(path, end_s)):
        return
    found = False
    for rest in _behind(path, end_s, findings, part, mixing):
        if not found and failure is not None and rest.start_s > end_s + LONGEST_JITTER_S:
            yield Lost(end_s, rest.start_s)
        found = True
        yield rest
    if failure is not None and not found and end_s == from_s:
        raise failure


def _goes_on(path: Path, end_s: float) -> bool:
    """Return whether FFmpeg finds more sound behind libsndfile's end."""
    try:
        return containers.measure_sound_s(path) > end_s + MISSED_S
    except MediaError:
        return False


def _behind(
    path: Path, start_s: float, findings: Findings | None, part: range | None, mixing: Mixing | None
) -> Iterator[SoundBlock | Lost]:
    """Yield what FFmpeg reads at or behind start_s."""
    try:
        for block in containers.read_sound(path, findings, part=part, mixing=mixing):
            if isinstance(block, Lost):
                if block.end_s > start_s:
                    yield Lost(max(block.start_s, start_s), block.end_s)
            elif (first := max(0, round((start_s - block.start_s) * block.sample_rate_hz))) < block.length:
                rest, from_s = block.samples[..., first:], max(block.start_s, start_s)
                yield SoundBlock(from_s, block.sample_rate_hz, rest, block.whole)
    except MediaError:  # then libsndfile's own words count
        return
