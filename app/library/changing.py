"""A file that changes while it is read is not taken: what was read is neither the old content nor the new."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from model.errors import Changing, MediaError
from model.media.medium import hash_file


class FileState(NamedTuple):
    """Hold what changes when a file is written to or replaced."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


def state_of(path: Path) -> FileState | None:
    """Return a file's state; None where it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def may_hold(path: Path, sha256: str) -> bool:
    """Say whether a file has this content, as one that was only touched has; true where it cannot be read now."""
    try:
        return hash_file(path) == sha256
    except OSError:
        return True


@contextmanager
def unchanged(path: Path, before: FileState | None) -> Iterator[None]:
    """Read a file; raise Changing where it is then not in the state that it was in before, whatever reading raised.

    A file that is being written may look damaged.
    """
    try:
        yield
    except MediaError:
        _check(path, before)
        raise
    _check(path, before)


def _check(path: Path, before: FileState | None) -> None:
    if state_of(path) != before:
        raise Changing(f"{path.name} changes while it is read: it is taken next time, once it is written")
