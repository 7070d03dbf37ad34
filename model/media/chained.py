"""Read an Ogg file of unlike streams in a row, each as a sound file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from model.errors import Damaged, MediaError
from model.media import containers, ogg, second_opinion, sounds
from model.media.channels import Mixing
from model.media.segments import Lost, SoundBlock

TOLERATED_LOSS_S = 0.25  # a stream may end so much earlier than its last page says


def read_sound(path: Path, mixing: Mixing | None = None) -> Iterator[SoundBlock | Lost]:
    """Yield the sound, mixed to one channel or by `mixing`, each block at its stream's rate.

    Raises Damaged if none can be read.
    """
    end_s, heard = 0.0, False
    for link in ogg.unlike_links(path):
        start_s = end_s
        for block in _read(path, link, mixing):
            moved = _moved(block, start_s)
            end_s, heard = max(end_s, moved.end_s), heard or isinstance(block, SoundBlock)
            yield moved
    if not heard:
        raise Damaged(f"No stream of {path.name} can be decoded. Copy or export it again.")


def _read(path: Path, link: ogg.Link, mixing: Mixing | None) -> Iterator[SoundBlock | Lost]:
    """Yield a stream from its own time zero; what of it cannot be read is Lost."""
    end_s = 0.0
    with suppress(MediaError):  # what is missing is told below
        head = sounds.read_head(path, part=link.part)
        if head is not None:
            blocks = second_opinion.read_sound(path, head.media_type, part=link.part, mixing=mixing)
        else:
            blocks = containers.read_sound(path, part=link.part, mixing=mixing)
        for block in blocks:
            end_s = block.end_s
            yield block
    if link.declared_s > end_s + TOLERATED_LOSS_S:
        yield Lost(end_s, link.declared_s)


def _moved(block: SoundBlock | Lost, by_s: float) -> SoundBlock | Lost:
    if isinstance(block, Lost):
        return Lost(block.start_s + by_s, block.end_s + by_s)
    return replace(block, start_s=block.start_s + by_s)
