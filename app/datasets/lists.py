"""Read list files line by line, and find the media that they name."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model.errors import DatasetError

ENDINGS = ("mp4", "mkv", "webm", "mov", "avi", "flv", "m4a", "wav", "flac", "mp3", "ogg", "opus")


@dataclass(frozen=True)
class Line:
    """Hold a line of a list without its end; `number` counts from 1, `where` names it for messages."""

    where: str
    number: int
    text: str

    def columns(self) -> list[str]:
        """Return its columns as of a CSV; a quoted one may hold commas. Raises csv.Error."""
        return next(csv.reader([self.text], skipinitialspace=True))


def lines_of(path: Path) -> Iterator[Line]:
    """Yield the lines of a text file that are not blank; bytes that are not UTF-8 become lone surrogates.

    Raises DatasetError where it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield Line(f"{path.name}, line {number}", number, text.rstrip("\r\n"))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror})") from error


class MediaFolders:
    """Find media by their names without an ending in some folders of a data set, in order; never outside it."""

    def __init__(self, root: Path, folders: Iterable[str]) -> None:
        inner = (root.joinpath(*parts) for folder in folders if ".." not in (parts := folder.split("/")))
        self._folders = [str(folder) for folder in inner if os.path.isdir(folder)]

    def find(self, *stems: str, endings: Iterable[str] = ENDINGS) -> Path | None:
        """Return the file of the first name that is there; None where none is, or a name leads out of the folder."""
        for stem in stems:
            if stem.startswith("/") or ".." in stem.split("/"):
                continue
            for folder in self._folders:
                for ending in endings:
                    if os.path.isfile(path := f"{folder}/{stem}.{ending}"):  # False, too, for an impossible name
                        return Path(path)
        return None


def same_named(directory: Path, pattern: str) -> list[Path]:
    """Return the files of a directory that match a pattern, in order of their names. Raises DatasetError."""
    if not directory.is_dir():
        raise DatasetError(f"{directory} is no directory")
    return sorted(path for path in directory.glob(pattern) if path.is_file())
