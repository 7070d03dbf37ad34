"""A file that is as it was when it was read is not read again: its size and times say so, at the price of a look."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.library.source import Outcome, Source, printable
from index.library import Library
from index.records import ExaminedFile, FileStamp
from model.errors import DecoderDied, NotReadable, TookTooLong, TooMuchMemory
from model.media.medium import DECODING

# A file that was written to so shortly before it was read may be written to once more without a later time: file
# systems have clocks as coarse as 2 s.
COARSEST_CLOCK_NS = 2 * 10**9
RETRY_S = 3600.0  # until a watch has a file read again that is as it was when that failed
PASSING = (DecoderDied.code, TookTooLong.code, TooMuchMemory.code)  # it may be the machine's fault, not the file's


@dataclass(frozen=True)
class Sorted:
    """Hold the files that are to be read, in order, and the videos that were missing and whose files are back."""

    to_read: tuple[Source, ...]
    back: tuple[str, ...]


def stamp_of(path: Path) -> FileStamp | None:
    """Return a file's size and times; None where it cannot be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return FileStamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def stamp_to_note(path: Path) -> FileStamp | None:
    """Return the stamp of a file that is about to be read; None where a later write may leave it as it is."""
    now_ns, stamp = time.time_ns(), stamp_of(path)
    return None if stamp is None or abs(now_ns - stamp.changed_ns) < COARSEST_CLOCK_NS else stamp


def note_examined(library: Library, source: Source, stamp: FileStamp | None, outcome: Outcome) -> None:
    """Note that a file was read; `stamp`: what `stamp_to_note` returned before.

    One that could not be read to its end is not noted.
    """
    if source.uploaded or stamp is None or outcome.state == "changing" or outcome.code in PASSING:
        return
    if outcome.code == NotReadable.code and printable(source.path) == str(source.path):  # rights, or a disk
        return
    library.catalogue.put_examined([(_reference(library, source.path), stamp, outcome.video_id)])


def sort_out(library: Library, sources: Sequence[Source]) -> Sorted:
    """Return what is to be read where a person names files: all but those of whole videos that have not changed."""
    to_read, back = [], []
    paths = [_reference(library, source.path) for source in sources]
    for source, path, examined in zip(sources, paths, library.catalogue.examined(paths), strict=True):
        asked = source.annotation is not None or source.audio_track is not None
        if asked or examined is None or not _is_whole_at(examined, path) or examined.stamp != stamp_of(source.path):
            to_read.append(source)
        elif examined.video is not None and examined.video.missing:
            back.append(examined.video.video_id)
    return Sorted(tuple(to_read), tuple(back))


def sort_out_news(library: Library, sources: Sequence[Source], stamps: Sequence[FileStamp | None]) -> Sorted:
    """Return what a watch is to read: files that were never read or have changed since; `stamps`: as they are now.

    What was no medium, was refused, or is a video that a person has deleted is left until its file changes; what failed
    in a way that may pass, until it changes or an hour has passed. What an older release took in counts as read as long
    as its size and date are those of its video.
    """
    to_read, back, adopted = [], [], []
    paths = [_reference(library, source.path) for source in sources]
    examined_files = library.catalogue.examined(paths)
    for source, stamp, path, examined in zip(sources, stamps, paths, examined_files, strict=True):
        if stamp is None:  # gone, or its folder cannot be entered
            continue
        if examined is None:
            if (video_id := _taken_in_before(library, path, stamp)) is None:
                to_read.append(source)
            else:
                adopted.append((path, stamp, video_id))
            continue
        video = examined.video
        if examined.stamp != stamp or (video is not None and not video.complete):
            to_read.append(source)
        elif video is not None and video.path == path:
            if video.missing:
                back.append(video.video_id)
        elif video is not None and (video.missing or not _lies_unchanged(library, video.path)):
            to_read.append(source)  # a copy, which may have to take its place
    if adopted:
        library.catalogue.put_examined(adopted)
    return Sorted(tuple(_without_failed_lately(library, to_read)), tuple(back))


def _without_failed_lately(library: Library, sources: list[Source]) -> list[Source]:
    """Leave out what failed less than an hour ago in a way that may pass, and has not changed since."""
    if not sources:  # as at most looks: the failures need not be read
        return []
    earliest = datetime.now(UTC) - timedelta(seconds=RETRY_S)
    failures = ((f.path, f.code, datetime.fromisoformat(f.at)) for f in library.catalogue.failures())
    failed_at_s = {path: at.timestamp() for path, code, at in failures if code in PASSING and at > earliest}
    return [s for s in sources if not _is_older(s.path, failed_at_s.get(printable(s.path), 0.0))]


def _is_older(path: Path, time_s: float) -> bool:
    stamp = stamp_of(path)
    return stamp is not None and stamp.changed_ns / 1e9 < time_s


def _is_whole_at(examined: ExaminedFile, path: str) -> bool:
    """Say whether a file is that of a video that was read to its end, by the rules of today, and not a copy."""
    video = examined.video
    return video is not None and video.path == path and video.complete and video.decoding >= DECODING


def _lies_unchanged(library: Library, path: str) -> bool:
    (examined,) = library.catalogue.examined([path])
    return examined is None or examined.stamp == stamp_of(library.locate(path))


def _taken_in_before(library: Library, path: str, stamp: FileStamp) -> str | None:
    """Return the video of a file that a release took in which did not note what it read; None where it may differ."""
    for video in library.catalogue.videos_of(path):
        alike = (video.size_bytes, video.modified_s) == (stamp.size_bytes, stamp.modified_ns / 1e9)
        if alike and video.complete and not (video.missing or video.uploaded):
            return video.video_id
    return None


def _reference(library: Library, path: Path) -> str:
    return library.reference(printable(path))
