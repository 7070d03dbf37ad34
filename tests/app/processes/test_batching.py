"""The micro-batcher: no delay when idle, full batches under load, and no item pays for another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.processes.batching import Batcher


class Work:
    """Double numbers, once the gate is open; refuse 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if 13 in items:
            raise ValueError("13 given")
        return [2 * item for item in items]


async def until_busy(work: Work) -> None:
    while not work.batches:
        await asyncio.sleep(0)


def test_what_waits_is_done_together() -> None:
    """The first goes at once and alone; what comes meanwhile makes batches of at most `most`, in order."""

    async def run() -> None:
        work, sizes = Work(), list[int]()
        batcher = Batcher[int, int](work, 3, sizes.append)
        first = asyncio.create_task(batcher.do(0))
        await until_busy(work)
        others = [asyncio.create_task(batcher.do(item)) for item in range(1, 6)]
        await asyncio.sleep(0)
        assert batcher.waiting == 5
        work.gate.set()
        assert [await task for task in (first, *others)] == [0, 2, 4, 6, 8, 10]
        assert work.batches == [[0], [1, 2, 3], [4, 5]]
        assert sizes == [1, 3, 2]
        assert await batcher.do(6) == 12, "it begins again after a rest"

    asyncio.run(run())


def test_batches_at_once_share_what_waits() -> None:
    """Each takes its part, so that none idles; a batch begins as soon as fewer than so many are at work."""

    async def run() -> None:
        work = Work()
        batcher = Batcher[int, int](work, lambda: 3, at_once=2)
        tasks = [asyncio.create_task(batcher.do(item)) for item in range(2)]
        while len(work.batches) < 2:
            await asyncio.sleep(0)
        tasks += [asyncio.create_task(batcher.do(item)) for item in range(2, 10)]
        await asyncio.sleep(0)
        assert batcher.waiting == 8
        work.gate.set()
        assert [await task for task in tasks] == [2 * item for item in range(10)]
        assert [len(batch) for batch in work.batches] == [1, 1, 3, 3, 1, 1]
        assert await batcher.do(13 + 1) == 28, "it begins again after a rest"

    asyncio.run(run())


def test_a_failed_item_fails_alone() -> None:
    """The others of its batch get their results, each tried by itself."""

    async def run() -> None:
        work = Work()
        batcher = Batcher[int, int](work, 10)
        first = asyncio.create_task(batcher.do(0))
        await until_busy(work)
        others = [asyncio.create_task(batcher.do(item)) for item in (1, 13, 2)]
        await asyncio.sleep(0)
        work.gate.set()
        found = await asyncio.gather(first, *others, return_exceptions=True)
        assert [one if isinstance(one, int) else None for one in found] == [0, 2, None, 4]
        assert isinstance(found[2], ValueError)
        assert work.batches == [[0], [1, 13, 2], [1], [13], [2]]

    asyncio.run(run())


def test_who_has_gone_is_dropped() -> None:
    """An item whose asker was cancelled is not worked on, and one at work disturbs nobody by it."""

    async def run() -> None:
        work = Work()
        batcher = Batcher[int, int](work, 10)
        first = asyncio.create_task(batcher.do(0))
        await until_busy(work)
        gone, stays = asyncio.create_task(batcher.do(1)), asyncio.create_task(batcher.do(2))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()
        await asyncio.sleep(0)
        work.gate.set()
        assert await stays == 4
        assert work.batches == [[0], [2]]
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(run())
