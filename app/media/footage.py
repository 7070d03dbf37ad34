"""From a file of footage to the features and previews of its seconds, part by part: any length, in flat memory."""

from __future__ import annotations

import atexit
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock

from app.media.previews import write_preview
from model.data.features import Features
from model.frontends.frontend import FrontEnd
from model.media.medium import FOOTAGE, Limits, Medium, open_medium
from model.media.segments import Segment

CHUNK_S = 4
MOST_KEPT = 4  # readings that are open between two parts, in one process


@dataclass(frozen=True, eq=False)
class Part:
    """Hold the features of the seconds [start_s, stop_s) of a recording.

    `loss_s`: how much of them was lost. `ended`: no part follows; `notes` then say what a person should know of what
    was read since `entered_s`, in one go.
    """

    start_s: int
    stop_s: int
    features: Features
    loss_s: float
    ended: bool
    entered_s: int
    notes: tuple[str, ...]


def decode_part(
    front_end: FrontEnd,
    path: Path,
    limits: Limits,
    previews: Path,
    start_s: int,
    stop_s: int,
    audio_track: int | None = None,
) -> Part:
    """Return the features of a stretch of a recording and write the previews of its seconds. Holds five frames.

    Where this process decoded the part before, it goes on with that; else the recording is entered at `start_s`.
    Raises MediaError, and LibraryError where a preview cannot be written.
    """
    place = (str(path), limits, audio_track, *_state(path))
    reading = _kept().take((*place, start_s)) or _OpenReading(open_medium(path, limits, audio_track), start_s)
    part = reading.part(front_end, previews, start_s, stop_s)
    if not part.ended:
        _kept().put((*place, stop_s), reading)
    return part


def decode_preview(_: FrontEnd, path: Path, start_s: int, previews: Path, audio_track: int | None = None) -> None:
    """Write the previews of one second anew. Raises MediaError, LibraryError."""
    for segment in open_medium(path, FOOTAGE, audio_track).segments(start_s, start_s + 1):
        write_preview(previews, segment)


def _state(path: Path) -> tuple[int, ...]:
    """Return what tells a file from another that takes its place; nothing where it is gone: opening it says so."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class _OpenReading:
    """Read a recording on from where the last part ended; one second is read ahead, to know whether that was all."""

    def __init__(self, medium: Medium, start_s: int) -> None:
        self._reading, self._entered_s = medium.segments(start_s), start_s
        self._told_s = 0.0  # of the loss
        self._following = next(self._reading, None)

    def part(self, front_end: FrontEnd, previews: Path, start_s: int, stop_s: int) -> Part:
        """Return the seconds up to a time."""
        segments, made = self._until(stop_s), [front_end.features(())]
        while chunk := list(islice(segments, CHUNK_S)):
            for segment in chunk:
                write_preview(previews, segment)
            made.append(front_end.features(chunk))
        ended = self._following is None
        so_far_s = self._reading.loss_s - (self._following.lost_s if self._following else 0.0)
        loss_s, self._told_s = so_far_s - self._told_s, so_far_s
        notes = self._reading.notes if ended else ()
        return Part(start_s, stop_s, Features.joined(made), loss_s, ended, self._entered_s, notes)

    def close(self) -> None:
        """Stop decoding."""
        self._reading.close()

    def _until(self, stop_s: int) -> Iterator[Segment]:
        while self._following is not None and self._following.start_s < stop_s:
            yield self._following
            self._following = next(self._reading, None)


class _KeptReadings:
    """Keep readings between two parts; the oldest is closed where there are too many: its file is entered anew."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[object, ...], _OpenReading] = OrderedDict()

    def take(self, place: tuple[object, ...]) -> _OpenReading | None:
        """Return the reading that has come to a place, if there is one."""
        with self._lock:
            return self._kept.pop(place, None)

    def put(self, place: tuple[object, ...], reading: _OpenReading) -> None:
        """Keep a reading that has come to a place."""
        with self._lock:
            left = [self._kept.pop(place)] if place in self._kept else []
            self._kept[place] = reading
            while len(self._kept) > MOST_KEPT:
                left.append(self._kept.popitem(last=False)[1])
        for old in left:
            old.close()

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            while self._kept:
                self._kept.popitem()[1].close()


@cache
def _kept() -> _KeptReadings:
    """Return this process's readings; they are closed with it, before the libraries that they use are unloaded."""
    kept = _KeptReadings()
    atexit.register(kept.close)
    return kept
