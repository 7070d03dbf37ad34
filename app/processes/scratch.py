"""A folder for files that live as long as a request; what a killed process left of one goes at the next start."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.util import Finalize
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "elscratch-"  # short: multiprocessing puts sockets below it, whose paths have 107 characters at most
LOCK = "in-use"
LAST = -101  # of what multiprocessing does when a process ends: its own folder of sockets goes before, at -100


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a private folder in the system's temporary directory, and remove it at the end."""
    directory, lock = _make()
    try:
        yield directory
    finally:
        _remove(directory, lock)


def use_scratch() -> None:
    """Put all temporary files of this process and its children into one folder, which is removed when it ends."""
    directory, lock = _make()
    Finalize(None, _remove, (directory, lock), exitpriority=LAST)
    os.environ["TMPDIR"] = tempfile.tempdir = str(directory)


def _make() -> tuple[Path, FileLock]:
    """Make a folder and lock it. The operating system releases the lock when the process ends, however it ends."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with FileLock(left / LOCK, timeout=0):
                shutil.rmtree(left, ignore_errors=True)
        except (Timeout, OSError):  # another service's, or another user's
            continue
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = FileLock(directory / LOCK)
    lock.acquire()
    return directory, lock


def _remove(directory: Path, lock: FileLock) -> None:
    lock.release()
    shutil.rmtree(directory, ignore_errors=True)
