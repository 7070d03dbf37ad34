"""Limits on keys: how much each key may ask for, and how many wrong keys an address may send."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.http.keys import Key

MOST_WRONG_PER_MINUTE = 10  # keys from one address
MOST_ADDRESSES = 10_000  # remembered; then the one that was longest without a wrong key is forgotten


@dataclass(frozen=True)
class Over:
    """Say which limit is reached, and in how many whole seconds to ask again."""

    detail: str
    wait_s: int


@dataclass
class _Bucket:
    """Hold tokens, at most a minute's; they refill evenly."""

    tokens: float
    filled_at_s: float

    def take(self, per_minute: int, now_s: float) -> int | None:
        """Take a token and return None; or return in how many whole seconds there will be one."""
        self.tokens = min(per_minute, self.tokens + (now_s - self.filled_at_s) * per_minute / 60)
        self.filled_at_s = now_s
        if self.tokens < 1:
            return math.ceil((1 - self.tokens) * 60 / per_minute)
        self.tokens -= 1
        return None


@dataclass
class _Use:
    in_flight: int
    bucket: _Bucket


class KeyLimits:
    """Count the requests of each key, and the wrong keys of each address; for one event loop, so without a lock.

    A key has limits of its own, or those given here; 0 for none.
    """

    def __init__(
        self, most_in_flight: int = 0, most_per_minute: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_in_flight, self._most_per_minute, self._clock = most_in_flight, most_per_minute, clock
        self._uses: dict[str, _Use] = {}
        self._wrong: dict[str, _Bucket] = {}  # by address; the latest wrong key is last

    def enter(self, key: Key) -> Over | None:
        """Count a request, which `leave` must end; or say why it may not begin, and count nothing."""
        at_once = self._most_in_flight if key.most_in_flight is None else key.most_in_flight
        per_minute = self._most_per_minute if key.most_per_minute is None else key.most_per_minute
        now_s = self._clock()
        use = self._uses.setdefault(key.key_id, _Use(0, _Bucket(per_minute, now_s)))
        if at_once and use.in_flight >= at_once:
            return Over(
                f"{use.in_flight} requests of the key {key.key_id} are under way, at most {at_once} expected", 1
            )
        if per_minute and (wait_s := use.bucket.take(per_minute, now_s)) is not None:
            return Over(f"more requests of the key {key.key_id} given, at most {per_minute} a minute expected", wait_s)
        use.in_flight += 1
        return None

    def leave(self, key: Key) -> None:
        """End a request that was counted."""
        self._uses[key.key_id].in_flight -= 1

    def count_wrong(self, address: str) -> Over | None:
        """Count a wrong key; or say that its address sent too many, and count nothing."""
        now_s = self._clock()
        bucket = self._wrong.pop(address, _Bucket(MOST_WRONG_PER_MINUTE, now_s))
        self._wrong[address] = bucket
        if len(self._wrong) > MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]
        wait_s = bucket.take(MOST_WRONG_PER_MINUTE, now_s)
        if wait_s is None:
            return None
        detail = f"more wrong keys from {address} given, at most {MOST_WRONG_PER_MINUTE} a minute expected"
        return Over(f"{detail}: send the right one", wait_s)
