"""A gate with room for so many requests at once, before which others wait a moment for one to leave."""

from __future__ import annotations

import asyncio
import math

MEMORY = 0.1  # weight of the latest request in the mean duration
LONGEST_WAIT_S = 30
MOST_WAITING = 32  # times as many as may be inside


class Gate:
    """Let at most `most` requests in at once; used from one event loop.

    Who comes when it is full waits for up to `patience_s`: a moment's stall refuses nobody, and who comes again at once
    when refused is held up a little. The latest is let in first, so that in a crowd the others wait in vain, but nobody
    is answered late.
    """

    def __init__(self, most: int, patience_s: float = 0.0) -> None:
        self.most, self.inside = most, 0
        self._patience_s = patience_s
        self._waiting: list[asyncio.Future[bool]] = []
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
        loop = asyncio.get_running_loop()
        place: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(place)
        late = loop.call_later(self._patience_s, self._give_up, place)
        try:
            return await place
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            elif not place.cancelled() and place.result():
                self._free()
            raise
        finally:
            late.cancel()

    def _give_up(self, place: asyncio.Future[bool]) -> None:
        if not place.done():
            self._waiting.remove(place)
            place.set_result(False)

    def left(self, spent_s: float) -> None:
        """Count a request out, which took so long, and another in that waits."""
        self._mean_s += MEMORY * (spent_s - self._mean_s)
        self._free()

    def _free(self) -> None:
        while self._waiting:
            place = self._waiting.pop()
            if not place.done():
                place.set_result(True)
                return
        self.inside -= 1

    @property
    def wait_s(self) -> int:
        """Return after how many seconds it is worth asking again: about what a request inside takes."""
        return min(LONGEST_WAIT_S, max(1, math.ceil(self._mean_s)))
