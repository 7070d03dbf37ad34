"""The gate: how many are inside, who waits, and for how long."""

from __future__ import annotations

import asyncio
import time

import pytest

import app.http.gate
from app.http.gate import MOST_WAITING, Gate

LONG_S = 30.0


async def come(gate: Gate, came: list[str], name: str) -> None:
    assert await gate.enter()
    came.append(name)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_waits_gets_the_place_of_who_leaves() -> None:
    """A place goes from hand to hand: never more are inside than may be, and the latest is the next."""

    async def run() -> None:
        gate, came = Gate(2, LONG_S), list[str]()

        tasks = [asyncio.create_task(come(gate, came, name)) for name in "abcd"]
        await settled()
        assert (came, gate.inside, gate.waiting) == (["a", "b"], 2, 2)
        gate.leave(0.1)
        await settled()
        assert (came, gate.inside) == (["a", "b", "d"], 2)
        gate.leave(0.1)
        await asyncio.gather(*tasks)
        assert (came, gate.inside, gate.waiting) == (["a", "b", "d", "c"], 2, 0)
        gate.leave(0.1)
        gate.leave(0.1)
        assert gate.inside == 0

    asyncio.run(run())


def test_the_last_places_are_kept_for_who_has_just_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited for long is let in while a quarter of the places is free, the longest first; others at once."""

    async def run() -> None:
        gate, came = Gate(4, LONG_S), list[str]()

        tasks = [asyncio.create_task(come(gate, came, name)) for name in "123456"]
        await settled()
        monkeypatch.setattr(app.http.gate, "FRESH_S", -1.0)  # 5 and 6 have waited for long now
        gate.leave(0.1)
        await settled()
        assert (came, gate.inside, gate.waiting) == (list("1234"), 3, 2)
        await come(gate, came, "7")
        assert (gate.inside, gate.waiting) == (4, 2)
        gate.leave(0.1)
        gate.leave(0.1)
        await settled()
        assert (came, gate.inside, gate.waiting) == (list("123475"), 3, 1)
        monkeypatch.setattr(app.http.gate, "FRESH_S", LONG_S)
        gate.leave(0.1)
        await asyncio.gather(*tasks)
        assert (came, gate.inside, gate.waiting) == (list("1234756"), 3, 0)

    asyncio.run(run())


def test_nobody_waits_longer_than_patience_lasts_nor_in_a_crowd() -> None:
    """Refused after that long, at once without patience, and at once where many wait already."""

    async def run() -> None:
        gate = Gate(1, 0.05)
        assert await gate.enter()
        started = time.monotonic()
        assert not await gate.enter()
        assert time.monotonic() - started >= 0.04
        gate.leave(0.1)
        assert gate.inside == 0, "who gave up holds no place"

        strict = Gate(1)
        assert [await strict.enter(), await strict.enter()] == [True, False]

        crowded = Gate(1, LONG_S)
        assert await crowded.enter()
        waiting = [asyncio.create_task(crowded.enter()) for _ in range(MOST_WAITING)]
        await settled()
        assert not await crowded.enter()
        for _ in waiting:
            crowded.leave(0.1)
        assert await asyncio.gather(*waiting) == [True] * MOST_WAITING

    asyncio.run(run())


def test_who_is_cancelled_keeps_no_place() -> None:
    """Neither one who still waits nor one who has just been let in."""

    async def run() -> None:
        for let_in in (False, True):
            gate = Gate(1, LONG_S)
            assert await gate.enter()
            waiting = asyncio.create_task(gate.enter())
            await settled()
            if let_in:
                gate.leave(0.1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (waiting.cancelled(), gate.waiting) == (True, 0)
            if not let_in:
                gate.leave(0.1)
            assert gate.inside == 0
            assert await gate.enter()

    asyncio.run(run())


def test_the_wait_that_is_advised_follows_what_requests_take() -> None:
    """At least a second, at most half a minute, in between about what a request inside takes."""
    gate = Gate(1)
    assert gate.wait_s == 1
    for _ in range(100):
        gate.leave(4.2)
    assert gate.wait_s == 5
    for _ in range(100):
        gate.leave(1e4)
    assert gate.wait_s == 30
