"""Directories that are watched: what is new in them is found once it has stopped changing, and nothing is read.

The file system says when to look; what changed is found by looking, at names, sizes and times. So nothing hangs on an
event: one that was lost, or that a network share never sent, is made up for by the next look.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from app.library.examined import RETRY_S, sort_out_news, stamp_of
from app.library.listing import Listed, Listing
from app.library.missing import gone_from, holds_anything
from app.library.source import Source
from index.library import Library
from index.records import FileStamp
from model.errors import EcholensError, LibraryError

log = logging.getLogger("echolens")
SETTLE_S = 5.0
RESCAN_S = 300.0
MOST_SHARE, MOST_SHARE_AT_REST = 1 / 20, 1 / 200  # of one core that looking takes, while something changes and not
CHECK_S = 5.0  # between two glances at whether the directories themselves are still there
ABSENT = "%s, which is watched, is not there, empty or not readable: it is looked for again"
UNREADABLE = "%s, which is watched, cannot be read: give the user that runs Echolens the right to read and enter it"
REFUSED = "%s, which is watched, cannot be looked at: it is tried again"
SILENT = "no events come from %s: it is looked at from time to time"
STEP_MS, MOST_GATHERED_MS = 250, 1000  # how often events are fetched, and how long they are gathered


Since = dict[tuple[str, str], tuple[FileStamp | None, float]]  # by an item's key: how it was, and a time of a clock


class Item(NamedTuple):
    """Name one thing to be done: a file to read, or a video whose file is back or gone; `name` is its path or id.

    `folder`: the one that it lies in, or the nearest above it that is there and not empty.
    """

    kind: Literal["file", "back", "gone"]
    name: str
    folder: str
    stamp: FileStamp | None = None
    source: Source | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells it from others."""
        return self.kind, self.name


@dataclass(frozen=True)
class Find:
    """Hold what has come to rest in one watched directory."""

    items: tuple[Item, ...]

    @property
    def sources(self) -> list[Source]:
        """Return the files that are to be read, by their paths."""
        return [item.source for item in self.items if item.source is not None]

    @property
    def back(self) -> list[str]:
        """Return the ids of videos that were missing and whose files are there again, unchanged."""
        return [item.name for item in self.items if item.kind == "back"]

    @property
    def folder(self) -> Path:
        """Return the deepest folder that holds everything."""
        return Path(os.path.commonpath([item.folder for item in self.items]))


