"""How much is taken on: beyond the limit a polite no, before the body is read; and no body may dawdle."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.http.admission import Admission, Gate
from app.http.metrics import Metrics
from model.errors import SlowBody, TooLarge


def request(method: str = "POST", path: str = "/retrieve") -> Scope:
    return {"type": "http", "method": method, "path": path, "headers": []}


class Client:
    """Send a request without a body and keep what is answered."""

    def __init__(self) -> None:
        self.answered: list[Message] = []

    async def receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        self.answered.append(message)

    @property
    def status(self) -> int:
        return int(self.answered[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.answered[0]["headers"])


class Slow:
    """Answer 200 once it is let."""

    def __init__(self) -> None:
        self.let, self.entered = asyncio.Event(), 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered += 1
        await self.let.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def test_what_is_beyond_the_limit_is_refused_and_room_is_given_back() -> None:
    """429 `busy` with Retry-After and a closed connection, its body unread; who leaves makes room, others pass by."""

    async def run() -> None:
        slow, gate, metrics = Slow(), Gate(2), Metrics()
        admission = Admission(slow, {"/retrieve": gate}, 10**9, 30.0, metrics)
        inside = [Client() for _ in range(2)]
        tasks = [asyncio.create_task(admission(request(), c.receive, c.send)) for c in inside]
        while slow.entered < 2:
            await asyncio.sleep(0)
        refused = Client()

        async def unread() -> Message:
            raise AssertionError("the body was read")

        await admission(request(), unread, refused.send)
        assert refused.status == 429
        assert int(refused.headers[b"retry-after"]) >= 1
        assert refused.headers[b"connection"] == b"close"
        assert b'"busy"' in refused.answered[1]["body"]
        assert metrics.registry.get_sample_value("echolens_refused_total", {"reason": "busy"}) == 1
        slow.let.set()
        for other in (request("GET"), request("POST", "/jobs")):
            passing = Client()
            await admission(other, passing.receive, passing.send)
            assert passing.status == 200
        await asyncio.gather(*tasks)
        assert gate.inside == 0
        again = Client()
        await admission(request(), again.receive, again.send)
        assert again.status == 200

    asyncio.run(run())


def test_room_is_given_back_after_an_error() -> None:
    """A request that fails does not stay inside."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("no")

    gate = Gate(1)
    client = Client()
    admission = Admission(broken, {"/retrieve": gate}, 10**9, 30.0, Metrics())
    with pytest.raises(ValueError, match="no"):
        asyncio.run(admission(request(), client.receive, client.send))
    assert gate.inside == 0


def test_a_body_may_not_dawdle_but_an_answer_may_take_its_time() -> None:
    """SlowBody where nothing comes; once the body is complete, waiting for the client's end has no limit."""

    async def run() -> None:
        silent: asyncio.Queue[Message] = asyncio.Queue()
        silent.put_nowait({"type": "http.request", "body": b"a", "more_body": True})

        async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive()).get("more_body"):
                pass

        admission = Admission(reads_all, {}, 10**9, 0.05, Metrics())
        with pytest.raises(SlowBody, match=r"0\.05 s"):
            await admission(request(), silent.get, Client().send)

        ended: asyncio.Queue[Message] = asyncio.Queue()
        ended.put_nowait({"type": "http.request", "body": b"a", "more_body": False})

        async def waits(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            asyncio.get_running_loop().call_later(0.2, ended.put_nowait, {"type": "http.disconnect"})
            assert (await receive())["type"] == "http.disconnect"

        await Admission(waits, {}, 10**9, 0.05, Metrics())(request(), ended.get, Client().send)

    asyncio.run(run())


def test_a_body_may_not_drip_nor_be_large_where_it_is_no_upload() -> None:
    """A byte now and then does not keep a place; a body of JSON is not held beyond a megabyte."""

    async def run() -> None:
        async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive()).get("more_body"):
                pass

        async def drips() -> Message:
            await asyncio.sleep(0.01)
            return {"type": "http.request", "body": b"a", "more_body": True}

        async def pours() -> Message:
            return {"type": "http.request", "body": bytes(300_000), "more_body": True}

        admission = Admission(reads_all, {"/videos": Gate(1)}, 10**9, 0.1, Metrics())
        with pytest.raises(SlowBody, match="faster line"):
            await admission(request(path="/videos"), drips, Client().send)
        with pytest.raises(TooLarge, match="1048576"):
            await admission(request(path="/jobs"), pours, Client().send)

    asyncio.run(run())


def test_the_wait_that_is_advised_follows_what_requests_take() -> None:
    """At least a second, at most half a minute, in between about what a request inside takes."""
    gate = Gate(1)
    assert gate.wait_s == 1
    for _ in range(100):
        gate.left(4.2)
    assert gate.wait_s == 5
    for _ in range(100):
        gate.left(1e4)
    assert gate.wait_s == 30
