"""A small upload: kept in memory, and written to a file only while it is decoded, if a decoder needs one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from index.disk import writing

PREFIX = "uploads-"  # of a process's folder, before the process's id


@dataclass(frozen=True)
class SmallUpload:
    """Hold a file's plain name and its bytes; `scratch`: the service's own folder, below which they may be written."""

    scratch: Path
    name: str
    content: bytes = field(repr=False)


@contextmanager
def on_disk(file: Path | SmallUpload) -> Iterator[Path]:
    """Return the path of a file; a small upload is there until the context ends. Raises LibraryError (full disk).

    Small uploads lie in a folder of this process, one at a time: to make and remove a folder for each takes longer than
    to read most of them.
    """
    if isinstance(file, Path):
        yield file
        return
    path = _folder(file.scratch, os.getpid()) / file.name
    try:
        with writing(path):
            try:
                path.write_bytes(file.content)
            except FileNotFoundError:  # something has tidied up the folder
                path.parent.mkdir(parents=True)
                path.write_bytes(file.content)
        yield path
    finally:
        path.unlink(missing_ok=True)


@cache
def _folder(scratch: Path, pid: int) -> Path:
    """Make a process's folder, and remove those that processes left which have ended."""
    for left in scratch.glob(f"{PREFIX}*"):
        if not _runs(left.name.removeprefix(PREFIX)):
            shutil.rmtree(left, ignore_errors=True)
    folder = scratch / f"{PREFIX}{pid}"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _runs(pid: str) -> bool:
    """Say whether a process runs that may still want its folder."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's by now
        return True
    return True
