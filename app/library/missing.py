"""Videos whose files are gone from a directory are marked: they are not searched until their files are back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from index.library import Library
from index.records import Video

NAMED = 3


def mark_gone(library: Library, directories: Iterable[Path]) -> list[Video]:
    """Mark the videos of directories whose files are gone, and return those for which that is news.

    A directory that is empty or cannot be read marks nothing: its disk may not be there.
    """
    gone: dict[str, Video] = {}
    for directory in directories:
        if _holds_anything(str(directory)):
            videos = library.catalogue.videos_below(library.reference(directory))
            gone |= {v.video_id: v for v in videos if not v.missing and _is_gone(library.locate(v.path), v)}
    library.catalogue.mark_missing(gone)
    return list(gone.values())


def report(gone: list[Video]) -> str:
    """Say which videos went missing."""
    names = ", ".join(video.file_name for video in gone[:NAMED]) + (", ..." if len(gone) > NAMED else "")
    count = "1 video" if len(gone) == 1 else f"{len(gone):,} videos"
    return f"{count} went missing: {names}. They are not searched until their files are back."


def _is_gone(path: Path, video: Video) -> bool:
    """Say whether there is no such file, and that not because the disk of a folder above it is not there.

    The folder on which a disk is put is empty without it, and was not changed since the video came in.
    """
    real = os.path.realpath(path)
    try:
        os.stat(real)
        return False
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        return False
    folder = os.path.dirname(real)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        changed_at = os.stat(folder).st_mtime
    except OSError:
        return False
    return _holds_anything(folder) or changed_at > datetime.fromisoformat(video.added_at).timestamp()


def _holds_anything(directory: str) -> bool:
    try:
        with os.scandir(directory) as found:
            return any(True for _ in found)
    except OSError:
        return False
