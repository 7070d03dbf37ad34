"""Excerpts of a library's videos: made in a decoder, kept for a while, since a player asks for one many times."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from index.disk import writing
from index.library import Library
from index.records import Video
from model.errors import PastDeadline
from model.frontends.frontend import FrontEnd
from model.media.excerpts import MEDIA_TYPES, Format, format_of, write_excerpt
from model.media.medium import FOOTAGE, open_medium

VERSION = 2  # of how excerpts are made: other versions' are not sent
MOST_BYTES = 2 * 1024**3  # that are kept; those that were not asked for longest go first
MOST_WAIT_S = 60.0
Write = Callable[[Path], Format]  # writes the excerpt and says its format


def decode_excerpt(
    _: FrontEnd, original: Path, start_s: float, end_s: float, target: Path, audio_track: int | None = None
) -> Format:
    """Write an excerpt of a recording to `target`. Raises MediaError, LibraryError (full disk)."""
    medium = open_medium(original, FOOTAGE, audio_track)
    kind = format_of(medium)
    with writing(target):
        write_excerpt(medium, start_s, end_s, target)
    return kind


class Excerpts:
    """Make excerpts, few at a time so that questions find a free decoder, and keep them in the library's cache."""

    def __init__(self, library: Library, most_at_once: int) -> None:
        self._folder = library.cache / "excerpts"
        self._turns = threading.BoundedSemaphore(most_at_once)

    def get(self, video: Video, start_ms: int, end_ms: int, write: Write) -> tuple[Path, Format]:
        """Return the file of an excerpt and its format; made if it is not kept. Raises as `write` and PastDeadline."""
        name = f"{video.video_id}-{video.audio_track or 0}-{start_ms}-{end_ms}-{VERSION}"
        path, kind = self._kept(name) or self._in_turn(name, write)
        with suppress(FileNotFoundError):
            os.utime(path)
        return path, kind

    def _in_turn(self, name: str, write: Write) -> tuple[Path, Format]:
        if not self._turns.acquire(timeout=MOST_WAIT_S):
            raise PastDeadline(f"other excerpts took longer than {MOST_WAIT_S:g} s to make: ask again in a minute")
        try:
            return self._kept(name) or self._make(name, write)  # another may have made it meanwhile
        finally:
            self._turns.release()

    def _kept(self, name: str) -> tuple[Path, Format] | None:
        paths: dict[Format, Path] = {kind: self._folder / f"{name}.{kind}" for kind in MEDIA_TYPES}
        return next(((path, kind) for kind, path in paths.items() if path.exists()), None)

    def _make(self, name: str, write: Write) -> tuple[Path, Format]:
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{name}.{uuid.uuid4().hex}.partial"
        try:
            kind = write(partial)
            path = self._folder / f"{name}.{kind}"
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        self._make_room(path)
        return path, kind

    def _make_room(self, newest: Path) -> None:
        kept = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another thread may have removed it
                kept.append((path.stat().st_mtime, path.stat().st_size, path))
        over = sum(size for _, size, _ in kept) - MOST_BYTES
        for _, size, path in sorted(kept):
            if over <= 0:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                over -= size


def remove_excerpts(library: Library, video_id: str) -> None:
    """Remove the excerpts of a video."""
    for path in (library.cache / "excerpts").glob(f"{video_id}-*"):
        path.unlink(missing_ok=True)
