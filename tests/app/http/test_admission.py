"""How much is taken on: beyond the limit a polite no, before the body is read; and no body may dawdle."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from http.client import HTTPConnection

import pytest
import uvicorn
from route_samples import declared_route
from service_samples import until
from starlette.types import Message, Receive, Scope, Send

from app.http.admission import Admission
from app.http.gate import Gate
from app.http.route_table import RouteTable
from app.telemetry.metrics import Metrics
from model.errors import SlowBody, TooLarge

RETRIEVE = declared_route("/retrieve", "POST", "read", "question")
ROUTES = RouteTable([RETRIEVE, declared_route("/videos", "POST", "admin", "upload")])


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
    """429 `busy` with Retry-After, the body unread; a connection stays whose body is short; who leaves makes room."""

    async def run() -> None:
        slow, gate, metrics = Slow(), Gate(2), Metrics()
        admission = Admission(slow, {"question": gate}, 10**9, 30.0, metrics, ROUTES)
        inside = [Client() for _ in range(2)]
        tasks = [asyncio.create_task(admission(request(), c.receive, c.send)) for c in inside]
        while slow.entered < 2:
            await asyncio.sleep(0)

        async def unread() -> Message:
            raise AssertionError("the body was read")

        lengths = ((b"content-length", b"1048576"), (b"content-length", b"1048577"), (b"transfer-encoding", b"chunked"))
        for length, connection in zip(lengths, (None, b"close", b"close"), strict=True):
            refused = Client()
            await admission(request() | {"headers": [length]}, unread, refused.send)
            assert refused.status == 429
            assert int(refused.headers[b"retry-after"]) >= 1
            assert refused.headers.get(b"connection") == connection
            assert b'"busy"' in refused.answered[1]["body"]
        assert metrics.registry.get_sample_value("echolens_refused_total", {"reason": "busy"}) == 3
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


def test_the_connection_of_a_refused_question_serves_the_next_one() -> None:
    """Over a socket: what is left of the refused body is passed over, not taken for a request."""

    async def hello(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"hi"})

    admission = Admission(hello, {"question": Gate(0)}, 10**9, 30.0, Metrics(), ROUTES)
    server = uvicorn.Server(uvicorn.Config(admission, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        with closing(HTTPConnection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])) as connection:
            socket = None
            for method, path, body, status in (
                ("POST", "/retrieve", b"POST / HTTP/1.1\r\n\r\n" * 40_000, 429),
                ("GET", "/", None, 200),
                ("POST", "/retrieve", b"a", 429),
                ("GET", "/", None, 200),
            ):
                connection.request(method, path, body)
                answer = connection.getresponse()
                assert (answer.status, len(answer.read()) > 0) == (status, True)
                assert socket in (None, connection.sock), "another connection was opened"
                socket = connection.sock
            assert socket is not None
    finally:
        server.should_exit = True
        thread.join(30)


def test_room_is_given_back_after_an_error() -> None:
    """A request that fails does not stay inside."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("no")

    gate = Gate(1)
    client = Client()
    admission = Admission(broken, {"question": gate}, 10**9, 30.0, Metrics(), ROUTES)
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

        admission = Admission(reads_all, {}, 10**9, 0.05, Metrics(), RouteTable([]))
        with pytest.raises(SlowBody, match=r"0\.05 s"):
            await admission(request(), silent.get, Client().send)

        ended: asyncio.Queue[Message] = asyncio.Queue()
        ended.put_nowait({"type": "http.request", "body": b"a", "more_body": False})

        async def waits(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            asyncio.get_running_loop().call_later(0.2, ended.put_nowait, {"type": "http.disconnect"})
            assert (await receive())["type"] == "http.disconnect"

        await Admission(waits, {}, 10**9, 0.05, Metrics(), RouteTable([]))(request(), ended.get, Client().send)

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

        admission = Admission(reads_all, {"upload": Gate(1)}, 10**9, 0.1, Metrics(), ROUTES)
        with pytest.raises(SlowBody, match="faster line"):
            await admission(request(path="/videos"), drips, Client().send)
        with pytest.raises(TooLarge, match="1048576"):
            await admission(request(path="/jobs"), pours, Client().send)

    asyncio.run(run())
