"""The micro-batcher: no delay when idle, full batches under load, and no item pays for another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from app.batching import Batcher


class Work:
    """Double numbers, once the gate is open; refuse 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.gate.wait(30)
        if 13 in items:
            raise ValueError("13 given")
        return [2 * item for item in items]


async def until_busy(work: Work) -> None:
    while not work.batches:
        await asyncio.sleep(0.001)


def test_what_waits_is_done_together() -> None:
    """The first goes at once and alone; what comes meanwhile makes batches of at most `most`, in order."""

    async def run() -> None:
        work, sizes = Work(), list[int]()
        batcher = Batcher[int, int]("test", work, 3, sizes.append)
        first = asyncio.create_task(batcher.do(0))
        await until_busy(work)
        others = [asyncio.create_task(batcher.do(item)) for item in range(1, 6)]
        await asyncio.sleep(0)
        assert batcher.waiting == 5
        work.gate.set()
        shares = [await task for task in (first, *others)]
        assert [share.result for share in shares] == [0, 2, 4, 6, 8, 10]
        assert work.batches == [[0], [1, 2, 3], [4, 5]]
        assert sizes == [1, 3, 2]
        assert shares[1].spent_ms == shares[3].spent_ms >= 0
        batcher.close()

    asyncio.run(run())


def test_a_failed_item_fails_alone() -> None:
    """The others of its batch get their results, each tried by itself."""

    async def run() -> None:
        work = Work()
        batcher = Batcher[int, int]("test", work, 10)
        first = asyncio.create_task(batcher.do(0))
        await until_busy(work)
        others = [asyncio.create_task(batcher.do(item)) for item in (1, 13, 2)]
        await asyncio.sleep(0)
        work.gate.set()
        found = await asyncio.gather(first, *others, return_exceptions=True)
        assert [getattr(one, "result", None) for one in found] == [0, 2, None, 4]
        assert isinstance(found[2], ValueError)
        assert work.batches == [[0], [1, 13, 2], [1], [13], [2]]
        batcher.close()

    asyncio.run(run())


def test_who_has_gone_is_dropped() -> None:
    """An item whose asker was cancelled is not worked on, and one at work disturbs nobody by it."""

    async def run() -> None:
        work = Work()
        batcher = Batcher[int, int]("test", work, 10)
        first = asyncio.create_task(batcher.do(0))
        await until_busy(work)
        gone, stays = asyncio.create_task(batcher.do(1)), asyncio.create_task(batcher.do(2))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()
        await asyncio.sleep(0)
        work.gate.set()
        assert (await stays).result == 4
        assert work.batches == [[0], [2]]
        batcher.close()

    asyncio.run(run())


def test_closing_cancels_what_waits() -> None:
    """The batch at hand is finished, nobody waits for ever."""

    async def run() -> None:
        work = Work()
        batcher = Batcher[int, int]("test", work, 1)
        first, second = asyncio.create_task(batcher.do(0)), asyncio.create_task(batcher.do(1))
        await until_busy(work)
        work.gate.set()
        batcher.close()
        assert (await first).result == 0
        with pytest.raises(asyncio.CancelledError):
            await second
        assert work.batches == [[0]]

    asyncio.run(run())
