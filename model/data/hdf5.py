"""Arrays in HDF5 files, also in one that was cut off, as by a download that stopped."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Num

FAR_BYTES = 1 << 48  # longer than any file


def read_hdf5(path: Path, name: str) -> Num[np.ndarray, "..."]:
    """Return a whole array. Raises OSError for a file that was cut off or is none, LookupError for another name."""
    with h5py.File(path, "r") as file:
        values: Num[np.ndarray, "..."] = file[name][()]
    return values


def read_whole_rows(path: Path, name: str) -> tuple[Num[np.ndarray, "rows ..."], int]:
    """Return the rows of an array that are there to the last byte, and how many it was written with.

    Where a file was cut off, only an array that was written in one piece is known to have whole rows.

    Raises OSError for a file of which no row can be read, LookupError for another name.
    """
    try:
        values = read_hdf5(path, name)
        return values, values.shape[0] if values.ndim else 0
    except OSError:
        if not path.is_file():
            raise
        with path.open("rb", buffering=0) as rest, h5py.File(_Endless(rest), "r") as file:
            array = file[name]
            start_byte = array.id.get_offset() if isinstance(array, h5py.Dataset) and len(array) else None
            if start_byte is None:  # in pieces, or compressed
                raise
            row_bytes = array.nbytes // len(array)
            whole = min(len(array), (path.stat().st_size - start_byte) // row_bytes)
            if whole < 1:
                raise
            return array[:whole], len(array)


class _Endless(io.RawIOBase):
    """Read a file as if zeros followed it: HDF5 opens none that is shorter than it was written."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file, self._at = file, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: FAR_BYTES}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        self._file.seek(self._at)
        read = self._file.readinto(buffer) or 0
        buffer[read:] = bytes(len(buffer) - read)
        self._at += len(buffer)
        return len(buffer)
