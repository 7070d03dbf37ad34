"""Timecode: which frame of a recording a time is, as editing programs write it (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

WRITTEN = re.compile(r"(\d{1,2}):(\d\d):(\d\d)([:;.])(\d\d)", re.ASCII)
STANDARD = tuple(
    Fraction(*rate) for rate in ((24000, 1001), (24,), (25,), (30000, 1001), (30,), (50,), (60000, 1001), (60,))
)
SNAP = 0.0003  # 29.97 and 30 are 0.001 apart; a container's mean may be a little off
DROPPING = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}  # numbers that are left out each minute but the tenth


def exact_rate(rate_hz: Fraction) -> Fraction:
    """Return the standard rate that a container's mean stands for; the mean itself where it is near none."""
    return next((standard for standard in STANDARD if abs(rate_hz / standard - 1) < SNAP), rate_hz)


def edit_rate(rate_hz: Fraction) -> Fraction:
    """Return the standard rate to edit a recording at: its own, a multiple or a part of it, or 30 frames a second."""
    if (exact := exact_rate(rate_hz)) in STANDARD:
        return exact
    for standard in STANDARD:
        ratio = max(standard / rate_hz, rate_hz / standard)
        if ratio > 1.5 and abs(ratio / round(ratio) - 1) < SNAP:
            return standard
    return Fraction(30)


@dataclass(frozen=True)
class FrameTiming:
    """Hold how many frames a recording has in a second, and the timecode of its first one, where the file says it."""

    rate_hz: Fraction
    first: str | None = None

    @property
    def is_drop_frame(self) -> bool:
        """Say whether frame numbers are left out, so that the timecode keeps the time of day.

        At the rates that may do so they are, unless the recording's own timecode has a colon before the frames.
        """
        found = WRITTEN.fullmatch(self.first or "")
        return self.rate_hz in DROPPING and (found is None or found[4] != ":")

    @property
    def first_frame(self) -> int:
        """Return the number of the first frame; 0 where the file has no timecode."""
        found = WRITTEN.fullmatch(self.first or "")
        if not found or int(found[5]) >= self._nominal:
            return 0
        hours, minutes, seconds, _, frames = found.groups()
        whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
        number = whole * self._nominal + int(frames)
        if not self.is_drop_frame:
            return number
        minutes_in_all = int(hours) * 60 + int(minutes)
        return number - DROPPING[self.rate_hz] * (minutes_in_all - minutes_in_all // 10)

    def at_rate(self, rate_hz: Fraction) -> FrameTiming:
        """Return the timing with as many frames a second; its first timecode shows the same time of day."""
        found = WRITTEN.fullmatch(self.first or "")
        if rate_hz == self.rate_hz or not found:
            return FrameTiming(rate_hz, self.first)
        sign = ";" if self.is_drop_frame and rate_hz in DROPPING else ":"
        frames = int(int(found[5]) * rate_hz / self.rate_hz)
        return FrameTiming(rate_hz, f"{found[1]}:{found[2]}:{found[3]}{sign}{frames:02}")

    def frame_at(self, time_s: float) -> int:
        """Return how many frames lie before a time of the recording."""
        return round(time_s * self.rate_hz)

    def timecode(self, frame: int) -> str:
        """Return a frame's timecode; with a semicolon before the frames where numbers are left out."""
        if self.is_drop_frame:
            frame += self._left_out_before(frame)
        seconds, frames = divmod(frame, self._nominal)
        sign = ";" if self.is_drop_frame else ":"
        return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{sign}{frames:02}"

    @property
    def _nominal(self) -> int:
        return round(self.rate_hz)

    def _left_out_before(self, frame: int) -> int:
        dropped = DROPPING[self.rate_hz]
        in_minute = 60 * self._nominal - dropped
        in_ten = 10 * in_minute + dropped
        tens, rest = divmod(frame, in_ten)
        minutes = max(0, (rest - dropped) // in_minute)
        return dropped * (9 * tens + minutes)
