"""Read a WAV file whose head does not say how long it is: a recorder that lost its power writes no size, or an old one.

The layout is that of RIFF and of RF64 (EBU Tech 3306), whose real sizes stand in a chunk named ds64.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

CHUNK = struct.Struct("<4sI")
TO_THE_END = b"\xff\xff\xff\xff"  # libsndfile takes what the file holds


class Patched(io.RawIOBase):
    """Show a file with some of its bytes replaced."""

    def __init__(self, file: BinaryIO, patches: Mapping[int, bytes]) -> None:
        self._file, self._patches = file, patches

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be sought in."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer."""
        start = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for at, patch in self._patches.items():
            for number, byte in enumerate(patch, at - start):
                if 0 <= number < len(data):
                    data[number] = byte
        buffer[: len(data)] = data
        return len(data)


def patches_of(path: Path) -> dict[int, bytes]:
    """Return what to replace so that all of the sound is read; nothing where the declared size can be trusted."""
    with path.open("rb") as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        kind, _, form = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
        if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
            return {}
        at, sizes = 12, {}
        while at + CHUNK.size <= end:
            file.seek(at)
            name, size = CHUNK.unpack(file.read(CHUNK.size))
            if name == b"ds64" and kind == b"RF64":
                sizes[b"data"] = struct.unpack("<8xQ", file.read(16).ljust(16, b"\0"))[0]
            if name == b"data":
                size = sizes.get(name, size)
                trusted = at + CHUNK.size + size >= end if kind == b"RIFF" else at + CHUNK.size + size == end
                if trusted or _is_chunk(file, at + CHUNK.size + size + size % 2, end):
                    return {}
                return {0: b"RIFF", at + 4: TO_THE_END}
            at += CHUNK.size + size + size % 2
    return {}


def _is_chunk(file: BinaryIO, at: int, end: int) -> bool:
    """Return whether another chunk, or next to nothing, follows at that offset."""
    if at > end:
        return False
    if at + CHUNK.size > end:
        return True
    file.seek(at)
    name, size = CHUNK.unpack(file.read(CHUNK.size))
    return all(0x20 <= byte < 0x7F for byte in name) and at + CHUNK.size + size <= end
