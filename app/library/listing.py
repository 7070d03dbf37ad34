"""Which files of a directory may be footage: all of them, since content decides, but for what systems leave there."""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.library.names import (
    HEAD_BYTES,
    is_hidden,
    is_named_as_medium,
    is_shared_ending,
    is_system_folder,
    is_unfinished,
    looks_like_text,
    side_files,
)
from index.library import CATALOGUE
from model.errors import EmptyFile, MediaError, NotAMedium

HIDDEN, SYSTEM, SIDE, LIBRARY = "hidden", "system folders", "side files", "Echolens libraries"
UNFINISHED = "unfinished copies and downloads"
AGAIN, ABOVE = "reached twice", "links to folders above"
BROKEN, SPECIAL, NO_MEDIA = "links that lead nowhere", "pipes, sockets and devices", "no media"


@dataclass(frozen=True)
class Listed:
    """Name a file: `path` as it is listed, `real` with links followed; `named`: by a person, not by a directory."""

    path: Path
    real: Path
    named: bool = False


@dataclass
class PassedOver:
    """Count what is no footage, by kind, each with the first name."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def count(self, kind: str, name: str, number: int = 1) -> None:
        """Count some of a kind."""
        self.counts[kind] += number
        self.examples.setdefault(kind, _printable(name))

    def __str__(self) -> str:
        """Say it in one line; empty where there is nothing."""
        kinds = (f"{count:,} {kind} (such as {self.examples[kind]})" for kind, count in self.counts.items() if count)
        line = ", ".join(kinds)
        return line and f"Passed over: {line}."


@dataclass(frozen=True)
class Listing:
    """Hold the files that were found, in the order of their paths.

    `unreadable`: directories that cannot be looked into, with the reason; `outside`: links that lead where nothing may
    be read.
    """

    files: tuple[Listed, ...]
    unreadable: tuple[tuple[Path, str], ...] = ()
    outside: tuple[Path, ...] = ()
    passed: PassedOver = field(default_factory=PassedOver)


def list_files(paths: Iterable[Path], holds: Callable[[Path], bool] = lambda _: True) -> Listing:
    """Return the files named, and below the directories named all ordinary ones by their paths, each once.

    A link is followed where `holds` allows the real path behind it; what is reached without a link comes first. A file
    that is named is taken whatever it is called.
    """
    walk = _Walk(holds)
    for path in paths:
        walk.take(Path(os.path.abspath(path)))
    walk.follow_links()
    return Listing(tuple(walk.in_order()), tuple(walk.unreadable), tuple(sorted(walk.outside)), walk.passed)


def refusal(name: str, reason: str) -> str:
    """Say that a directory cannot be looked into, and what to do."""
    return (
        f"the directory {name} cannot be read ({reason}): give the user that runs Echolens the right to read and enter "
        "it, and ingest it again"
    )


def is_no_medium(path: Path, error: MediaError) -> bool:
    """Say whether a file of a directory that could not be taken is no medium, rather than one that is broken."""
    if is_shared_ending(path.name) or _printable(path.name) != path.name:
        return _is_text(path)
    return isinstance(error, (NotAMedium, EmptyFile)) and not is_named_as_medium(path.name)


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return looks_like_text(file.read(HEAD_BYTES))
    except OSError:
        return False


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()


class _Walk:
    """Collect files by their real paths; a directory is entered once."""

    def __init__(self, holds: Callable[[Path], bool]) -> None:
        self._files: dict[str, tuple[int, Listed]] = {}
        self.unreadable: list[tuple[Path, str]] = []
        self.outside: list[Path] = []
        self.passed = PassedOver()
        self._holds, self._entered = holds, set[str]()
        self._links: deque[tuple[int, str]] = deque()
        self._roots: list[str] = []

    def take(self, path: Path) -> None:
        """Take what a person named."""
        real = os.path.realpath(path)
        self._roots.append(real)
        if os.path.isdir(path):  # False for a name that is too long: opening it says so
            self._enter(str(path), real)
        else:
            self._files[real] = len(self._roots), Listed(path, Path(real), named=True)

    def follow_links(self) -> None:
        """Take what links lead to and is not there already."""
        while self._links:
            root, link = self._links.popleft()
            real, name = os.path.realpath(link), os.path.basename(link)
            try:
                mode = os.stat(link).st_mode
            except OSError:
                self.passed.count(BROKEN, name)
                continue
            if not self._holds(Path(real)):
                self.outside.append(Path(link))
            elif real in self._files or real in self._entered:
                self.passed.count(AGAIN, name)
            elif stat.S_ISREG(mode):
                self._files[real] = root, Listed(Path(link), Path(real))
            elif not stat.S_ISDIR(mode):
                self.passed.count(SPECIAL, name)
            elif any(taken.startswith(f"{real.rstrip('/')}/") for taken in self._roots):
                self.passed.count(ABOVE, name)  # it would bring in what nobody named
            else:
                self._enter(link, real)

    def in_order(self) -> list[Listed]:
        """Return the files as they were named, and below a directory by their paths."""
        found = sorted(self._files.values(), key=lambda item: (item[0], item[1].path.parts))
        return [listed for _, listed in found]

    def _enter(self, listed: str, real: str) -> None:
        """Take the files below a directory; its links wait."""
        folders = [(listed, real)]
        while folders:
            listed, real = folders.pop()
            if real in self._entered:
                self.passed.count(AGAIN, os.path.basename(listed))
                continue
            self._entered.add(real)
            try:
                os.stat(os.path.join(listed, "."))  # names can be read without the right to enter; files then cannot
                with os.scandir(listed) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                self.unreadable.append((Path(listed), error.strerror or str(error)))
                continue
            folders += reversed(list(self._sort(entries, listed, real)))

    def _sort(self, entries: list[os.DirEntry[str]], listed: str, real: str) -> Iterator[tuple[str, str]]:
        """Take a directory's files, and yield its folders."""
        names = {entry.name for entry in entries}
        if {CATALOGUE, "previews"} <= names:
            self.passed.count(LIBRARY, os.path.basename(listed))
            return
        beside, parent = side_files(names), os.path.basename(real)
        for entry in entries:
            name, path = entry.name, os.path.join(listed, entry.name)
            try:
                is_folder, is_file = entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False)
            except OSError:  # its kind cannot be read: opening it says why
                is_folder, is_file = False, True
            if is_hidden(name):
                self.passed.count(HIDDEN, name)
            elif name in beside and not is_folder:
                self.passed.count(SIDE, name)
            elif is_unfinished(name) and not is_folder:
                self.passed.count(UNFINISHED, name)
            elif (is_folder or entry.is_symlink()) and is_system_folder(name, parent):
                self.passed.count(SYSTEM, name)
            elif entry.is_symlink():
                self._links.append((len(self._roots), path))
            elif is_folder:
                yield path, os.path.join(real, name)
            elif is_file:
                inside = os.path.join(real, name)
                listed_path = Path(path)
                real_path = listed_path if inside == path else Path(inside)
                self._files.setdefault(inside, (len(self._roots), Listed(listed_path, real_path)))
            else:
                self.passed.count(SPECIAL, name)
