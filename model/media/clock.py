"""The clock of a recording: where the stamps of its sound and picture lie in seconds from its beginning.

Stamps may begin anywhere, fall back (files joined end to end, a recorder that was restarted) or leap (a clock that was
set). A cut is a cut in both tracks alike: what follows gets one shift, so that the earliest of it continues where the
recording had ended. `docs/media.md` says what is done with each oddity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

STEP_BACK_S = 0.5  # a track's stamps may fall back by this much without a cut: muxers are careless
LEAP_S = 10.0  # a longer stretch in which no track has anything is a cut (FFmpeg's dts_delta_threshold)
LONGEST_HOLD_S = 600.0  # one picture of a slide show may stand this long, where the container has no broken clocks
LONGEST_LASTING_S = 1.0  # a packet that says it lasts longer only says when the next one comes
PRIMING_S = 0.2  # a start before zero by less is the priming of a codec, by more a clock that wrapped
MOST_SHIFTS = 8  # so many of the latest shifts may be returned to
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Stamp:
    """Hold a packet's stamps in seconds, as the container has them: when it is decoded and shown, how long it lasts."""

    track: int
    time_s: float
    shown_s: float
    lasts_s: float


class _Track:
    def __init__(self, shift_s: float) -> None:
        self.shift_s = shift_s
        self.lasts_s = 0.0
        self.last_s = self.end_s = float("-inf")


class Clock:
    """Give each packet of a recording its shift; ask for all packets of both tracks, in the order of the file.

    `origin_s`: where the recording begins, by the container's clock. `breaks`: whether the format is known for broken
    clocks, so that a leap of the picture alone is a cut. `cuts` counts the cuts, `cut_at_s` is where the last one lies,
    `skipped_s` is the time that the leaps left out, all so far.
    """

    def __init__(self, origin_s: float, picture: int | None, breaks: bool) -> None:
        self.cuts = 0
        self.cut_at_s = 0.0
        self.skipped_s = 0.0
        self._picture, self._breaks = picture, breaks
        self._tracks: dict[int, _Track] = {}
        self._shifts_s = [0.0]
        self._origin_s = self._end_s = origin_s

    def shift_s(self, stamp: Stamp, ahead: Callable[[], Sequence[Stamp]]) -> float:
        """Return what to add to a packet's stamps; `ahead` gives the stamps of packets that follow it."""
        track = self._tracks.get(stamp.track)
        if track is None:
            track = self._tracks[stamp.track] = _Track(self._shifts_s[-1])
        if not self._fits(track, stamp, track.shift_s):
            track.shift_s = self._next_shift_s(track, stamp, ahead)
        track.last_s = stamp.time_s + track.shift_s
        if stamp.lasts_s <= LONGEST_LASTING_S:
            track.lasts_s = stamp.lasts_s
        track.end_s = max(track.end_s, stamp.shown_s + track.shift_s + track.lasts_s)
        self._end_s = max(self._end_s, track.end_s)
        return track.shift_s

    def _fits(self, track: _Track, stamp: Stamp, shift_s: float) -> bool:
        here_s = stamp.time_s + shift_s
        return track.last_s - STEP_BACK_S <= here_s <= self._end_s + LEAP_S

    def _next_shift_s(self, track: _Track, stamp: Stamp, ahead: Callable[[], Sequence[Stamp]]) -> float:
        """Return the shift of the other track if it went before, else open a new one."""
        *older, latest_s = self._shifts_s
        if self._fits(track, stamp, latest_s):
            return latest_s
        # An older one only where it goes on at once, as behind a wild stamp: else a third part may fit it by chance.
        for shift_s in reversed(older):
            if self._fits(track, stamp, shift_s) and stamp.time_s + shift_s <= self._end_s + LONGEST_LASTING_S:
                return shift_s
        others = [other for other in ahead() if other.track != stamp.track and self._follows(other, stamp)]
        leap_s = stamp.time_s + track.shift_s - self._end_s
        slides = stamp.track == self._picture and not self._breaks and not others
        if slides and 0 < leap_s <= LONGEST_HOLD_S:
            return track.shift_s
        start_s = min([stamp.shown_s, *(other.shown_s for other in others[:1])])
        shift_s = self._continues_s(track, both=bool(others)) - start_s
        self.cuts += 1
        self.cut_at_s = start_s + shift_s
        self.skipped_s += max(0.0, track.shift_s - shift_s)
        self._shifts_s = [*self._shifts_s, shift_s][-MOST_SHIFTS:]
        return shift_s

    def _continues_s(self, track: _Track, both: bool) -> float:
        """Return where what follows a cut goes on; a track that steps alone goes on where it was itself."""
        if both or track.last_s > float("-inf"):
            return self._end_s if both else track.end_s
        return self._end_s if self._end_s - self._origin_s > LONGEST_LASTING_S else self._origin_s

    def _follows(self, other: Stamp, stamp: Stamp) -> bool:
        """Say whether a packet of the other track lies behind the same cut."""
        track = self._tracks.get(other.track)
        elsewhere = track is None or not self._fits(track, other, track.shift_s)
        return elsewhere and abs(other.time_s - stamp.time_s) <= LEAP_S


def least_start_s(starts: Iterable[tuple[int, Fraction]], wraps: bool = False) -> float:
    """Return the time at which a recording begins: the least start of its tracks, each in units of its time base.

    `wraps`: stamps are never negative, so that a start before zero is one before a wrap.
    """
    # Whole microseconds, as FFmpeg counts a container's start, so that seconds fall where they always fell.
    starts_s = [round(start * time_base * MICROSECONDS) / MICROSECONDS for start, time_base in starts]
    earliest_s = min(starts_s, default=0.0)
    return 0.0 if -PRIMING_S < earliest_s < 0 and not wraps else earliest_s
