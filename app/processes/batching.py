"""A micro-batcher: items that arrive during a batch form the next one, so an idle service adds no delay."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from model.errors import WorkerFailure

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Process items in batches of up to `most`, `at_once` batches at a time; used from one event loop.

    `work` returns a result or an error for each item of a batch. If it raises, each item is processed alone, so that
    only the faulty item fails. An item whose caller was cancelled is dropped.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        most: int | Callable[[], int],
        seen: Callable[[int], None] = lambda _: None,
        at_once: int = 1,
    ) -> None:
        """`seen` is called with the size of every batch; `most` may change. Batches share what waits."""
        self._work, self._seen, self._at_once = work, seen, at_once
        self._most = most if callable(most) else lambda: most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._at_work: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Return how many items wait for their batch."""
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Say whether no batch is being processed."""
        return not self._at_work

    async def do(self, item: Item) -> Result:
        """Return the result of `work` for an item, from the next batch. Raises its error."""
        caller: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, caller))
        if len(self._at_work) < self._at_once:
            self._at_work.add(asyncio.create_task(self._go_on()))
        return await caller

    async def _go_on(self) -> None:
        """Process batches until no item waits."""
        try:
            while batch := self._next():
                self._seen(len(batch))
                outcomes = await self._outcomes([item for item, _ in batch])
                for (_, caller), outcome in zip(batch, outcomes, strict=True):
                    if caller.done():
                        continue
                    if isinstance(outcome, BaseException):
                        caller.set_exception(outcome)
                    else:
                        caller.set_result(outcome)
        finally:
            self._at_work = {task for task in self._at_work if task is not asyncio.current_task()}

    def _next(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        most = min(self._most(), -(-len(self._waiting) // self._at_once))
        while self._waiting and len(batch) < most:
            item, caller = self._waiting.popleft()
            if not caller.done():  # its caller may have been cancelled
                batch.append((item, caller))
        return batch

    async def _outcomes(self, items: list[Item]) -> list[Result | BaseException]:
        try:
            return list(await self._work(items))
        except asyncio.CancelledError:  # the service stops
            return [WorkerFailure("the service is stopping; try again in a moment") for _ in items]
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [outcome for item in items for outcome in await self._outcomes([item])]
