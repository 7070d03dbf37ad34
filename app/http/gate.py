"""A gate with room for so many requests at once, before which others wait for one to leave."""

from __future__ import annotations

import asyncio
import math
from collections import deque

MEMORY = 0.1  # weight of the latest request in the mean duration
LONGEST_WAIT_S = 30
MOST_WAITING = 32  # times as many as may be inside
FRESH_S = 0.25  # that a request has waited at most for which the last places are kept
KEPT = 4  # the part of the places that is kept for those: one of so many


class Gate:
    """Let at most `most` requests in at once; used from one event loop.

    Who comes when it is full waits for up to `patience_s`: a stall refuses nobody. In a crowd not all can be answered
    soon, and if each had to wait for its turn, none would be. So a place goes to who has just come, the latest first,
    and to who has waited for longer, the longest first, only while a quarter of the places is free: after a stall that
    is soon, in a crowd it is not.
    """

    def __init__(self, most: int, patience_s: float = 0.0) -> None:
        self.most, self.inside = most, 0
        self._for_all = most - most // KEPT
        self._patience_s = patience_s
        self._waiting: deque[Place] = deque()  # in the order in which they came
        self._mean_s = 0.0

    @property
    def waiting(self) -> int:
        """Return how many wait for a place."""
        return len(self._waiting)

    async def enter(self) -> bool:
        """Count one more request in, soon, or say that it has to stay out."""
        if self.inside < self.most:
            self.inside += 1
            return True
        if not self._patience_s or self.waiting >= MOST_WAITING * self.most:
            return False
        place = Place(asyncio.get_running_loop())
        self._waiting.append(place)
        late = place.loop.call_later(self._patience_s, self._give_up, place)
        try:
            return await place.let_in
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            elif place.is_taken:
                self.leave()
            raise
        finally:
            late.cancel()

    def _give_up(self, place: Place) -> None:
        if not place.let_in.done():
            self._waiting.remove(place)
            place.let_in.set_result(False)

    def leave(self, spent_s: float | None = None) -> None:
        """Count a request out, which took so long, and another in that waits."""
        if spent_s is not None:
            self._mean_s += MEMORY * (spent_s - self._mean_s)
        self.inside -= 1
        while self._waiting:
            if self._waiting[-1].waited_s <= FRESH_S:
                place = self._waiting.pop()
            elif self.inside < self._for_all:
                place = self._waiting.popleft()
            else:
                return
            if not place.let_in.done():  # else it was cancelled just now
                place.let_in.set_result(True)
                self.inside += 1
                return

    @property
    def wait_s(self) -> int:
        """Return after how many seconds it is worth asking again: about what a request inside takes."""
        return min(LONGEST_WAIT_S, max(1, math.ceil(self._mean_s)))


class Place:
    """Remember since when a request waits, and whether it is let in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.let_in: asyncio.Future[bool] = loop.create_future()
        self._since_s = loop.time()

    @property
    def waited_s(self) -> float:
        """Return for how long it has waited."""
        return self.loop.time() - self._since_s

    @property
    def is_taken(self) -> bool:
        """Say whether it was let in."""
        return self.let_in.done() and not self.let_in.cancelled() and self.let_in.result()
