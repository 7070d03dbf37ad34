"""Show a part of a file as a file of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Part(io.RawIOBase):
    """Show the bytes of a range of a file; it has no name by which a decoder could judge it."""

    def __init__(self, file: io.BufferedReader, part: range) -> None:
        self._file, self._part, self._at = file, part, 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be sought in."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._part)}[whence]
        return self._at

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer."""
        self._file.seek(self._part.start + self._at)
        data = self._file.read(max(0, min(len(buffer), len(self._part) - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@contextmanager
def opened(path: Path, part: range | None) -> Iterator[io.BufferedReader]:
    """Open a file, or a part of it."""
    with path.open("rb") as file:
        yield file if part is None else io.BufferedReader(Part(file, part))
