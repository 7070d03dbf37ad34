"""A micro-batcher: what waits while a batch is at work becomes the next one, so that an idle service adds no delay."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from model.errors import WorkerFailure

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Do items one batch after the other, up to `most` at once; used from one event loop.

    `work` returns a result or an error for each item of a batch. Where it fails itself, each item is done alone, so
    that what fails fails alone; an item whose asker has gone is dropped.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        most: int,
        seen: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`seen` is told the size of every batch."""
        self._work, self._most, self._seen = work, most, seen
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._at_work: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Return how many items wait for their batch."""
        return len(self._waiting)

    async def do(self, item: Item) -> Result:
        """Return what `work` makes of an item, in the next batch. Raises what it raises."""
        asker: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, asker))
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._go_on())
        return await asker

    async def _go_on(self) -> None:
        """Do batches until nothing waits."""
        try:
            while batch := self._next():
                self._seen(len(batch))
                outcomes = await self._outcomes([item for item, _ in batch])
                for (_, asker), outcome in zip(batch, outcomes, strict=True):
                    if asker.done():
                        continue
                    if isinstance(outcome, BaseException):
                        asker.set_exception(outcome)
                    else:
                        asker.set_result(outcome)
        finally:
            self._at_work = None

    def _next(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._most:
            item, asker = self._waiting.popleft()
            if not asker.done():  # its asker may have gone
                batch.append((item, asker))
        return batch

    async def _outcomes(self, items: list[Item]) -> list[Result | BaseException]:
        try:
            return list(await self._work(items))
        except asyncio.CancelledError:  # with the service
            return [WorkerFailure("the service ends; ask again in a moment") for _ in items]
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [outcome for item in items for outcome in await self._outcomes([item])]
