"""A library: the directory with the catalogue and everything that belongs to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from index.catalogue import Catalogue
from index.disk import writing
from model.errors import LibraryBusy, LibraryError

CATALOGUE = "catalogue.sqlite"
FOLDERS = ("cache", "checkpoints", "frontends", "previews", "media")
LOCK = "writer.lock"
KEYS = "keys.json"  # of the service; no part of the library: a snapshot leaves it out


@dataclass(frozen=True)
class Library:
    """Hold a library's paths and its catalogue; readers need no lock, writers take `writer()`."""

    directory: Path
    catalogue: Catalogue

    @classmethod
    def open(cls, directory: Path, create: bool = True) -> Library:
        """Open a library, or make one in a directory that is absent or empty.

        LibraryError if the path is a file, something else's directory or, without `create`, not there.
        """
        directory = directory.absolute()
        if not (directory / CATALOGUE).is_file():
            _check_free(directory, create)
        try:
            for name in FOLDERS:
                (directory / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"{directory} given, a writable directory expected ({error.strerror}): check its rights"
            ) from error
        return cls(directory, Catalogue(directory / CATALOGUE))

    @classmethod
    def inspect(cls, directory: Path) -> Library:
        """Open an existing library only for reading: nothing in it is made, upgraded or changed. LibraryError."""
        directory = directory.absolute()
        if not (directory / CATALOGUE).is_file():
            _check_free(directory, create=False)
        return cls(directory, Catalogue(directory / CATALOGUE, read_only=True))

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalogue."""
        self.catalogue.close()

    @property
    def cache(self) -> Path:
        """Return the directory of what can be made again: features and indexes."""
        return self.directory / "cache"

    @property
    def checkpoints(self) -> Path:
        """Return the directory of trained models."""
        return self.directory / "checkpoints"

    @property
    def frontends(self) -> Path:
        """Return the directory of the pinned weights of front-ends."""
        return self.directory / "frontends"

    @property
    def previews(self) -> Path:
        """Return the directory of frames and sounds for the page."""
        return self.directory / "previews"

    @property
    def media(self) -> Path:
        """Return the directory of uploads; files that were ingested from a path stay there."""
        return self.directory / "media"

    def sizes(self) -> dict[str, int]:
        """Return the bytes on the disk of the catalogue and of each folder."""
        sizes = {"catalogue": sum(p.stat().st_size for p in self.directory.glob(f"{CATALOGUE}*"))}
        return sizes | {name: _size(self.directory / name) for name in FOLDERS}

    def reference(self, path: Path | str) -> str:
        """Return how the catalogue names a file: relative to the library for its own, so that it can be moved."""
        return os.path.abspath(path).removeprefix(f"{self.directory}/")

    def locate(self, reference: str) -> Path:
        """Return the path of a file that the catalogue names; the inverse of `reference`."""
        return self.directory / reference

    def path_text(self, reference: str) -> str:
        """Return the path that `locate` returns as text, which an answer holds for each of its hits."""
        return reference if reference.startswith("/") else f"{self.directory}/{reference}"

    def features_path(self, video_sha256: str, frontend_id: str) -> Path:
        """Return the file of a video's features by one front-end; its folder is made."""
        if not frontend_id or frontend_id.startswith(".") or "/" in frontend_id or "\\" in frontend_id:
            raise ValueError(f"front-end id {frontend_id!r} given, a plain file name expected")
        folder = self.cache / "features" / frontend_id
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{video_sha256}.npz"

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Be the only writer among all processes and threads; LibraryBusy at once if there is another.

        The operating system holds the lock: it ends with the process, however that ends.
        """
        lock = FileLock(self.directory / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise LibraryBusy(
                f"{self.directory} is being written to by another process or job, one writer expected: "
                "wait until it is done"
            ) from error
        try:
            yield
        finally:
            lock.release()


def _check_free(directory: Path, create: bool) -> None:
    if directory.exists() and not directory.is_dir():
        raise LibraryError(f"{directory}, a file, given, a directory expected: name a library or an empty directory")
    if not create:
        raise LibraryError(f"{directory} given, an Echolens library expected: check the path or create one there")
    # `frontends pull` may come before the first library; a volume brings lost+found and hidden files.
    ours = {*FOLDERS, LOCK, KEYS, CATALOGUE, "lost+found"}
    strangers = [p.name for p in directory.iterdir()] if directory.exists() else []
    strangers = sorted(name for name in strangers if name not in ours and not name.startswith("."))
    if strangers:
        raise LibraryError(
            f"{directory} given, a library or an empty directory expected, it holds "
            f"{', '.join(strangers[:3])} but no {CATALOGUE}: "
            "name another directory, or ingest this one into a library elsewhere"
        )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another process may remove files meanwhile
            total += 0 if path.is_dir() else path.stat().st_size
    return total
