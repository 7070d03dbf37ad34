"""What damage does to a track: which stretches are lost, and which frames cannot be trusted."""

from __future__ import annotations

from model.media.segments import Lost

SHORTEST_GAP_S = 0.002  # less between two stamps is rounding
REACH_S = 0.5  # behind bytes that the container passed over, a gap is looked for this far
ODD_STAMP_S = 0.04  # there, a shorter gap in the sound is one frame with an odd stamp
MOST_REMEMBERED = 64


class Damage:
    """Follow one track's packets and frames, in seconds of the recording.

    Tell it what each packet came to (`passed`, `failed`, `suspected`), then ask it about each frame in turn.
    """

    def __init__(self, shortest_gap_s: float = SHORTEST_GAP_S) -> None:
        self._shortest_gap_s = shortest_gap_s
        self._good_until_s: float | None = None  # the end of what was decoded, or was left out by choice
        self._gap_from_s: float | None = None  # the next gap in the stamps from here on is a loss
        self._gap_until_s = self._lost_until_s = float("-inf")
        self._least_gap_s, self._most_gap_s = shortest_gap_s, float("inf")
        self._broken: list[list[float]] = []  # [from, until) of frames that may depend on what failed
        self._suspects: list[float] = []
        self._owed: dict[int, float] = {}  # the stamps of frames that packets promised, and when those were decoded
        self._written_off: list[int] = []
        self.asked = False  # whether there was any packet to decode
        self._begun, self._ordered = False, True

    @property
    def is_open(self) -> bool:
        """Return whether the frames of this place may depend on what failed."""
        return bool(self._broken) and self._broken[-1][1] == float("inf")

    def passed(self, end_s: float) -> None:
        """Note a packet that was decoded."""
        if self._gap_from_s is None and (self._good_until_s is None or end_s > self._good_until_s):
            self._good_until_s = end_s

    def owes(self, time_s: float, stamp: int) -> None:
        """Note that a packet without an error must give a frame; if it never comes, it was damaged after all."""
        self._owed[stamp] = time_s

    def failed(self, time_s: float, end_s: float) -> None:
        """Note a packet, decoded at `time_s` and shown until `end_s`, that could not be decoded."""
        if self._gap_from_s is None:
            self._gap_from_s = time_s if self._good_until_s is None else self._good_until_s
        self._gap_until_s = max(self._gap_until_s, end_s)
        self._lost_until_s = max(self._lost_until_s, end_s)
        self._least_gap_s, self._most_gap_s = self._shortest_gap_s, float("inf")
        self._breaks(time_s)

    def suspected(self, time_s: float, shown_s: float, end_s: float) -> None:
        """Note a packet that the container calls corrupt: what is missing lies before it, or in it."""
        self.failed(time_s, end_s)
        self._suspects = [*self._suspects, shown_s][-MOST_REMEMBERED:]

    def skipped(self, most_gap_s: float = float("inf")) -> None:
        """Note that the container passed over bytes: only a gap in the stamps shows whether they were this track's."""
        if self._gap_from_s is None and self._good_until_s is not None:
            self._gap_from_s = self._good_until_s
            self._gap_until_s = self._good_until_s + REACH_S
            self._most_gap_s = most_gap_s
            self._least_gap_s = max(2 * self._shortest_gap_s, ODD_STAMP_S)

    def paid(self, stamp: int) -> None:
        """Note a frame; frames come in the order in which they are shown."""
        if stamp in self._written_off:  # stamps out of order show nothing: what was concluded from them is void
            self._ordered, self._broken = False, []
        late = [owed for owed in self._owed if owed < stamp]
        for missing in late:
            time_s = self._owed.pop(missing)
            if self._begun and self._ordered:  # the first frames of a track may lean on what was before it
                self._breaks(time_s)
        self._written_off = [*self._written_off, *late][-MOST_REMEMBERED:] if late else self._written_off
        self._owed.pop(stamp, None)
        self._begun = True

    def lost_before(self, start_s: float, end_s: float) -> Lost | None:
        """Return what was lost directly before a frame, which was decoded."""
        if self._gap_from_s is None or start_s < self._gap_from_s - SHORTEST_GAP_S:
            return None
        from_s, self._good_until_s = self._gap_from_s, end_s
        if start_s - from_s > self._most_gap_s:
            self._gap_from_s = None
            return None
        if start_s - from_s > self._shortest_gap_s / 2:
            self._breaks(from_s)
        if start_s - from_s > self._least_gap_s:
            self._gap_from_s = None
            return Lost(from_s, start_s)
        over = start_s >= self._gap_until_s - SHORTEST_GAP_S
        self._gap_from_s = None if over else max(from_s, end_s)
        return None

    def rest(self) -> Lost | None:
        """Return what was lost after the last frame."""
        if self._gap_from_s is None or self._lost_until_s - self._gap_from_s <= self._shortest_gap_s:
            return None
        return Lost(self._gap_from_s, self._lost_until_s)

    def is_whole(self, start_s: float, key: bool, corrupt: bool) -> bool:
        """Say whether a frame is whole: it is no suspect, and no frame that it depends on failed.

        `key`: it depends on no other. `corrupt`: the decoder itself says that it is not whole.
        """
        if not self._broken and not corrupt:
            return True
        corrupt = corrupt or any(abs(start_s - suspect_s) < SHORTEST_GAP_S for suspect_s in self._suspects)
        if key and not corrupt and self.is_open and start_s >= self._broken[-1][0] - SHORTEST_GAP_S:
            self._broken[-1][1] = start_s
        return not corrupt and not any(from_s <= start_s < until_s for from_s, until_s in self._broken)

    def _breaks(self, time_s: float) -> None:
        if self.is_open:
            self._broken[-1][0] = min(self._broken[-1][0], time_s)
        else:
            self._broken = [*self._broken, [time_s, float("inf")]][-MOST_REMEMBERED:]
