"""Clients that load a service over HTTP, in a process of their own: asyncio and hand-written HTTP/1.1, to cost little.

run_load(Load(...)) starts this module and returns what its clients met.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import random
import subprocess
import sys
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

STAMP_BYTES = 8
PATIENCE_S = 60.0  # for one answer
IDLE_S = 2.0  # after which a connection is not used again: the service may be closing it
AGAIN_S = 0.1  # how soon clients come again that do not honour Retry-After
MOST_JITTER = 0.5  # of Retry-After
Retry = Literal["never", "honour", "again"]


@dataclass(frozen=True)
class Body:
    """Hold a request's form; eight bytes at `stamp_at` may be overwritten, so that no two are the same."""

    content: bytes
    stamp_at: int
    kind: str


@dataclass(frozen=True)
class Load:
    """Say what to send: `clients` in a closed loop, each with one request at a time, or `rate_hz` in an open one.

    Answers count that come in the `seconds` after the warm-up. `retry`: what a client does on a 429.
    """

    port: int
    path: str
    bodies: tuple[Body, ...]
    clients: int
    seconds: float
    warm_up_s: float = 1.0
    retry: Retry = "never"
    rate_hz: float | None = None
    seed: int = 0


@dataclass
class Met:
    """Hold what the clients met. `spent_s` and `ended_s` are of the answers with 200, in the order they came.

    `answered` counts all answers, those of the warm-up too.
    `refusals` are the ways in which a 429 broke its contract; `errors` are answers that never came.
    """

    seconds: float
    answered: int = 0
    spent_s: array[float] = field(default_factory=lambda: array("d"))
    ended_s: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def rate_hz(self) -> float:
        """Return accepted requests per second."""
        return len(self.spent_s) / self.seconds

    def percentile_ms(self, percent: float) -> float | None:
        """Return a percentile of the time to an accepted answer; None where there was none."""
        return 1000 * float(np.percentile(self.spent_s, percent)) if self.spent_s else None


def run_load(load: Load) -> Met:
    """Run the clients in a process of their own. CalledProcessError if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.http.load"], input=pickle.dumps(load), stdout=subprocess.PIPE, check=True
    )
    met = pickle.loads(done.stdout)
    assert isinstance(met, Met)
    return met


class Clients:
    """Send a load."""

    def __init__(self, load: Load) -> None:
        self._load, self._rng = load, random.Random(load.seed)
        self._met = Met(load.seconds)
        self._sent = self._rng.getrandbits(48)
        self._heads = [
            f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {body.kind}\r\n"
            f"Content-Length: {len(body.content)}\r\n\r\n".encode()
            for body in load.bodies
        ]

    async def run(self) -> Met:
        """Send for as long as the load says."""
        self._begin = time.perf_counter() + self._load.warm_up_s
        self._end = self._begin + self._load.seconds
        if self._load.rate_hz is None:
            await asyncio.gather(*[self._loop() for _ in range(self._load.clients)])
        else:
            await self._open_loop(self._load.rate_hz)
        return self._met

    async def _loop(self) -> None:
        connection = Connection(self._load.port)
        await asyncio.sleep(self._rng.uniform(0, min(0.5, self._load.warm_up_s)))
        while (now := time.perf_counter()) < self._end:
            wait_s = await self._ask(connection, now)
            if wait_s:
                await asyncio.sleep(wait_s)
        connection.close()

    async def _open_loop(self, rate_hz: float) -> None:
        idle: list[Connection] = []
        asked: set[asyncio.Task[None]] = set()
        due = time.perf_counter()
        while due < self._end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self._ask_once(idle, due))
            asked.add(task)
            task.add_done_callback(asked.discard)
            due += self._rng.expovariate(rate_hz)
        await asyncio.gather(*asked)
        for connection in idle:
            connection.close()

    async def _ask_once(self, idle: list[Connection], due: float) -> None:
        connection = idle.pop() if idle else Connection(self._load.port)
        await self._ask(connection, due)
        idle.append(connection)

    async def _ask(self, connection: Connection, begun: float) -> float:
        """Send one request, note its answer, return how long to wait before the next."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                status, headers, body = await connection.exchange(*self._next())
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            connection.close()
            if self._counts():
                self._met.errors[type(error).__name__] += 1
            return AGAIN_S
        self._met.answered += 1
        if self._counts():
            self._note(begun, status, headers, body)
        if status != 429 or self._load.retry == "never":
            return 0.0
        if self._load.retry == "again":
            return AGAIN_S
        return _retry_after_s(headers) * (1 + self._rng.uniform(0, MOST_JITTER))

    def _next(self) -> tuple[bytes, bytes]:
        self._sent += 1
        which = self._sent % len(self._heads)
        body = bytearray(self._load.bodies[which].content)
        at = self._load.bodies[which].stamp_at
        body[at : at + STAMP_BYTES] = self._sent.to_bytes(STAMP_BYTES, "little")
        return self._heads[which], bytes(body)

    def _counts(self) -> bool:
        return self._begin <= time.perf_counter() < self._end

    def _note(self, begun: float, status: int, headers: dict[str, str], body: bytes) -> None:
        now = time.perf_counter()
        self._met.statuses[status] += 1
        if status == 200:
            self._met.spent_s.append(now - begun)
            self._met.ended_s.append(now - self._begin)
            return
        is_problem = headers.get("content-type", "").startswith("application/problem+json")
        code = str(json.loads(body).get("code")) if is_problem else "no problem+json"
        self._met.codes[f"{status} {code}"] += 1
        if status == 429:
            if _retry_after_s(headers) <= 0:
                self._met.refusals["no Retry-After"] += 1
            if code != "busy":
                self._met.refusals[f"code {code}"] += 1


def _retry_after_s(headers: dict[str, str]) -> float:
    given = headers.get("retry-after", "")
    return float(given) if given.isdecimal() else 0.0


class Connection:
    """Hold a connection that is opened when needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def exchange(self, head: bytes, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return status, headers (names in lower case) and body of the answer."""
        if time.perf_counter() - self._used > IDLE_S:
            self.close()
        if self._streams is None or self._streams[1].is_closing():
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(head)
        writer.write(body)  # not waited for: a service that is full answers before it has read all
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        content = await reader.readexactly(int(headers["content-length"]))
        self._used = time.perf_counter()
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(first.split(" ", 2)[1]), headers, content

    def close(self) -> None:
        """Close it; the next exchange opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


if __name__ == "__main__":
    from benchmarks.http.load import Clients as SameClients  # pickled under their module's name, not __main__'s

    with asyncio.Runner() as runner:
        sys.stdout.buffer.write(pickle.dumps(runner.run(SameClients(pickle.loads(sys.stdin.buffer.read())).run())))
