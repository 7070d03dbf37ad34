"""Videos whose files are gone from a directory are marked: they are not searched until their files are back."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from index.library import Library
from index.records import Video
from model.errors import NotFound

NAMED = 3


def mark_gone(library: Library, directories: Iterable[Path]) -> list[Video]:
    """Mark the videos of directories whose files are gone, and return those for which that is news.

    A directory that is empty or cannot be read marks nothing: its disk may not be there.
    """
    gone = {video.video_id: video for directory in directories for video in gone_from(library, directory)}
    library.catalogue.mark_missing(gone)
    return list(gone.values())


def gone_from(library: Library, directory: Path, there: Container[str] = ()) -> list[Video]:
    """Return the videos that `mark_gone` would mark; `there`: the references of files that are known to be there."""
    if not holds_anything(directory):
        return []
    files = library.catalogue.files_below(library.reference(directory))
    absent = [(video_id, path) for video_id, path in files if path not in there and not lies_at(library.locate(path))]
    gone = []
    for video_id, path in absent:
        with suppress(NotFound):  # deleted meanwhile
            video = library.catalogue.video(video_id)
            if _is_gone(library.locate(path), video):
                gone.append(video)
    return gone if holds_anything(directory) else []  # its disk may have left meanwhile


def mark_back(library: Library, video_ids: Sequence[str]) -> int:
    """Mark that the files of videos are there again; return for how many that is news."""
    return library.catalogue.mark_missing(video_ids, missing=False) if video_ids else 0


def report_back(number: int) -> str:
    """Say how many videos were missing and are not any more."""
    return (
        "1 video that was missing is there again."
        if number == 1
        else f"{number:,} videos that were missing are there again."
    )


def report(gone: list[Video]) -> str:
    """Say which videos went missing."""
    names = ", ".join(video.file_name for video in gone[:NAMED]) + (", ..." if len(gone) > NAMED else "")
    count = "1 video" if len(gone) == 1 else f"{len(gone):,} videos"
    return f"{count} went missing: {names}. They are not searched until their files are back."


def holds_anything(directory: Path) -> bool:
    """Say whether a directory can be read and is not empty."""
    try:
        with os.scandir(directory) as found:
            return any(True for _ in found)
    except OSError:
        return False


def lies_at(path: Path) -> bool:
    """Say whether there is a file at a path, or may be: the rights or the disk do not let it be seen."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _is_gone(path: Path, video: Video) -> bool:
    """Say whether there is no such file, and that not because the disk of a folder above it is not there.

    The folder on which a disk is put is empty without it, and was not changed since the video came in.
    """
    real = os.path.realpath(path)
    if lies_at(Path(real)):
        return False
    folder = os.path.dirname(real)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        changed_at = os.stat(folder).st_mtime
    except OSError:
        return False
    return holds_anything(Path(folder)) or changed_at > datetime.fromisoformat(video.added_at).timestamp()
