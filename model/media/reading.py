"""Read a recording to its end, or a part of it, and judge what was lost."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from model.errors import Damaged, TookTooLong, TooLong, TooShort
from model.media import chained, containers, pictures, second_opinion
from model.media.plain_wav import PlainWav
from model.media.segments import SHORTEST_REST_S, Lost, Segment, SoundBlock, TimedFrame, cut_segments
from model.media.source import Findings

# How much earlier than declared a container may end: in seconds or as a share, whichever is more.
TOLERATED_LOSS_S = 1.0
TOLERATED_LOSS = 0.05
PIECE_S = 3600
RUN_UP_S = 2  # a piece is resampled from so much before it, for the filter to have settled
SMALLEST_TOLD_S = 0.05  # a loss of less is worth no words
SMALLEST_HOLD_S = 1.5
LATEST_ENTRY_S = 10**8  # three years; a file may declare any length, and decoders count in 64 bits

Timed = TypeVar("Timed", SoundBlock | Lost, TimedFrame | Lost)


@dataclass(frozen=True)
class Limits:
    """Hold what a medium may cost: bytes, pixels of a frame, seconds of footage, seconds spent decoding.

    `most_loss`: the share of a recording that may be lost to damage, in 0..1; beyond it the file is refused.
    """

    bytes: int = 2 * 1024**3
    pixels: int = 64_000_000
    decoded_s: float = 4 * 3600.0
    wall_s: float | None = None
    most_loss: float = 0.5


LIMITS = Limits()
FOOTAGE = Limits(bytes=sys.maxsize, decoded_s=math.inf)  # ingested files are streamed: any size and length


@dataclass(frozen=True)
class Medium:
    """Hold a file that was recognised by its content.

    `video` is a moving picture with or without sound; `duration_s` is what the file declares, None where it
    does not (then `exact_duration` is False); `media_type` is the MIME type of its bytes.
    `enterable`: whether decoding may begin midway and be exact; then each `piece_s` seconds are decoded on their own.
    `notes`: what a person should know of the choice that was made, such as tracks that were left aside. `held`: the
    sound, where it is in memory; then `path` is only for messages.
    """

    path: Path
    kind: Literal["video", "sound", "picture"]
    has_sound: bool
    duration_s: float | None
    media_type: str
    decoder: Literal["container", "sound file", "unlike streams", "animation", "picture"]
    exact_duration: bool
    limits: Limits
    notes: tuple[str, ...] = ()
    audio_track: int | None = None
    enterable: bool = False
    piece_s: int = PIECE_S
    held: PlainWav | None = None

    @property
    def has_picture(self) -> bool:
        """Return whether there is a moving or still picture."""
        return self.kind != "sound"

    def segments(self, start_s: int = 0, stop_s: int | None = None) -> Reading:
        """Return a reading: it yields the segments of [start_s, stop_s) in order; memory does not grow with length.

        A still picture is one segment, at 0. A second has the same bits whatever start_s is: decoding begins at the
        last multiple of `piece_s` before it where the medium is `enterable`, else at 0, and ends with stop_s. Damage
        beyond stop_s is not noticed.
        Raises, while it is read: Damaged, NotFinite, TooShort, TooLong, TooLarge, TookTooLong.
        """
        return Reading(self, start_s, stop_s)


class Reading:
    """Yield the segments of a recording in order, and tell what was lost on the way.

    `loss_s`: how much of what has been read so far was lost to damage. `notes`: what a person should know of it, once
    it has been read to its end.
    """

    def __init__(self, medium: Medium, start_s: int, stop_s: int | None) -> None:
        self.loss_s = 0.0
        self.notes: tuple[str, ...] = ()
        self._medium = medium
        self._findings = Findings()
        self._watch = _Watch(medium.path, medium.limits.wall_s)
        self._segments = self._read(start_s, stop_s)

    def __iter__(self) -> Iterator[Segment]:
        return self

    def __next__(self) -> Segment:
        return next(self._segments)

    def close(self) -> None:
        """Stop decoding."""
        self._segments.close()

    def _read(self, start_s: int, stop_s: int | None) -> Generator[Segment, None, None]:
        self._watch.resume()
        count = self._entry_s(start_s)
        self._watch.end_s = float(count)
        self._watch.pause()
        with closing(self._pieces(count)) as segments:
            while stop_s is None or count < stop_s:
                self._watch.resume()
                segment = next(segments, None)
                self._watch.pause()
                if segment is None:
                    self._finish(count)
                    return
                if count >= self._medium.limits.decoded_s:
                    raise too_long(self._medium.path, float(count), self._medium.limits.decoded_s)
                if count >= start_s:
                    self.loss_s += segment.lost_s
                    yield segment
                count += 1

    def _entry_s(self, start_s: int) -> int:
        """Return where to begin so that `start_s` has the same bits as in a reading from 0."""
        piece_s = self._medium.piece_s
        within_s = min(start_s, int(self._medium.duration_s or 0), LATEST_ENTRY_S)
        entry_s = within_s // piece_s * piece_s if self._medium.enterable else 0
        if entry_s and self._medium.decoder == "container":
            first_cut_s = containers.first_cut_of(self._medium.path, entry_s, self._medium.audio_track)
            if first_cut_s <= entry_s:
                entry_s = max(0, math.ceil(first_cut_s / piece_s) - 1) * piece_s
        return entry_s

    def _pieces(self, entry_s: int) -> Generator[Segment, None, None]:
        """Yield the segments from `entry_s` on, in pieces, each decoded as if nothing had been read before it.

        Behind a cut of the clock there are no more pieces: only who has seen the cut knows how far it moved the clock.
        """
        if self._medium.kind == "picture":
            limits = self._medium.limits
            picture = pictures.read_picture(self._medium.path, limits.pixels, limits.most_loss)
            self.notes = picture.notes
            yield Segment(0, None, picture.pixels, frame_whole=picture.whole, lost_s=picture.lost)
            return
        while True:
            stop_s = entry_s + self._medium.piece_s
            with closing(self._piece(entry_s)) as segments:
                for segment in segments:
                    if segment.start_s == stop_s and self._medium.enterable and self._findings.first_cut_s > stop_s:
                        break
                    yield segment
                else:
                    return
            entry_s = stop_s

    def _piece(self, entry_s: int) -> Generator[Segment, None, None]:
        zero_s = max(0, entry_s - RUN_UP_S)
        blocks = self._watch.follow(self._blocks(zero_s))
        frames = self._watch.follow(self._frames(zero_s))
        with closing(blocks), closing(frames):
            for segment in cut_segments(_moved(blocks, -zero_s), _moved(frames, -zero_s)):
                if segment.start_s + zero_s >= entry_s:
                    yield replace(segment, start_s=segment.start_s + zero_s) if zero_s else segment

    def _blocks(self, from_s: int) -> Iterator[SoundBlock | Lost]:
        medium = self._medium
        if not medium.has_sound:
            return iter(())
        if medium.held is not None:
            return medium.held.blocks(from_s)
        if medium.decoder == "sound file":
            return second_opinion.read_sound(medium.path, medium.media_type, self._findings, from_s)
        if medium.decoder == "unlike streams":
            return chained.read_sound(medium.path)
        return containers.read_sound(medium.path, self._findings, medium.audio_track, from_s)

    def _frames(self, from_s: int) -> Iterator[TimedFrame | Lost]:
        medium = self._medium
        if not medium.has_picture:
            return iter(())
        if medium.decoder == "animation":
            return pictures.read_animation(medium.path)
        return containers.read_frames(medium.path, medium.limits.pixels, self._findings, medium.audio_track, from_s)

    def _finish(self, count: int) -> None:
        """Judge a recording that was read to its end. Raises Damaged, TooShort."""
        medium, end_s = self._medium, self._watch.end_s
        if medium.kind == "picture":
            return
        if count == 0:
            raise self._nothing(end_s)
        missing_s = self._missing_s(end_s)
        self.loss_s += missing_s
        length_s = end_s + missing_s
        self.notes = tuple(self._told(end_s, missing_s, length_s))
        if self.loss_s > medium.limits.most_loss * length_s:
            raise Damaged(
                f"{self.loss_s:.1f} s of the {length_s:.1f} s of {medium.path.name} cannot be decoded; at most "
                f"{medium.limits.most_loss:.0%} may be lost. Copy or export the whole file again."
            )

    def _missing_s(self, end_s: float) -> float:
        """Return what a file with an index declares beyond what was decoded, if that is more than rounding."""
        medium = self._medium
        declared_s = (medium.duration_s or 0.0) - self._findings.skipped_s if medium.exact_duration else 0.0
        unread = self._findings.unread if not medium.exact_duration or not declared_s else 0.0
        missing_s = max(declared_s - end_s, end_s / (1 - unread) - end_s if unread < 1 else 0.0)
        tolerated_s = max(TOLERATED_LOSS_S, TOLERATED_LOSS * (end_s + missing_s))
        if medium.exact_duration and medium.decoder == "sound file":  # then samples were counted
            tolerated_s = SMALLEST_TOLD_S
        return missing_s if missing_s > tolerated_s else 0.0

    def _nothing(self, end_s: float) -> Damaged | TooShort:
        name = self._medium.path.name
        if self._findings.undecodable or self._missing_s(end_s) > 0:
            return Damaged(
                f"Nothing of {name} can be decoded: it was cut short or overwritten. Copy or export it again."
            )
        return TooShort(
            f"{name} lasts {end_s:.2f} s; at least {SHORTEST_REST_S} s are expected. Send a longer recording."
        )

    def _told(self, end_s: float, missing_s: float, length_s: float) -> Iterator[str]:
        damaged_s = self.loss_s - missing_s
        if damaged_s >= SMALLEST_TOLD_S:
            yield (
                f"{damaged_s:.1f} s of {length_s:.1f} s could not be decoded (damaged): their sound is silence, "
                "their picture the last one before"
            )
        if missing_s:
            yield f"{missing_s:.1f} s of {length_s:.1f} s are missing at the end: the file was cut short"
        for track in self._findings.undecodable:
            yield f"nothing of the {track} track could be decoded (damaged): taken without {track}"
        if self._findings.cuts:
            yield f"the clock of the file falls back or leaps at {self._findings.cuts} place(s): the parts were joined"
        held_s = end_s - self._watch.picture_end_s
        if self._watch.picture_end_s and held_s >= SMALLEST_HOLD_S:
            yield f"the picture ends {held_s:.1f} s before the sound: its last frame stands there"


class _Watch:
    """Measure how far decoding has come and how long it took, without the time that the caller takes."""

    def __init__(self, path: Path, wall_s: float | None) -> None:
        self.end_s = self.reached_s = self.picture_end_s = 0.0
        self._path, self._wall_s = path, wall_s
        self._spent_s, self._since_s = 0.0, 0.0

    def resume(self) -> None:
        self._since_s = time.monotonic()

    def pause(self) -> None:
        self._spent_s += time.monotonic() - self._since_s

    def follow(self, items: Iterable[Timed]) -> Generator[Timed, None, None]:
        """Yield the items. Raises TookTooLong once the wall time is spent."""
        track_end_s = 0.0
        for item in items:
            spent_s = self._spent_s + time.monotonic() - self._since_s
            if self._wall_s is not None and spent_s > self._wall_s:
                raise TookTooLong(
                    f"Decoding {self._path.name} took longer than {self._wall_s:g} s and reached second "
                    f"{self.reached_s:.0f}. Send a shorter or smaller recording, or raise the limit."
                )
            self.reached_s = max(self.reached_s, item.start_s)
            track_end_s = item.end_s  # of the last: a frame before a cut may declare any length
            if isinstance(item, TimedFrame):
                self.picture_end_s = item.end_s
            yield item
        self.end_s = max(self.end_s, track_end_s)


def _moved(items: Iterable[Timed], by_s: int) -> Iterator[Timed]:
    if not by_s:
        yield from items
        return
    for item in items:
        if isinstance(item, SoundBlock):
            yield replace(item, start_s=item.start_s + by_s)
        else:
            yield replace(item, start_s=item.start_s + by_s, end_s=item.end_s + by_s)


def too_long(path: Path, duration_s: float, most_s: float) -> TooLong:
    """Return the error for a recording that lasts longer than is accepted."""
    return TooLong(
        f"{path.name} lasts {duration_s:.0f} s or more; at most {most_s:.0f} s are accepted. Cut it into pieces."
    )
