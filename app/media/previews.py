"""The frames and sounds of a library's seconds, for the page."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.media.peaks import write_peaks
from index.disk import writing
from index.library import Library
from index.records import SegmentRow
from model.errors import NotFound
from model.media.encoding import encode_jpeg, encode_wav
from model.media.medium import hash_file
from model.media.segments import Segment

HOST = socket.gethostname()  # process ids are those of one machine
DAY_S = 24 * 3600.0
Make = Callable[[Path, int, Path], None]  # writes the previews of (a file's, second) into a folder


class Previews:
    """Read one video's previews, `START.jpg` and `START.wav`; written at ingest, made again if they are gone."""

    def __init__(self, library: Library, video_id: str) -> None:
        self._library, self._video_id = library, video_id
        self.directory = library.previews / video_id

    def frame(self, row: SegmentRow, make: Make) -> bytes:
        """Return the second's frame as JPEG. Raises NotFound if it has none or the original is gone."""
        return self._read(row, "jpg", row.seen, "picture", make)

    def sound(self, row: SegmentRow, make: Make) -> bytes:
        """Return the second's sound as 16 kHz WAV. Raises NotFound if it has none or the original is gone."""
        return self._read(row, "wav", row.heard, "sound", make)

    def remove(self) -> None:
        """Remove them all."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _read(self, row: SegmentRow, suffix: str, there: bool, what: str, make: Make) -> bytes:
        if not there:
            raise NotFound(f"segment {row.segment_id} has no {what}")
        path = self.directory / f"{row.start_s}.{suffix}"
        if not path.exists():
            make(checked_original(self._library, self._video_id), row.start_s, self.directory)
        if not path.exists():
            raise NotFound(
                f"the preview of segment {row.segment_id} is gone, and the file that it was made from, "
                f"{original_of(self._library, self._video_id).name}, has been replaced: ingest that one anew"
            )
        return path.read_bytes()


def write_preview(directory: Path, segment: Segment) -> None:
    """Write a second's frame, sound and peaks into a video's folder of previews. Raises LibraryError (full disk)."""
    with writing(directory):
        directory.mkdir(exist_ok=True)
    if segment.frame is not None:
        _write(directory / f"{segment.start_s}.jpg", encode_jpeg(segment.frame))
    if segment.sound is not None:
        _write(directory / f"{segment.start_s}.wav", encode_wav(segment.sound))
        write_peaks(directory, segment.start_s, segment.sound)


def original_of(library: Library, video_id: str) -> Path:
    """Return the path of a video's file. Raises NotFound if the video or its file is gone."""
    path = library.locate(library.catalogue.video(video_id).path)
    if not os.path.isfile(path):  # or the rights hide it
        raise NotFound(f"the file of video {video_id}, {path.name}, is no longer where it was ingested from")
    return path


def checked_original(library: Library, video_id: str) -> Path:
    """Return the path of a video's file whose content is the one that was ingested. Raises NotFound."""
    path = original_of(library, video_id)
    if hash_file(path) != library.catalogue.video(video_id).sha256:
        raise NotFound(f"{path.name} has been replaced since it was ingested as {video_id}: ingest it anew")
    return path


def same_original(library: Library, video_id: str) -> Path:
    """Return the path of a video's file if it is as large as the one that was ingested, without reading it.

    Raises NotFound.
    """
    path, expected = original_of(library, video_id), library.catalogue.video(video_id).size_bytes
    if expected is not None and path.stat().st_size != expected:
        raise NotFound(f"{path.name} has been replaced since it was ingested as {video_id}: ingest it anew")
    return path


def remove_partial(directory: Path) -> None:
    """Remove the half-written files of processes that have ended; another machine's, once they are a day old."""
    for path in directory.glob("*.partial"):
        process, _, thread_and_host = path.name.removesuffix(".partial").split(".", 2)[2].partition("-")
        is_ours = thread_and_host.partition("-")[2] in ("", HOST)  # an older release named no host
        with suppress(FileNotFoundError):  # it was just finished
            if not _is_alive(int(process)) if is_ours else time.time() - path.stat().st_mtime > DAY_S:
                path.unlink()


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(f"{path.suffix}.{os.getpid()}-{threading.get_ident()}-{HOST}.partial")
    try:
        with writing(path):
            partial.write_bytes(content)
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
