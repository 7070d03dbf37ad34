"""Timecode: which frame of a recording a time is, as editing programs write it (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

WRITTEN = re.compile(r"(\d{1,2}):(\d\d):(\d\d)([:;.])(\d\d)", re.ASCII)
DROPPING = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}  # numbers that are left out each minute but the tenth


@dataclass(frozen=True)
class FrameTiming:
    """Hold how many frames a recording has in a second, and the timecode of its first one, where the file says it."""

    rate_hz: Fraction
    first: str | None = None

    @property
    def is_drop_frame(self) -> bool:
        """Say whether frame numbers are left out, so that the timecode keeps the time of day."""
        return self.rate_hz in DROPPING

    @property
    def first_frame(self) -> int:
        """Return the number of the first frame; 0 where the file has no timecode."""
        found = WRITTEN.fullmatch(self.first or "")
        if not found:
            return 0
        hours, minutes, seconds, sign, frames = found.groups()
        whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
        number = whole * self._nominal + int(frames)
        if sign == ":" or not self.is_drop_frame:
            return number
        minutes_in_all = int(hours) * 60 + int(minutes)
        return number - DROPPING[self.rate_hz] * (minutes_in_all - minutes_in_all // 10)

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
