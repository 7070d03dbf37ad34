"""Show FLV files that were joined end to end as one: FFmpeg ends at the second head.

The layout is that of Adobe's "Flash Video File Format", version 10.1, annex E.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MAGIC = b"FLV\x01"
HEAD_BYTES = 13
FLAGS = (b"\0", b"\1", b"\4", b"\5")  # neither, picture, sound, both
BLOCK_BYTES = 2**20
HEAD_END = b"\0\0\0\x09\0\0\0\0"  # the length of the head, and that of the tag before it


@contextmanager
def opened(path: Path) -> Iterator[str | Joined]:
    """Give what FFmpeg is to open: the path, or the joined parts of an FLV file."""
    with path.open("rb") as file:
        heads = inner_heads(file) if file.read(len(MAGIC)) == MAGIC else []
        yield Joined(file, heads) if heads else f"file:{path}"


def inner_heads(file: BinaryIO) -> list[int]:
    """Return where other FLV files begin within one."""
    heads: list[int] = []
    block_at = 1
    while True:
        file.seek(block_at)
        block = file.read(BLOCK_BYTES)
        at = -1
        while (at := block.find(MAGIC, at + 1, BLOCK_BYTES - HEAD_BYTES + len(MAGIC))) >= 0:
            head = block[at : at + HEAD_BYTES]
            if head[len(MAGIC) : len(MAGIC) + 1] in FLAGS and head.endswith(HEAD_END):
                heads.append(block_at + at)
        if len(block) < BLOCK_BYTES:
            return heads
        block_at += BLOCK_BYTES - HEAD_BYTES + 1


class Joined(io.RawIOBase):
    """Show a file without its inner heads; the tags of all its parts follow each other."""

    def __init__(self, file: BinaryIO, heads: Sequence[int]) -> None:
        self.name = file.name
        self._file, self._at = file, 0
        starts = [0, *(head + HEAD_BYTES for head in heads)]
        self._shown = [start - number * HEAD_BYTES for number, start in enumerate(starts)]
        self._size = file.seek(0, io.SEEK_END) - len(heads) * HEAD_BYTES

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be sought in."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return bytes up to the end of a part."""
        part = bisect_right(self._shown, self._at)
        end = self._shown[part] if part < len(self._shown) else self._size
        self._file.seek(self._at + (part - 1) * HEAD_BYTES)
        data = self._file.read(max(0, end - self._at if size < 0 else min(size, end - self._at)))
        self._at += len(data)
        return data
