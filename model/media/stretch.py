"""Read a stretch of a recording with all its frames and channels, timed from the stretch's beginning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from model.media import chained, containers, pictures, second_opinion
from model.media.channels import Apart
from model.media.reading import LATEST_ENTRY_S, Medium
from model.media.segments import Lost, SoundBlock, TimedFrame, fill_gaps

MOST_FRAMES_HZ = 62.0  # more than a screen shows; a little above 60, for stamps are rounded


@dataclass(frozen=True)
class Stretch:
    """Name the time [start_s, end_s) of a medium, on the clock of its segments.

    `most_channels`: a sound of more is mixed to one. `most_side`: longer frames are scaled down.
    """

    medium: Medium
    start_s: float
    end_s: float
    most_channels: int
    most_side: int

    @property
    def length_s(self) -> float:
        """Return how long it is."""
        return self.end_s - self.start_s

    def frames(self) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
        """Yield when each frame is first shown, rising from 0 on, and the frame.

        It begins with what is on show at its beginning: black where nothing is yet. Nothing where no frame comes.
        """
        shown: TimedFrame | None = None
        last_s = -1.0
        for frame in self._frames():
            at_s = frame.start_s - self.start_s
            if at_s >= self.length_s:
                break
            if at_s <= 0:
                shown = frame
                continue
            if last_s < 0:
                yield 0.0, shown.rgb() if shown else np.zeros_like(frame.rgb())
                last_s = 0.0
            if at_s - last_s > 1 / MOST_FRAMES_HZ:
                yield at_s, frame.rgb()
                last_s = at_s
        if last_s < 0 and shown is not None:
            yield 0.0, shown.rgb()

    def blocks(self) -> Iterator[SoundBlock]:
        """Yield its sound, silent where there is none, as long as the stretch; nothing of a file without sound."""
        if not self.medium.has_sound:
            return
        end_s, rate_hz = 0.0, 48_000
        for block, _ in fill_gaps(_moved(self._blocks(), -self.start_s, self.length_s)):
            rate_hz = block.sample_rate_hz
            left = round((self.length_s - block.start_s) * rate_hz)
            if left <= 0:
                break
            if block.length:
                yield replace(block, samples=block.samples[..., :left])
                end_s = block.start_s + min(left, block.length) / rate_hz
        if (missing := round((self.length_s - end_s) * rate_hz)) > 0:
            yield SoundBlock(end_s, rate_hz, np.zeros(missing, np.float32))

    def _frames(self) -> Iterator[TimedFrame]:
        medium = self.medium
        if not medium.has_picture:
            return
        if medium.decoder == "animation":
            found: Iterator[TimedFrame | Lost] = pictures.read_animation(medium.path)
        else:
            found = containers.read_frames(
                medium.path,
                medium.limits.pixels,
                None,
                medium.audio_track,
                self._entry_s(),
                every_from_s=self.start_s,
                most_side=self.most_side,
            )
        yield from (frame for frame in found if isinstance(frame, TimedFrame))

    def _blocks(self) -> Iterator[SoundBlock | Lost]:
        medium, mixing = self.medium, Apart(self.most_channels)
        if medium.decoder == "sound file":
            from_s = math.floor(self.start_s)
            return second_opinion.read_sound(medium.path, medium.media_type, None, from_s, mixing=mixing)
        if medium.decoder == "unlike streams":
            return chained.read_sound(medium.path, mixing)
        return containers.read_sound(
            medium.path,
            None,
            medium.audio_track,
            self._entry_s(),
            mixing=mixing,
            heard_from_s=self.start_s,
        )

    def _entry_s(self) -> int:
        """Return where to enter the file; before the first cut of its clock, which moves all that comes behind."""
        medium = self.medium
        if not medium.enterable:
            return 0
        entry_s = min(math.floor(self.start_s), int(medium.duration_s or 0), LATEST_ENTRY_S)
        first_cut_s = containers.first_cut_of(medium.path, entry_s, medium.audio_track) if entry_s else math.inf
        return entry_s if first_cut_s > entry_s else max(0, math.ceil(first_cut_s) - 1)


def _moved(blocks: Iterator[SoundBlock | Lost], by_s: float, until_s: float) -> Iterator[SoundBlock | Lost]:
    for block in blocks:
        if block.start_s + by_s >= until_s:
            return
        if isinstance(block, SoundBlock):
            yield replace(block, start_s=block.start_s + by_s)
        else:
            yield Lost(block.start_s + by_s, min(until_s, block.end_s + by_s))
