"""A folder for files that live as long as a request; what a killed process left of one goes at the next start."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "echolens-scratch-"
LOCK = "in-use"


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder of one's own in the system's place for temporary files, and remove it in the end."""
    _remove_left_over()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    with FileLock(directory / LOCK):  # the operating system's: it ends with the process, however that ends
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _remove_left_over() -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with FileLock(directory / LOCK, timeout=0):
                shutil.rmtree(directory, ignore_errors=True)
        except (Timeout, OSError):  # another service's, or another user's
            continue
