"""A small upload: kept in memory, and written to a file only while it is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from index.disk import writing


@dataclass(frozen=True)
class SmallUpload:
    """Hold a file's bytes, and the path that they may be written to, in a folder of its own."""

    path: Path
    content: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Return the file's name, for messages."""
        return self.path.name


@contextmanager
def on_disk(file: Path | SmallUpload) -> Iterator[Path]:
    """Return the path of a file; a small upload is there until the context ends. Raises LibraryError (full disk)."""
    if isinstance(file, Path):
        yield file
        return
    with writing(file.path.parent):
        file.path.parent.mkdir(parents=True, exist_ok=True)  # a process that was killed may have made it
    try:
        with writing(file.path):
            file.path.write_bytes(file.content)
        yield file.path
    finally:
        file.path.unlink(missing_ok=True)
        file.path.parent.rmdir()
