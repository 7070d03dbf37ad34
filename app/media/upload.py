"""A small upload: held in memory until it is decoded, in a file only where and while that is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from index.disk import writing


@dataclass(frozen=True)
class SmallUpload:
    """Hold a file's bytes, and where they may be written, in a folder of their own."""

    path: Path
    content: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Return the file's name, for messages."""
        return self.path.name


@contextmanager
def on_disk(file: Path | SmallUpload) -> Iterator[Path]:
    """Return the path of a file; what is held is written for so long. Raises LibraryError, as on a full disk."""
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
