"""Long computations one at a time: few may wait for their turn, others come again later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from model.errors import EcholensError


class OneAtATime:
    """Let one thread compute while at most `most_waiting` wait: each of them is a thread that answers nobody else."""

    def __init__(self, most_waiting: int, refusal: Callable[[], EcholensError]) -> None:
        self._most_waiting, self._refusal = most_waiting, refusal
        self._computing, self._counting = threading.Lock(), threading.Lock()
        self._taken = 0

    @property
    def waiting(self) -> int:
        """Return how many wait for their turn."""
        return max(0, self._taken - 1)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn and have it. Raises the refusal where too many wait."""
        with self._counting:
            if self._taken > self._most_waiting:
                raise self._refusal()
            self._taken += 1
        try:
            with self._computing:
                yield
        finally:
            with self._counting:
                self._taken -= 1