class Watch:
    """Look at directories when something happens in them, and from time to time; one thread uses it.

    A directory that is not there, or is empty, is left alone until it is back.
    """

    def __init__(
        self,
        library: Library,
        directories: Sequence[Path],
        list_below: Callable[[Path], Listing],
        path_of: Callable[[Listed], Path],
        settle_s: float = SETTLE_S,
        rescan_s: float = RESCAN_S,
    ) -> None:
        """`path_of`: where a listed file is read; `settle_s`: how long a file must stay as it is to count as written.

        `rescan_s`: how long to wait for an event before looking without one.
        """
        self._library, self._directories = library, [Path(os.path.abspath(directory)) for directory in directories]
        self._list, self._path_of = list_below, path_of
        self._settle_s, self._rescan_s = settle_s, rescan_s
        self._seen: Since = {}  # what is to be done, and since when it is as it is
        self._handed: Since = {}  # what others see to, and since when
        self._told: dict[tuple[str, Path | None], frozenset[str]] = {}
        self._next_s = self._earliest_s = 0.0
        self._places: list[tuple[int, int] | None] = []
        self._events: RustNotify | None = None

    def close(self) -> None:
        """Stop listening to the file system."""
        if self._events is not None:
            self._events.close()
            self._events = None

    def look(self) -> list[Find]:
        """Return what has come to rest, by directory; it is returned again until it was handed over.

        A directory that cannot be looked at is logged and left out. Raises LibraryError.
        """
        began_s, computed_s = time.monotonic(), time.thread_time()
        seen: Since = {}
        finds, is_unrest = [], False
        self._listen()  # before looking: what comes later is an event. Anew: a disk that was mounted since sends none
        for directory in self._directories:
            at_rest = []
            for item in self._news_unless_refused(directory):
                before = self._seen.get(item.key)
                since_s = before[1] if before is not None and before[0] == item.stamp else time.monotonic()
                seen[item.key] = item.stamp, since_s
                if self._was_handed(item):
                    continue
                if began_s - since_s >= self._settle_s:
                    at_rest.append(item)
                else:
                    is_unrest = True
            if at_rest:
                finds.append(Find(tuple(at_rest)))
        self._seen = seen
        self._handed = {key: handed for key, handed in self._handed.items() if key in seen}
        self._plan(time.thread_time() - computed_s, bool(finds) or is_unrest)
        if finds:
            self.close()  # nobody fetches events while files are read
        return finds

    def hand_over(self, find: Find) -> None:
        """Take in that others see to a find: it is not found again for an hour, unless it changes."""
        now_s = time.monotonic()
        self._handed |= {item.key: (item.stamp, now_s) for item in find.items}

    def wait(self, stop: threading.Event) -> None:
        """Wait until it is time to look again, or told to stop."""
        stop.wait(max(0.0, self._earliest_s - time.monotonic()))
        while not stop.is_set() and (left_s := self._next_s - time.monotonic()) > 0:
            if self._are_others() or self._happens(stop, min(CHECK_S, left_s)):
                return

    def _news_unless_refused(self, directory: Path) -> list[Item]:
        try:
            news = self._news_of(directory)
        except LibraryError:  # not this directory's fault
            raise
        except (EcholensError, OSError) as error:  # such as a link that leads out of what may be ingested now
            self._tell(REFUSED, directory, [f"{directory} ({error})"])
            return []
        self._tell(REFUSED, directory, [])
        return news

    def _news_of(self, directory: Path) -> list[Item]:
        """Return all that is to be done in a directory; nothing where it is not there."""
        is_there = holds_anything(directory)
        self._tell(ABSENT, directory, [] if is_there else [directory])
        if not is_there:
            return []
        listing = self._list(directory)
        self._tell(UNREADABLE, directory, [p for p, _ in listing.unreadable])
        files = [(listed, self._path_of(listed)) for listed in listing.files]
        sources = [Source(path, listed.path.name, listed=not listed.named) for listed, path in files]
        stamps = [stamp_of(source.path) for source in sources]
        news = sort_out_news(self._library, sources, stamps)
        gone = gone_from(self._library, directory, {str(path) for _, path in files})
        if not (news.to_read or news.back or gone):
            return []
        folders = {path: str(listed.path.parent) for listed, path in files}
        stamp_at = {source.path: stamp for source, stamp in zip(sources, stamps, strict=True)}
        items = [Item("file", str(s.path), folders[s.path], stamp_at[s.path], s) for s in news.to_read]
        items += [Item("back", video_id, str(directory)) for video_id in news.back]
        return items + [
            Item("gone", v.video_id, _nearest(self._library.locate(v.path).parent, directory)) for v in gone
        ]

    def _was_handed(self, item: Item) -> bool:
        stamp, at_s = self._handed.get(item.key, (None, -RETRY_S))
        return item.key in self._handed and stamp == item.stamp and time.monotonic() - at_s < RETRY_S

    def _plan(self, computed_s: float, is_unrest: bool) -> None:
        """Set when to look next: soon while something changes, and never so often that it takes a core."""
        now_s = time.monotonic()
        self._earliest_s = now_s + max(self._settle_s, computed_s / MOST_SHARE)
        rest_s = max(self._rescan_s, computed_s / MOST_SHARE_AT_REST)
        self._next_s = self._earliest_s if is_unrest else now_s + rest_s

    def _are_others(self) -> bool:
        """Say whether one of the directories has left, come, or is another one now."""
        return _places_of(self._directories) != self._places

    def _listen(self) -> None:
        """Have the file system tell of what happens in the directories that are there."""
        self.close()
        self._places = _places_of(self._directories)
        there = [str(d) for d, place in zip(self._directories, self._places, strict=True) if place is not None]
        silent = []
        try:
            self._events = RustNotify(there, False, False, 0, True, True) if there else None
        except (OSError, WatchfilesRustInternalError) as error:
            silent = [f"{', '.join(there)} ({error})"]
        self._tell(SILENT, None, silent)

    def _happens(self, stop: threading.Event, seconds: float) -> bool:
        """Wait for an event outside the library; return whether there was one."""
        if self._events is None:
            stop.wait(seconds)
            return False
        try:
            events = self._events.watch(MOST_GATHERED_MS, STEP_MS, max(1, int(1000 * seconds)), stop)
        except (OSError, WatchfilesRustInternalError) as error:
            log.warning("events have stopped (%s): it is looked at from time to time", error)
            self.close()
            return True
        own = f"{self._library.directory}/"
        return not isinstance(events, str) and any(not path.startswith(own) for _, path in events)

    def _tell(self, text: str, directory: Path | None, about: Iterable[Path | str]) -> None:
        """Log what is said of paths of a directory, or of all, each once until it is no longer so."""
        now = frozenset(map(str, about))
        for path in sorted(now - self._told.get((text, directory), frozenset())):
            log.warning(text, path)
        self._told[text, directory] = now


def _nearest(folder: Path, directory: Path) -> str:
    """Return a folder of a directory, or the nearest above it that is there and not empty."""
    while folder != directory and not holds_anything(folder):
        folder = folder.parent
    return str(folder)


def _places_of(directories: Sequence[Path]) -> list[tuple[int, int] | None]:
    """Return which directories are at paths, by device and inode; None for none."""
    places: list[tuple[int, int] | None] = []
    for directory in directories:
        try:
            found = os.stat(directory)
            places.append((found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None)
        except OSError:
            places.append(None)
    return places
