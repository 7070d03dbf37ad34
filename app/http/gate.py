"""A gate that lets so many requests in at once; others wait until one leaves."""

from __future__ import annotations

import asyncio
import math
from collections import deque

MEMORY = 0.1  # weight of the latest request in the mean duration
LONGEST_WAIT_S = 30
MOST_WAITING = 32  # times as many as may be inside
FRESH_S = 0.25  # a request that has waited no longer than this is fresh
KEPT = 4  # one place of so many is kept for fresh requests


class Gate:
    """Let at most `most` requests in at once; used from one event loop.

    When all places are taken, a request waits up to `patience_s`, so that a short stall refuses nobody. A free place
    goes to a fresh request, the latest first. It goes to an older one, the oldest first, only while more than a quarter
    of the places are free. After a stall that is soon. Under overload it is not, but fresh requests are still answered
    quickly, where a plain queue would make every request wait for the full time.
    """

    def __init__(self, most: int, patience_s: float = 0.0) -> None:
        self.most, self.inside = most, 0
        self._for_all = most - most // KEPT
        self._patience_s = patience_s
        self._waiting: deque[Waiter] = deque()  # in the order of arrival
        self._mean_s = 0.0

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._waiting)

    async def enter(self) -> bool:
        """Wait for a place and take it; return False where none became free in time."""
        if self.inside < self.most:
            self.inside += 1
            return True
        if not self._patience_s or self.waiting >= MOST_WAITING * self.most:
            return False
        waiter = Waiter(asyncio.get_running_loop())
        self._waiting.append(waiter)
        late = waiter.loop.call_later(self._patience_s, self._give_up, waiter)
        try:
            return await waiter.let_in
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif waiter.was_let_in:
                self.leave()
            raise
        finally:
            late.cancel()

    def _give_up(self, waiter: Waiter) -> None:
        if not waiter.let_in.done():
            self._waiting.remove(waiter)
            waiter.let_in.set_result(False)

    def leave(self, spent_s: float | None = None) -> None:
        """Give a place back after `spent_s` seconds, and let a waiting request in."""
        if spent_s is not None:
            self._mean_s += MEMORY * (spent_s - self._mean_s)
        self.inside -= 1
        while self._waiting:
            if self._waiting[-1].waited_s <= FRESH_S:
                waiter = self._waiting.pop()
            elif self.inside < self._for_all:
                waiter = self._waiting.popleft()
            else:
                return
            if not waiter.let_in.done():  # else it was cancelled just now
                waiter.let_in.set_result(True)
                self.inside += 1
                return

    @property
    def wait_s(self) -> int:
        """Return after how many seconds to ask again: about as long as a request takes."""
        return min(LONGEST_WAIT_S, max(1, math.ceil(self._mean_s)))


class Waiter:
    """Hold since when a request waits, and whether it was let in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.let_in: asyncio.Future[bool] = loop.create_future()
        self._since_s = loop.time()

    @property
    def waited_s(self) -> float:
        """Return how long it has waited."""
        return self.loop.time() - self._since_s

    @property
    def was_let_in(self) -> bool:
        """Say whether it was let in."""
        return self.let_in.done() and not self.let_in.cancelled() and self.let_in.result()
