"""Cancel the work of a request when its client hangs up or its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from model.errors import ClientGone, PastDeadline

T = TypeVar("T")


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, T], limit_s: float) -> T:
    """Return what `work` returns; cancel it when the client hangs up or after `limit_s` seconds.

    A decoding process finishes what it has begun; calls that still wait for a process are dropped. Read the body
    first. Raises ClientGone, PastDeadline.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, gone), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ClientGone("the client hung up before it had an answer")
        raise PastDeadline(
            f"no answer within {limit_s:g} s, the limit of one request: the service is too busy for this question; "
            "ask again later, or for less"
        )
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.wait((task, gone))  # nothing of it outlives the request


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
