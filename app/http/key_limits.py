"""How much one key may ask for: requests at once, and requests per minute."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.http.keys import Key


@dataclass(frozen=True)
class Over:
    """Say which limit a key has reached, and in how many whole seconds to come back."""

    detail: str
    wait_s: int


@dataclass
class _Use:
    in_flight: int
    tokens: float  # requests that may come at once; as many as a minute's, filled up evenly
    filled_at_s: float


class KeyLimits:
    """Count each key's requests; for one event loop, whose turns nothing interrupts: no lock is needed.

    Limits are a key's own or else those given here; 0 for none.
    """

    def __init__(
        self, most_in_flight: int = 0, most_per_minute: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_in_flight, self._most_per_minute, self._clock = most_in_flight, most_per_minute, clock
        self._uses: dict[str, _Use] = {}

    def enter(self, key: Key) -> Over | None:
        """Count a request, which `leave` must end; or say why it may not begin, and count nothing."""
        at_once = self._most_in_flight if key.most_in_flight is None else key.most_in_flight
        per_minute = self._most_per_minute if key.most_per_minute is None else key.most_per_minute
        use = self._use(key, per_minute)
        if at_once and use.in_flight >= at_once:
            return Over(
                f"{use.in_flight} requests of the key {key.key_id} are under way, at most {at_once} expected", 1
            )
        if per_minute:
            if use.tokens < 1:
                wait_s = math.ceil((1 - use.tokens) * 60 / per_minute)
                return Over(
                    f"more requests of the key {key.key_id} given, at most {per_minute} a minute expected", wait_s
                )
            use.tokens -= 1
        use.in_flight += 1
        return None

    def leave(self, key: Key) -> None:
        """End a request that was counted."""
        self._uses[key.key_id].in_flight -= 1

    def _use(self, key: Key, per_minute: int) -> _Use:
        now_s = self._clock()
        use = self._uses.setdefault(key.key_id, _Use(0, per_minute, now_s))
        use.tokens = min(per_minute, use.tokens + (now_s - use.filled_at_s) * per_minute / 60)
        use.filled_at_s = now_s
        return use
