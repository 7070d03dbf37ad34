"""Recognise a medium by its content, and read it as segments."""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from model.errors import (
    Damaged,
    EmptyFile,
    NotAMedium,
    NotReadable,
    TookTooLong,
    TooLarge,
    TooLong,
    TooShort,
    TooSmall,
)
from model.media import containers, pictures, sounds
from model.media.segments import SHORTEST_REST_S, Segment, SoundBlock, TimedFrame, cut_segments

DECODING = 2  # the version of the rules by which a file becomes segments; 1: those before loss was told
SMALLEST_SIDE = 16
# How much earlier than declared a container may end: in seconds or as a share, whichever is more.
TOLERATED_LOSS_S = 1.0
TOLERATED_LOSS = 0.05
MEDIA_TYPES = {
    "aac": "audio/aac",
    "asf": "video/x-ms-asf",
    "avi": "video/x-msvideo",
    "flac": "audio/flac",
    "flv": "video/x-flv",
    "mp3": "audio/mpeg",
    "mpeg": "video/mpeg",
    "mpegts": "video/mp2t",
    "wav": "audio/wav",
}
INDEXED_FORMATS = (
    "mov",
    "matroska",
)  # their declared duration is written down, not guessed from the bit rate

Timed = TypeVar("Timed", SoundBlock, TimedFrame)


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
    `notes`: what a person should know of the choice that was made, such as tracks that were left aside.
    """

    path: Path
    kind: Literal["video", "sound", "picture"]
    has_sound: bool
    duration_s: float | None
    media_type: str
    decoder: Literal["container", "sound file", "animation", "picture"]
    exact_duration: bool
    limits: Limits
    notes: tuple[str, ...] = ()

    @property
    def has_picture(self) -> bool:
        """Return whether there is a moving or still picture."""
        return self.kind != "sound"

    def segments(self, start_s: int = 0, stop_s: int | None = None) -> Reading:
        """Return a reading: it yields the segments of [start_s, stop_s) in order; memory does not grow with length.

        A still picture is one segment, at 0. Decoding always begins at 0, so that a second has the same bits whatever
        start_s is, and ends with stop_s. Damage beyond stop_s is not noticed.
        Raises, while it is read: Damaged, NotFinite, TooShort, TooLong, TooLarge, TookTooLong.
        """
        return Reading(self._read(start_s, stop_s))

    def _read(self, start_s: int, stop_s: int | None) -> Generator[Segment, None, None]:
        watch = _Watch(self.path, self.limits.wall_s)
        count = 0
        with closing(self._all_segments(watch)) as segments:
            while stop_s is None or count < stop_s:
                watch.resume()
                segment = next(segments, None)
                watch.pause()
                if segment is None:
                    self._check_whole(count, watch.end_s)
                    return
                if count >= self.limits.decoded_s:
                    raise _too_long(self.path, float(count), self.limits)
                if count >= start_s:
                    yield segment
                count += 1

    def _all_segments(self, watch: _Watch) -> Generator[Segment, None, None]:
        if self.kind == "picture":
            yield Segment(0, None, pictures.read_picture(self.path))
            return
        blocks, frames = watch.follow(self._blocks()), watch.follow(self._frames())
        with closing(blocks), closing(frames):
            yield from cut_segments(blocks, frames)

    def _blocks(self) -> Iterator[SoundBlock]:
        if not self.has_sound:
            return iter(())
        return sounds.read_sound(self.path) if self.decoder == "sound file" else containers.read_sound(self.path)

    def _frames(self) -> Iterator[TimedFrame]:
        if not self.has_picture:
            return iter(())
        if self.decoder == "animation":
            return pictures.read_animation(self.path)
        return containers.read_frames(self.path, self.limits.pixels)

    def _check_whole(self, count: int, end_s: float) -> None:
        if self.kind == "picture":
            return
        declared_s = self.duration_s if self.exact_duration and self.duration_s else 0.0
        if declared_s - end_s > max(TOLERATED_LOSS_S, TOLERATED_LOSS * declared_s):
            raise Damaged(
                f"{self.path.name} declares {declared_s:.1f} s but only {end_s:.1f} s can be decoded: it was "
                "cut short. Copy or export the whole file again."
            )
        if count == 0:
            raise TooShort(
                f"{self.path.name} lasts {end_s:.2f} s; at least {SHORTEST_REST_S} s are expected. "
                "Send a longer recording."
            )


class Reading:
    """Yield the segments of a recording in order, and tell what was lost on the way.

    `loss_s`: how much of what has been read so far was lost to damage. `notes`: what a person should know of it, once
    it has been read to its end.
    """

    def __init__(self, segments: Generator[Segment, None, None]) -> None:
        self._segments = segments
        self.loss_s = 0.0
        self.notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Segment]:
        return self

    def __next__(self) -> Segment:
        segment = next(self._segments)
        self.loss_s += segment.lost_s
        return segment

    def close(self) -> None:
        """Stop decoding."""
        self._segments.close()


class _Watch:
    """Measure how far decoding has come and how long it took, without the time that the caller takes."""

    def __init__(self, path: Path, wall_s: float | None) -> None:
        self.end_s = 0.0
        self._path, self._wall_s = path, wall_s
        self._spent_s, self._since_s = 0.0, 0.0

    def resume(self) -> None:
        self._since_s = time.monotonic()

    def pause(self) -> None:
        self._spent_s += time.monotonic() - self._since_s

    def follow(self, items: Iterable[Timed]) -> Generator[Timed, None, None]:
        """Yield the items. Raises TookTooLong once the wall time is spent."""
        for item in items:
            spent_s = self._spent_s + time.monotonic() - self._since_s
            if self._wall_s is not None and spent_s > self._wall_s:
                raise TookTooLong(
                    f"Decoding {self._path.name} took longer than {self._wall_s:g} s and reached second "
                    f"{self.end_s:.0f}. Send a shorter or smaller recording, or raise the limit."
                )
            self.end_s = max(self.end_s, item.end_s)
            yield item


def open_medium(path: Path, limits: Limits = LIMITS, audio_track: int | None = None) -> Medium:
    """Recognise a file by its bytes, never by its name, and read its head.

    `audio_track`: which of its sound tracks to take, counted from 1; None for the one that a player takes.

    Raises EmptyFile, NotAMedium, Damaged, TooLarge, TooSmall, TooLong.
    """
    _check_size(path, limits)
    medium = _picture(path, limits) or _sound(path, limits) or _container(path, limits)
    if medium.duration_s is not None and medium.duration_s > limits.decoded_s:
        raise _too_long(path, medium.duration_s, limits)
    return medium


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_size(path: Path, limits: Limits) -> None:
    try:
        if not path.is_file():
            if not path.exists():
                raise NotAMedium(f"{path}: there is no such file.")
            raise NotAMedium(f"{path} is a directory or device; the path of a sound, picture or video is expected.")
        size = path.stat().st_size
        if size:
            _try_to_read(path)
    except PermissionError as error:  # of a directory above it
        raise unreadable(path, error) from error
    except OSError as error:
        raise NotAMedium(f"{path.name[:80]} cannot be looked at ({error.strerror}); give another path.") from error
    if size == 0:
        raise EmptyFile(f"{path.name} holds no bytes. Copy or export it again.")
    if size > limits.bytes:
        raise TooLarge(f"{path.name} has {size} bytes; at most {limits.bytes} are accepted. Send a shorter piece.")


def unreadable(path: Path, error: OSError) -> NotReadable:
    """Return what to raise where the rights or the disk do not let a file be read."""
    return NotReadable(
        f"{path.name} cannot be read ({error.strerror}): give the user that runs Echolens the right to read it, or "
        "check the disk."
    )


def _try_to_read(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise unreadable(path, error) from error


def _picture(path: Path, limits: Limits) -> Medium | None:
    head = pictures.read_head(path)
    if head is None:
        return None
    _check_sides(path, head.width, head.height, limits)
    return Medium(
        path=path,
        kind="video" if head.animated else "picture",
        has_sound=False,
        duration_s=None,
        media_type=head.media_type,
        decoder="animation" if head.animated else "picture",
        exact_duration=False,
        limits=limits,
    )


def _sound(path: Path, limits: Limits) -> Medium | None:
    head = sounds.read_head(path)
    if head is None:
        return None
    return Medium(
        path=path,
        kind="sound",
        has_sound=True,
        duration_s=head.duration_s,
        media_type=head.media_type,
        decoder="sound file",
        exact_duration=False,
        limits=limits,
    )


def _container(path: Path, limits: Limits) -> Medium:
    tracks = containers.probe(path)
    if tracks.picture_codec is None and tracks.sound_codec is None:
        raise NotAMedium(
            f"{path.name} holds no sound or picture track that can be decoded here. "
            "Export it with common codecs such as H.264 and AAC."
        )
    if tracks.picture_codec is not None:
        _check_sides(path, tracks.width, tracks.height, limits)
    return Medium(
        path=path,
        kind="video" if tracks.picture_codec is not None else "sound",
        has_sound=tracks.sound_codec is not None,
        duration_s=tracks.duration_s,
        media_type=_media_type(path, tracks),
        decoder="container",
        exact_duration=tracks.format_name.startswith(INDEXED_FORMATS),
        limits=limits,
    )


def _media_type(path: Path, tracks: containers.Tracks) -> str:
    medium = "audio" if tracks.picture_codec is None else "video"
    with path.open("rb") as file:
        head = file.read(64)
    if tracks.format_name.startswith("mov"):
        return "video/quicktime" if head[8:12] == b"qt  " else f"{medium}/mp4"
    if tracks.format_name.startswith("matroska"):
        return f"{medium}/webm" if b"webm" in head else f"{medium}/x-matroska"
    if tracks.format_name == "ogg":
        return f"{medium}/ogg"
    return MEDIA_TYPES.get(tracks.format_name, "application/octet-stream")


def _check_sides(path: Path, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise TooLarge(
            f"{path.name} is {width} x {height} pixels; at most {limits.pixels} are accepted. Send it scaled down."
        )
    if min(width, height) < SMALLEST_SIDE:
        raise TooSmall(
            f"{path.name} is {width} x {height} pixels; at least {SMALLEST_SIDE} a side are expected. "
            "Send a larger picture."
        )


def _too_long(path: Path, duration_s: float, limits: Limits) -> TooLong:
    return TooLong(
        f"{path.name} lasts {duration_s:.0f} s or more; at most {limits.decoded_s:.0f} s are accepted. "
        "Cut it into pieces."
    )
