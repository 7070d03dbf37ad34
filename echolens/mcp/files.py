"""Which files of this machine an assistant may send to the service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class FileRefused(Exception):
    """A file that is absent, or that lies where no assistant may read."""


class AllowedFiles:
    """Find files in some directories and below, and nowhere else; without a directory, none."""

    def __init__(self, directories: Iterable[Path] = ()) -> None:
        self._directories = tuple(directory.resolve() for directory in directories)

    @property
    def described(self) -> str:
        """Tell an assistant which files it may name."""
        return f"Files below {self._shown} can be asked by." if self._directories else "No file can be asked by."

    def find(self, name: str) -> Path:
        """Return the path of a file that is given by its path, or relative to one of the directories.

        Links are followed first, so that none leads out. Raises FileRefused.
        """
        if not self._directories:
            raise FileRefused(
                "a file given, but this server may read none: start it with --files DIRECTORY, or ask by text or by "
                "segment_id"
            )
        inside = [path for path in self._places(name) if self._allows(path)]
        if not inside:
            raise FileRefused(f"{name} given, a file below {self._shown} expected: this server reads no others")
        for path in inside:
            if path.is_file():  # no pipe and no device: they may have no end
                return path
        raise FileRefused(f"{name} given, which is no file: check its name; files are looked for below {self._shown}")

    def _places(self, name: str) -> list[Path]:
        try:
            given = Path(name).expanduser()
            return [(directory / given).resolve() for directory in self._directories]
        except (ValueError, RuntimeError, OSError) as error:  # a null byte, an unknown user, links in a circle
            raise FileRefused(f"{name!r} given, the path of a file expected: {error}") from error

    def _allows(self, path: Path) -> bool:
        return any(path.is_relative_to(directory) for directory in self._directories)

    @property
    def _shown(self) -> str:
        return " or ".join(map(str, self._directories))
