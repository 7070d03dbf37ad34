"""Write to a disk: turn the system's refusals into LibraryError, and flush what must survive a power failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import LibraryError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError while writing below a path (disk full, no rights) into a LibraryError."""
    try:
        yield
    except OSError as error:
        raise refused(path, error) from error


def refused(path: Path, error: Exception) -> LibraryError:
    """Return the error for a path that could not be written to."""
    return LibraryError(
        f"{path} given, a disk with room and the right to write expected ({error}): nothing that was there before is "
        "lost; free some space or choose another place, then run the command again"
    )


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a directory's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
