"""A file of rows of one kind and width, to which rows are added at the end; those that are there never change."""

from __future__ import annotations

import mmap
import os
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

CHUNK_BYTES = 1 << 24  # read at a time for a checksum
ROOM_BYTES = 1 << 16  # that are mapped at least
MOST_MAPPED_BYTES = 1 << 27  # of a file of which rows are read: the memory that this costs


class RowFile:
    """Hold `count` rows of `width` numbers of a dtype.

    One thread at a time may append. What was looked at before stays valid, also when the file is deleted.
    """

    def __init__(self, dtype: type[np.generic], width: int, path: Path | None = None) -> None:
        """Begin a new file, without a path one in memory alone. OSError if the disk refuses."""
        create = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._open(dtype, width, os.memfd_create("rows") if path is None else os.open(path, create, 0o666), 0)

    @classmethod
    def kept(cls, dtype: type[np.generic], width: int, path: Path, count: int, *, grows: bool) -> RowFile:
        """Open a file that has so many rows at least, and others behind them that do not count; `grows` to append.

        OSError if it cannot be read, or has fewer.
        """
        file = cls.__new__(cls)
        file._open(dtype, width, os.open(path, (os.O_RDWR if grows else os.O_RDONLY) | os.O_CLOEXEC), count)
        if os.fstat(file._file).st_size < count * file.row_bytes:
            raise OSError(f"{path} is too short")
        return file

    def _open(self, dtype: type[np.generic], width: int, file: int, count: int) -> None:
        self._file, self.dtype, self.width, self.count = file, np.dtype(dtype), width, count
        self.row_bytes = self.dtype.itemsize * width
        self._mapped: mmap.mmap | None = None
        self._has_grown = False

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def append(self, rows: Shaped[np.ndarray, "m width"]) -> memoryview:
        """Write rows behind those that are there, and return their bytes. OSError if the disk refuses."""
        self._has_grown = True
        content = np.ascontiguousarray(rows, self.dtype).reshape(-1).view(np.uint8).data
        at, left = self.count * self.row_bytes, content
        while left:
            written = os.pwrite(self._file, left, at)
            at, left = at + written, left[written:]
        self.count += len(rows)
        return content

    def view(self) -> Shaped[np.ndarray, "count width"]:
        """Return all rows as they lie in the file, of which memory holds what is looked at. OSError if that fails.

        A file that is added to is mapped with room for more, so that what is returned later shares memory with it.
        """
        needed = self.count * self.row_bytes
        if needed and (self._mapped is None or len(self._mapped) < needed):
            size = needed
            if self._has_grown:
                size = max(ROOM_BYTES, needed + needed // 4)
                os.ftruncate(self._file, max(size, os.fstat(self._file).st_size))  # takes no room on the disk
            self._mapped = mmap.mmap(self._file, size, access=mmap.ACCESS_READ)
        content = b"" if self._mapped is None else memoryview(self._mapped)[:needed]
        return np.frombuffer(content, self.dtype).reshape(self.count, self.width)

    def read(self, rows: Int64[np.ndarray, "m"]) -> Shaped[np.ndarray, "m width"]:
        """Return a copy of some rows, in order. OSError if the disk fails.

        A small file is mapped, which takes half as long. Of a large one memory would soon hold all: with a row that is
        looked at Linux maps what it has read round it.
        """
        if 0 < self.count * self.row_bytes <= MOST_MAPPED_BYTES:
            whole = self._whole()
            if len(beyond := rows[rows >= len(whole)]):
                raise OSError(f"row {beyond[0]} is not in the file")
            return np.asarray(whole[rows])
        found = np.empty((len(rows), self.width), self.dtype)
        content, size = found.reshape(-1).view(np.uint8).data, self.row_bytes
        for at, row in zip(range(0, len(content), size), rows.tolist(), strict=True):
            if os.preadv(self._file, [content[at : at + size]], row * size) != size:
                raise OSError(f"row {row} is not in the file")
        return found

    def _whole(self) -> Shaped[np.ndarray, "rows width"]:
        """Return the rows of the file as it is now. OSError if that fails."""
        mapped, needed = self._mapped, self.count * self.row_bytes
        if mapped is None or len(mapped) < needed:
            size = os.fstat(self._file).st_size
            if size < needed:
                raise OSError("the file is too short")
            self._mapped = mapped = mmap.mmap(self._file, size, access=mmap.ACCESS_READ)
        rows = len(mapped) // self.row_bytes
        return np.frombuffer(mapped, self.dtype, rows * self.width).reshape(rows, self.width)

    def checksum(self) -> int:
        """Return the CRC-32 of all rows. OSError if the disk fails."""
        value, at, size = 0, 0, self.count * self.row_bytes
        while at < size:
            part = os.pread(self._file, min(CHUNK_BYTES, size - at), at)
            if not part:
                raise OSError("the file is too short")
            value, at = zlib.crc32(part, value), at + len(part)
        return value
