"""Small files that wait go to a decoder together, and no file pays for another."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import app.processes.decoder
from app.media.decoding import Decoded, Track
from app.processes.decoder import FAILURE_ERRORS, Call, InWorkers
from app.processes.together import Together
from app.processes.workers import Workers
from model.errors import DecoderDied, Silent, TookTooLong, TooMuchMemory
from model.frontends.frontend import FrontEnd

LIMIT_S = 20.0
MEMORY_BYTES = 256 * 1024**2


def read(_: FrontEnd, name: str, spent_ms: float = 1.0) -> Decoded:
    """Do what a file's name says; return the process that did it."""
    if name == "hangs":
        time.sleep(60)
    if name == "kills":
        os._exit(3)
    if name == "swells":
        bytearray(4 * MEMORY_BYTES)
    if name == "silent":
        raise Silent("nothing is heard")
    if name == "slow":
        time.sleep(0.2)
    return Decoded(Track("audio", name, None, None), None, os.getpid(), {"decode": spent_ms})  # type: ignore[arg-type]


class Counting(InWorkers):
    """Note how many files went together."""

    sizes: list[int]

    def together(self, calls):  # type: ignore[no-untyped-def]
        self.sizes.append(len(calls))
        return super().together(calls)


@pytest.fixture
def decoder(tmp_path: Path) -> Iterator[Counting]:
    workers = Workers(1, MEMORY_BYTES, "test", "app.processes.together", FAILURE_ERRORS)
    decoder = Counting(workers, "raw", tmp_path, LIMIT_S)
    object.__setattr__(decoder, "sizes", [])
    yield decoder
    workers.close()


def small(name: str, spent_ms: float = 1.0) -> Call[Decoded]:
    return Call(read, (name, spent_ms), is_small=True)


def asked(decoder: InWorkers, *names: str, together: Together | None = None, spent_ms: float = 1.0) -> list[object]:
    """Return what comes of files that come while another one is decoded."""

    async def run() -> list[object]:
        at_work = together or quick(1)
        first = asyncio.create_task(at_work.do(decoder, small("slow", spent_ms)))
        while not decoder.workers.busy:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(at_work.do(decoder, small(name, spent_ms))) for name in names]
        await first
        return list(await asyncio.gather(*others, return_exceptions=True))

    return asyncio.run(run())


def quick(at_once: int) -> Together:
    """Return one that knows from before that files take a millisecond."""
    together = Together(at_once)
    together._mean_ms = 1.0
    return together


def test_what_waits_goes_together(decoder: Counting) -> None:
    """In one call, each with its own result, in order; the first went at once."""
    found = asked(decoder, *"abcd")
    assert [one.query.front_end for one in found if isinstance(one, Decoded)] == list("abcd")
    assert decoder.sizes == [4]


def test_files_that_take_long_go_alone(decoder: Counting) -> None:
    """So that none waits for the others of its call; those that are not small go alone as well."""
    together = quick(1)
    together._mean_ms = 15.0
    assert len(asked(decoder, *"abcd", together=together, spent_ms=15.0)) == 4
    assert decoder.sizes == []

    async def large() -> Decoded:
        return await quick(1).do(decoder, Call(read, ("large",)))

    assert asyncio.run(large()).query.front_end == "large"


def test_how_many_go_together_follows_their_time(decoder: Counting) -> None:
    """As they are found to be quick, more go together; as slow, fewer."""
    together = Together(1)
    assert together._most == 1
    for _ in range(5):
        asked(decoder, *"abcdefgh", together=together, spent_ms=0.5)
    assert together._most == 16
    for _ in range(5):
        asked(decoder, *"abcdefgh", together=together, spent_ms=100.0)
    assert together._most == 1


def test_an_error_is_of_its_file_alone(decoder: Counting) -> None:
    """The others of its call have their results, and nothing is done again."""
    a, silent, b = asked(decoder, "a", "silent", "b")
    assert isinstance(a, Decoded)
    assert isinstance(b, Decoded)
    assert isinstance(silent, Silent)
    assert any("Traceback" in note for note in silent.__notes__)
    assert decoder.workers.replaced == 0


@pytest.mark.parametrize(("name", "error"), [("kills", DecoderDied), ("swells", TooMuchMemory), ("hangs", TookTooLong)])
def test_what_fails_a_call_fails_alone(
    decoder: Counting, name: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that ends its process, swells or hangs: the others are read again, each by itself."""
    monkeypatch.setattr(app.processes.decoder, "MOST_TOGETHER_S", 0.5)
    object.__setattr__(decoder, "limit_s", 5.0 if name == "hangs" else 60.0)
    a, bad, b = asked(decoder, "a", name, "b")
    assert isinstance(a, Decoded)
    assert isinstance(b, Decoded)
    assert isinstance(bad, error)
    assert decoder.sizes == [3]


def test_a_changed_front_end_is_asked_by_itself(decoder: Counting, tmp_path: Path) -> None:
    """Files that are for two decoders do not go together."""
    other = Counting(decoder.workers, "raw", tmp_path, LIMIT_S)
    object.__setattr__(other, "sizes", [])

    async def run() -> list[Decoded]:
        together = quick(1)
        first = asyncio.create_task(together.do(decoder, small("slow")))
        while not decoder.workers.busy:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(together.do(to, small("a"))) for to in (decoder, other)]
        return [await task for task in (first, *others)]

    assert len(asyncio.run(run())) == 3
    assert decoder.sizes + other.sizes == []
