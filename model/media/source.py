"""An open recording: its container, the two tracks that were chosen from it, and what reading it brings to light."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from model.media.clock import least_start_s

if TYPE_CHECKING:
    Packet: TypeAlias = av.Packet[Any]
else:
    Packet = av.Packet
Track: TypeAlias = AudioStream | VideoStream

DECODING_ERRORS = (av.error.FFmpegError, ValueError, MemoryError, LookupError)
WRAPPING = ("mpegts", "mpeg")  # formats whose clock has 33 bits
LONGEST_FRAME_S = 1.0  # the duration of a frame that declares none, where the mean is longer: a slide show
FALLBACK_FRAME_S = 0.04  # the duration of a frame whose container declares neither duration nor rate


@dataclass
class Findings:
    """Collect what reading a recording brings to light, of both of its tracks.

    `cuts` of its clock, and the seconds that its leaps left out; `undecodable` tracks; `unread`: the share of the
    file that lies behind the last packet, where this should be nothing but an index, 1 until that is known;
    `first_cut_s`: where the first cut lies, in seconds of the recording.
    """

    cuts: int = 0
    first_cut_s: float = float("inf")
    skipped_s: float = 0.0
    unread: float = 1.0
    undecodable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """Hold an open container and the two tracks that were chosen from it."""

    container: InputContainer
    sound: AudioStream | None
    picture: VideoStream | None

    @property
    def format_name(self) -> str:
        """Return FFmpeg's name of the format, or names, such as "mov,mp4,m4a"."""
        return str(self.container.format.name)

    @cached_property
    def origin_s(self) -> float:
        """Return where the chosen tracks begin; other tracks and programmes have no say in it."""
        tracks = (self.sound, self.picture)
        known = [(track.start_time, track.time_base) for track in tracks if track is not None]
        starts = ((start, base) for start, base in known if start is not None and base is not None)
        return least_start_s(starts, self.format_name in WRAPPING)

    @property
    def tracks(self) -> list[Track]:
        """Return the chosen tracks."""
        return [track for track in (self.sound, self.picture) if track is not None]

    def like(self, track: Track) -> Track:
        """Return the track that is the same one in another opening of the file."""
        (same,) = [other for other in self.tracks if other.index == track.index]
        return same


Again: TypeAlias = Callable[[], AbstractContextManager[Source]]


def usual_frame_s(picture: VideoStream) -> float:
    """Return how long a frame lasts that does not say so."""
    rate = picture.average_rate
    return min(LONGEST_FRAME_S, float(1 / rate)) if rate else FALLBACK_FRAME_S
