"""A micro-batcher: what waits while a batch is at work becomes the next one, so that an idle service adds no delay."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Share(Generic[Result]):
    """Hold an item's result, and the milliseconds that its batch was at work."""

    result: Result
    spent_ms: float


class Batcher(Generic[Item, Result]):
    """Do items in one thread, up to `most` at once; used from one event loop.

    `work` returns a result for each item of a batch. Where it fails, each item is done by itself, so that an item that
    fails fails alone; one whose asker has gone is dropped.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        most: int,
        seen: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`seen` is told the size of every batch."""
        self._work, self._most, self._seen = work, most, seen
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting: deque[tuple[Item, asyncio.Future[Share[Result]]]] = deque()
        self._busy = False

    @property
    def waiting(self) -> int:
        """Return how many items wait for the thread."""
        return len(self._waiting)

    async def do(self, item: Item) -> Share[Result]:
        """Return what `work` makes of an item, in the next batch. Raises what it raises."""
        asker: asyncio.Future[Share[Result]] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, asker))
        self._go_on()
        return await asker

    def close(self) -> None:
        """Finish the batch at hand; what waits is cancelled."""
        for _, asker in self._waiting:
            asker.cancel()
        self._waiting.clear()
        self._thread.shutdown()

    def _go_on(self) -> None:
        if self._busy:
            return
        batch: list[tuple[Item, asyncio.Future[Share[Result]]]] = []
        while self._waiting and len(batch) < self._most:
            item, asker = self._waiting.popleft()
            if not asker.done():  # its asker may have gone
                batch.append((item, asker))
        if not batch:
            return
        self._busy = True
        self._seen(len(batch))
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._thread, self._do, [item for item, _ in batch])
        done.add_done_callback(lambda done: self._settle([asker for _, asker in batch], done.result()))

    def _settle(self, askers: list[asyncio.Future[Share[Result]]], outcomes: list[Share[Result] | Exception]) -> None:
        for asker, outcome in zip(askers, outcomes, strict=True):
            if asker.done():
                continue
            if isinstance(outcome, Exception):
                asker.set_exception(outcome)
            else:
                asker.set_result(outcome)
        self._busy = False
        self._go_on()

    def _do(self, items: list[Item]) -> list[Share[Result] | Exception]:
        started = time.perf_counter()
        try:
            results = self._work(items)
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [outcome for item in items for outcome in self._do([item])]
        spent_ms = 1000 * (time.perf_counter() - started)
        return [Share(result, spent_ms) for result in results]
