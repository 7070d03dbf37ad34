"""Around every request: give it an id, log it, count it, and answer whatever goes wrong inside as a problem."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http import problems
from app.http.error_codes import ERROR_CODES, PATTERN
from app.http.route_table import RouteTable
from app.telemetry.current_request import CURRENT, ROOT, CurrentRequest, new_request_id
from app.telemetry.logs import event
from app.telemetry.metrics import Metrics
from model.errors import EcholensError

log = logging.getLogger("echolens")
PROBLEM = "application/problem+json"
REFUSING = ("queue_full", "map_busy", "measure_busy", "deadline")  # middlewares count the others


class RequestLog:
    """Wrap the whole application, so that it sees every answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: RouteTable) -> None:
        self._app, self._metrics, self._routes = app, metrics, routes
        for path, methods in routes.methods().items():
            metrics.expect_route(path, methods)
        metrics.expect_problems(code for code in ERROR_CODES if code != PATTERN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, then log and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = CurrentRequest(new_request_id(Headers(scope=scope).get("x-request-id")), root=scope.get(ROOT, "/"))
        token = CURRENT.set(exchange)
        traffic = Traffic(scope, receive, send, exchange.request_id, self._routes)
        started = time.perf_counter()
        try:
            with self._metrics.in_flight():
                await self._answer(scope, traffic)
        finally:
            self._write_down(scope, exchange, traffic, time.perf_counter() - started)
            CURRENT.reset(token)

    async def _answer(self, scope: Scope, traffic: Traffic) -> None:
        """Pass on; answer what is raised, by a middleware too, as a problem."""
        try:
            await self._app(scope, traffic.receive, traffic.send)
        except ClientDisconnect:
            traffic.gone = traffic.status is None
        except EcholensError as error:
            if traffic.status is None:
                await problems.answer_of(error)(scope, traffic.receive, traffic.send)
            elif not traffic.ended:
                raise
        except Exception:
            log.exception("a request failed unexpectedly", extra=event("fault"))
            if traffic.status is None:
                await problems.internal()(scope, traffic.receive, traffic.send)
            raise  # to the server, which closes the connection of a half sent answer, and to tests

    def _write_down(self, scope: Scope, exchange: CurrentRequest, traffic: Traffic, duration_s: float) -> None:
        route, method, status = self._routes.of(scope).template, scope["method"], traffic.status
        self._metrics.observe_request(route, method, status, duration_s)
        fields: dict[str, Any] = {
            "method": method,
            "route": route,
            "path": scope["path"],
            "status": status,
            "duration_ms": round(1000 * duration_s, 3),
            "bytes_in": traffic.bytes_in,
            "bytes_out": traffic.bytes_out,
        }
        if (key := scope.get("state", {}).get("key")) is not None:
            fields["key_id"] = key.key_id
        if exchange.problem_code is not None and status is not None:
            self._metrics.count_problem(exchange.problem_code)
            fields["code"] = exchange.problem_code
            if exchange.problem_code in REFUSING:
                self._metrics.count_refused(exchange.problem_code)
        if traffic.gone:
            self._metrics.count_refused("gone")
        shown = f"{status or 'no answer'} {fields.get('code', '')}".strip()
        log.info(
            "%s %s -> %s, %.1f ms", method, scope["path"], shown, 1000 * duration_s, extra=event("request", **fields)
        )


@dataclass
class Traffic:
    """Count a request's bytes, put its id on the answer, and turn every error into a problem.

    `status` is None until an answer begins; `gone`: the client hung up before that.
    """

    scope: Scope
    _receive: Receive
    _send: Send
    request_id: str
    routes: RouteTable
    status: int | None = None
    ended: bool = False
    gone: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    _replaced: bool = field(default=False, init=False)

    async def receive(self) -> Message:
        """Pass on what comes in."""
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        self.gone = self.gone or (message["type"] == "http.disconnect" and self.status is None)
        return message

    async def send(self, message: Message) -> None:
        """Pass on what goes out; rewrite an error that is not in the form of a problem."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            if message["status"] == 405:  # the framework names the methods of the first route alone
                headers["Allow"] = ", ".join(self.routes.allowed(self.scope["path"]))
            if message["status"] >= 400 and headers.get("content-type") != PROBLEM:
                self._replaced = True
                answer = problems.of_status(Request(self.scope), message["status"], headers)
                await answer(self.scope, self._receive, self._begin_and_pass)
                return
            headers["X-Request-ID"] = self.request_id
            await self._begin_and_pass({**message, "headers": headers.raw})
        elif not self._replaced:
            await self._begin_and_pass(message)

    async def _begin_and_pass(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self.gone:
            self.status = message["status"]
        self.bytes_out += len(message.get("body", b""))
        await self._send(message)
        self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)
