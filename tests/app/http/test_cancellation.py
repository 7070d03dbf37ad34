"""Work lasts as long as its client waits and no longer than its deadline."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.http.cancellation import cancel_on_disconnect
from model.errors import ClientGone, PastDeadline, QueryError


class Work:
    """Take a while, and know whether it was cut off."""

    def __init__(self, seconds: float, error: Exception | None = None) -> None:
        self.seconds, self.error, self.cancelled = seconds, error, False

    async def do(self) -> str:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error:
            raise self.error
        return "done"


async def answer(work: Work, limit_s: float, gone_after_s: float | None = None) -> str:
    async def receive() -> Message:
        await asyncio.sleep(60 if gone_after_s is None else gone_after_s)
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    try:
        return await cancel_on_disconnect(request, work.do(), limit_s)
    finally:
        await asyncio.sleep(0)  # the cancelled have a turn to notice


def test_what_is_waited_for_is_answered() -> None:
    """A result comes back, and so does an error as it is."""
    assert asyncio.run(answer(Work(0.0), 60)) == "done"
    with pytest.raises(QueryError, match="why"):
        asyncio.run(answer(Work(0.0, QueryError("why")), 60))


def test_who_hangs_up_ends_the_work() -> None:
    """ClientGone, and the work is cancelled."""
    work = Work(60)
    with pytest.raises(ClientGone):
        asyncio.run(answer(work, 60, gone_after_s=0.01))
    assert work.cancelled


def test_the_deadline_ends_the_work() -> None:
    """PastDeadline by name and limit, and the work is cancelled."""
    work = Work(60)
    with pytest.raises(PastDeadline, match=r"0\.02 s"):
        asyncio.run(answer(work, 0.02))
    assert work.cancelled
