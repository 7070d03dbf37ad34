"""Limit how many requests are answered at once; refuse the others before their bodies are read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.gate import Gate
from app.http.problems import problem
from app.http.route_table import Cost, RouteTable
from app.telemetry.metrics import Metrics
from model.errors import SlowBody, TooLarge

SLOWEST_BYTES_PER_S = 8 * 1024
LARGEST_PLAIN_BYTES = 1024**2  # a body without files


class Admission:
    """Send each request through the gate of its cost, and end one whose body is too slow or too large."""

    def __init__(
        self,
        app: ASGIApp,
        gates: Mapping[Cost, Gate],
        most_bytes: int,
        most_idle_s: float,
        metrics: Metrics,
        routes: RouteTable,
    ) -> None:
        """`most_bytes`: of a body behind a gate; `most_idle_s`: between two pieces of a body."""
        self._app, self._gates, self._metrics, self._routes = app, gates, metrics, routes
        self._most_bytes, self._most_idle_s = most_bytes, most_idle_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request once its gate has room, or refuse it."""
        cost = self._routes.of(scope).cost if scope["type"] == "http" else None
        gate = None if cost is None else self._gates[cost]
        if gate is None:
            await self._app(scope, self._brisk(receive, min(LARGEST_PLAIN_BYTES, self._most_bytes)), send)
        elif not await gate.enter():
            self._metrics.count_refused("busy")
            headers = {"Retry-After": str(gate.wait_s)} | unless_short(Headers(scope=scope))
            detail = (
                f"{gate.inside} such requests are being answered, at most {gate.most} at once expected: "
                f"ask again in {gate.wait_s} s"
            )
            await problem(429, "busy", detail, headers=headers)(scope, receive, send)
        else:
            started = time.monotonic()
            try:
                await self._app(scope, self._brisk(receive, self._most_bytes), send)
            finally:
                gate.leave(time.monotonic() - started)

    def _brisk(self, receive: Receive, most_bytes: int) -> Receive:
        """Raise SlowBody where a body stops or is too slow, TooLarge where it is larger than `most_bytes`."""
        complete, received_bytes, started = False, 0, time.monotonic()

        async def brisk() -> Message:
            nonlocal complete, received_bytes
            if complete:  # only the client's hanging up can come now; it may take its time
                return await receive()
            try:
                async with asyncio.timeout(self._most_idle_s):
                    message = await receive()
            except TimeoutError:
                raise SlowBody(
                    f"nothing of the body came for {self._most_idle_s:g} s: send it without pauses"
                ) from None
            complete = not message.get("more_body", False)
            received_bytes += len(message.get("body", b""))
            if received_bytes > most_bytes:
                raise TooLarge(
                    f"a body of {received_bytes} bytes or more given, at most {most_bytes} expected: send less at once"
                )
            spent_s = time.monotonic() - started
            if not complete and spent_s > self._most_idle_s + received_bytes / SLOWEST_BYTES_PER_S:
                raise SlowBody(
                    f"{received_bytes} bytes of the body came in {spent_s:.0f} s, at least {SLOWEST_BYTES_PER_S} a "
                    "second expected: send it over a faster line"
                )
            return message

        return brisk


def unless_short(headers: Headers) -> dict[str, str]:
    """Return the header that closes a refused request's connection, unless its body is short enough to skip."""
    declared = "" if "transfer-encoding" in headers else headers.get("content-length", "0")
    is_short = declared.isdigit() and int(declared) <= LARGEST_PLAIN_BYTES
    return {} if is_short else {"Connection": "close"}
