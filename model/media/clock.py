"""The clock of a recording: where the stamps of its sound and picture lie in seconds from its beginning.

Stamps may begin anywhere, fall back (files joined end to end, a recorder that was restarted) or leap (a clock that was
set). A cut is a cut in both tracks alike: what follows gets one shift, so that the earliest of it continues where the
recording had ended. `docs/media.md` says what is done with each oddity.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

STEP_BACK_S = 0.5  # a track's stamps may fall back by this much without a cut: muxers are careless
LEAP_S = 10.0  # a longer stretch in which no track has anything is a cut (FFmpeg's dts_delta_threshold)
LONGEST_HOLD_S = 600.0  # one picture of a slide show may stand this long, where the container has no broken clocks
LONGEST_LASTING_S = 1.0  # a packet that says it lasts longer only says when the next one comes
PRIMING_S = 0.2  # a start before zero by less is the priming of a codec, by more a clock that wrapped
LONGEST_WAIT_S = 5.0  # where a picture is decoded longer before it is shown, those that follow tell if that is so
MOST_BETWEEN = 17  # a picture goes before at most 16 that are shown before it, so the next ones soon overtake it
MOST_SHIFTS = 8  # so many of the latest shifts may be returned to
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Stamp:
    """Hold a packet's stamps in seconds, as the container has them: when it is decoded and shown, how long it lasts.

    Where a container says only when it is shown, `time_s` is that too.
    """

    track: int
    time_s: float
    shown_s: float
    lasts_s: float


class _Track:
    def __init__(self, shift_s: float, reorder: int) -> None:
        self.shift_s = shift_s
        self.lasts_s = 0.0
        self.end_s = float("-inf")
        self._latest_s: deque[float] = deque(maxlen=reorder + 1)

    @property
    def begun(self) -> bool:
        """Return whether a packet of it went before."""
        return bool(self._latest_s)

    @property
    def floor_s(self) -> float:
        """Return the time before which no packet follows: at most `reorder` went before one that is shown earlier."""
        full = len(self._latest_s) == self._latest_s.maxlen
        return min(self._latest_s) if full else float("-inf")

    def add(self, stamp: Stamp) -> None:
        """Note a packet that has its shift."""
        self._latest_s.append(stamp.time_s + self.shift_s)
        if stamp.lasts_s <= LONGEST_LASTING_S:
            self.lasts_s = stamp.lasts_s
        self.end_s = max(self.end_s, stamp.shown_s + self.shift_s + self.lasts_s)


class Clock:
    """Give each packet of a recording its shift; ask for all packets of both tracks, in the order of the file.

    `origin_s`: where the recording begins, by the container's clock. `breaks`: whether the format is known for broken
    clocks, so that a leap of the picture alone is a cut. `reorder`: behind how many others that are shown later a
    picture may come, where packets have no stamps for decoding. `cuts` counts the cuts, `cut_at_s` is where the last
    one lies, `skipped_s` is the time that the leaps left out, all so far.
    """

    def __init__(self, origin_s: float, picture: int | None, breaks: bool, reorder: int = 0) -> None:
        self.cuts = 0
        self.cut_at_s = 0.0
        self.skipped_s = 0.0
        self._picture, self._breaks, self._reorder = picture, breaks, reorder
        self._tracks: dict[int, _Track] = {}
        self._shifts_s = [0.0]
        self._origin_s = self._end_s = origin_s

    def shift_s(self, stamp: Stamp, ahead: Callable[[], Iterable[Stamp]]) -> float:
        """Return what to add to a packet's stamps; `ahead` gives the stamps of packets that follow it."""
        reorder = self._reorder if stamp.track == self._picture else 0
        track = self._tracks.setdefault(stamp.track, _Track(self._shifts_s[-1], reorder))
        leads = reorder > 0 and stamp.time_s + track.shift_s > self._end_s + LEAP_S
        told = stamp
        if leads or stamp.shown_s - stamp.time_s > LONGEST_WAIT_S:
            own = list(islice((other for other in ahead() if other.track == stamp.track), MOST_BETWEEN))
            if self._is_wild(stamp, own):
                return (track.end_s if track.begun else self._end_s) - stamp.shown_s
            told = replace(stamp, time_s=_first_beside_s(stamp, own))
        if not self._fits(track, told, track.shift_s):
            track.shift_s = self._next_shift_s(track, told, ahead)
        track.add(stamp)
        self._end_s = max(self._end_s, track.end_s)
        return track.shift_s

    def _is_wild(self, stamp: Stamp, own: list[Stamp]) -> bool:
        """Say whether none of the pictures that follow is shown later than one that is to be shown far ahead."""
        unknown = len(own) < MOST_BETWEEN and not self._breaks
        return not unknown and all(other.shown_s < stamp.shown_s for other in own)

    def _fits(self, track: _Track, stamp: Stamp, shift_s: float) -> bool:
        return track.floor_s - STEP_BACK_S <= stamp.time_s + shift_s <= self._end_s + LEAP_S

    def _next_shift_s(self, track: _Track, stamp: Stamp, ahead: Callable[[], Iterable[Stamp]]) -> float:
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
        if both or track.begun:
            return self._end_s if both else track.end_s
        return self._end_s if self._end_s - self._origin_s > LONGEST_LASTING_S else self._origin_s

    def _follows(self, other: Stamp, stamp: Stamp) -> bool:
        """Say whether a packet of the other track lies behind the same cut."""
        track = self._tracks.get(other.track) or _Track(self._shifts_s[-1], 0)
        return not self._fits(track, other, track.shift_s) and abs(other.time_s - stamp.time_s) <= LEAP_S


def _first_beside_s(stamp: Stamp, own: list[Stamp]) -> float:
    """Return when the first of the pictures is shown that lead up to one without a leap: it tells whether that leaps.

    A picture is encoded behind a later one, so the later one seems to leap where only a long still stretch began.
    """
    time_s = stamp.shown_s
    for other_s in sorted((other.shown_s for other in own), reverse=True):
        if time_s - LEAP_S <= other_s < time_s:
            time_s = other_s
    return time_s


def least_start_s(starts: Iterable[tuple[int, Fraction]], wraps: bool = False) -> float:
    """Return the time at which a recording begins: the least start of its tracks, each in units of its time base.

    `wraps`: stamps are never negative, so that a start before zero is one before a wrap.
    """
    # Whole microseconds, as FFmpeg counts a container's start, so that seconds fall where they always fell.
    starts_s = [round(start * time_base * MICROSECONDS) / MICROSECONDS for start, time_base in starts]
    earliest_s = min(starts_s, default=0.0)
    return 0.0 if -PRIMING_S < earliest_s < 0 and not wraps else earliest_s
