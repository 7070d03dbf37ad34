"""Worker processes: a call that crashes, hangs or swells costs itself alone."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

import app.processes.workers
from app.processes.decoder import FAILURE_ERRORS
from app.processes.workers import Workers
from model.errors import DecoderDied, TookTooLong, TooMuchMemory, WorkerFailure

MEMORY_BYTES = 256 * 1024**2
MOST_WAIT_S = 120.0
MEGAPIXELS = """
import pathlib, resource
def make(count):
    for _ in range(count):
        _ = [bytearray(b"a") * 4_000_000 for _ in range(4)]
make(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
make(20)
pathlib.Path({out!r}).write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before))
"""
LOCKED = "import threading\nerror = ValueError('slow')\nerror.lock = threading.Lock()\nraise error"


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MOST_WAIT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(2, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS)
    wait_until(lambda: len(workers.process_ids()) == 2)
    yield workers
    workers.close()


def test_calls_are_made_in_processes_of_their_own(workers: Workers) -> None:
    """Results come back from other processes than this one, of which there are as many as asked for."""
    pids = {workers.submit(os.getpid).result(MOST_WAIT_S) for _ in range(20)}
    assert pids <= set(workers.process_ids())
    assert os.getpid() not in pids
    assert len(workers.process_ids()) == 2


def test_processes_are_as_nice_as_they_are_told_to_be() -> None:
    """Relative to the process that they are forked from."""
    workers = Workers(1, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS, niceness=3)
    try:
        assert workers.submit(os.nice, 0).result(MOST_WAIT_S) == os.nice(0) + 3
    finally:
        workers.close()


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="needs Linux")
def test_processes_tell_what_they_are_for(workers: Workers) -> None:
    """By the name that `top` shows."""
    pid = workers.submit(os.getpid).result(MOST_WAIT_S)
    assert Path(f"/proc/{pid}/comm").read_text() == "test\n"


def test_an_error_comes_back_as_it_is(workers: Workers) -> None:
    """Of its own type, with its message, and where it was raised as a note."""
    with pytest.raises(ValueError, match="invalid literal") as raised:
        workers.submit(int, "seven").result(MOST_WAIT_S)
    assert any("Traceback" in note for note in raised.value.__notes__)
    assert workers.replaced == 0


@pytest.mark.parametrize("error", ["class Odd(Exception): pass\nraise Odd('slow')", LOCKED])
def test_an_error_that_does_not_pickle_comes_back_as_text(workers: Workers, error: str) -> None:
    """With its kind and where it was raised; the process goes on."""
    with pytest.raises(WorkerFailure, match=r"(Odd|ValueError).*: slow") as raised:
        workers.submit(exec, error).result(MOST_WAIT_S)
    assert any("Traceback" in note for note in raised.value.__notes__)
    with pytest.raises(WorkerFailure, match="result of a call cannot be sent"):
        workers.submit(threading.Lock).result(MOST_WAIT_S)
    assert workers.replaced == 0


def test_what_hangs_is_ended(workers: Workers) -> None:
    """After its limit, by name; the process is replaced, and the next call is answered."""
    with pytest.raises(TookTooLong, match=r"0\.2 s"):
        workers.submit(time.sleep, 60, limit_s=0.2).result(MOST_WAIT_S)
    assert workers.replaced == 1
    assert workers.submit(abs, -1).result(MOST_WAIT_S) == 1


def test_what_ends_its_process_twice_is_to_blame(workers: Workers) -> None:
    """The first time it is tried again; then it is refused by name."""
    with pytest.raises(DecoderDied, match="twice"):
        workers.submit(os._exit, 3).result(MOST_WAIT_S)
    assert workers.replaced == 2
    assert workers.submit(abs, -1).result(MOST_WAIT_S) == 1


def test_some_errors_end_their_process() -> None:
    """Those that it is told of: the call gets its error, the next one another process; other errors end nothing."""
    workers = Workers(1, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS, ended_by=(ZeroDivisionError,))
    try:
        first = workers.submit(os.getpid).result(MOST_WAIT_S)
        with pytest.raises(ValueError, match="invalid literal"):
            workers.submit(int, "seven").result(MOST_WAIT_S)
        assert workers.submit(os.getpid).result(MOST_WAIT_S) == first
        with pytest.raises(ZeroDivisionError):
            workers.submit(divmod, 1, 0).result(MOST_WAIT_S)
        assert workers.replaced == 1
        assert workers.submit(os.getpid).result(MOST_WAIT_S) != first
    finally:
        workers.close()


def test_what_swells_is_refused(workers: Workers) -> None:
    """Memory beyond the limit is not given; less is. The process goes on."""
    with pytest.raises(TooMuchMemory):
        workers.submit(bytearray, 4 * MEMORY_BYTES).result(MOST_WAIT_S)
    assert len(workers.submit(bytearray, MEMORY_BYTES // 4).result(MOST_WAIT_S)) == MEMORY_BYTES // 4
    assert workers.replaced == 0


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library cannot be told to keep memory")
def test_what_is_freed_is_taken_again(workers: Workers, tmp_path: Path) -> None:
    """A picture's memory is not fetched from the kernel anew each time: that is 3,900 page faults each."""
    workers.submit(exec, MEGAPIXELS.format(out=str(tmp_path / "faults"))).result(MOST_WAIT_S)
    assert int((tmp_path / "faults").read_text()) < 3900


def test_a_process_that_is_killed_costs_no_call(workers: Workers) -> None:
    """Idle or at work, at any moment: what it was at is done by another."""
    for round_number in range(10):
        calls = [workers.submit(time.sleep, 0.01) for _ in range(6)]
        os.kill(workers.process_ids()[round_number % 2], signal.SIGKILL)
        assert [call.result(MOST_WAIT_S) for call in calls] == [None] * 6
    assert 1 <= workers.replaced <= 10


def test_a_process_that_ended_while_idle_is_no_call_s_fault(workers: Workers, tmp_path: Path) -> None:
    """A call that meets its end still has both of its attempts."""
    pids, met = workers.process_ids(), str(tmp_path / "met")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: not runs(pid))  # type: ignore[misc]
    ends_once = f"import os, pathlib; p = pathlib.Path({met!r}); p.exists() or p.touch() or os._exit(3)"
    assert workers.submit(exec, ends_once).result(MOST_WAIT_S) is None
    assert not set(pids) & {workers.submit(os.getpid).result(MOST_WAIT_S)}


def test_a_process_is_renewed_after_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where asked for: another process takes its place, no call notices, and it counts as no fault."""
    monkeypatch.setattr(app.processes.workers, "MOST_CALLS", 3)
    for renewed, processes in ((True, 4), (False, 1)):
        workers = Workers(1, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS, renewed)
        try:
            pids = [workers.submit(os.getpid).result(MOST_WAIT_S) for _ in range(10)]
            assert len(set(pids)) == processes
            assert pids[:3] == [pids[0]] * 3
            assert workers.replaced == 0
        finally:
            workers.close()


def test_a_process_that_keeps_much_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a large call leaves behind goes with its process; one that gives back what it took stays."""
    monkeypatch.setattr(app.processes.workers, "MOST_KEPT_BYTES", 32 * 1024**2)
    workers = Workers(1, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS, renewed=True)
    try:
        first = workers.submit(os.getpid).result(MOST_WAIT_S)
        assert workers.submit(len, bytes(1024)).result(MOST_WAIT_S) == 1024
        assert workers.submit(os.getpid).result(MOST_WAIT_S) == first
        workers.submit(exec, "import os; os.kept = bytearray(b'a') * 2**26").result(MOST_WAIT_S)
        assert workers.submit(os.getpid).result(MOST_WAIT_S) != first
        assert workers.replaced == 0
    finally:
        workers.close()


def test_a_process_that_cannot_be_started_leaves_calls_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, but only where all others are busy."""
    monkeypatch.setattr(app.processes.workers, "BETWEEN_STARTS_S", 0.0)
    workers = Workers(3, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS)
    try:
        wait_until(lambda: len(workers.process_ids()) == 3)

        def refuse() -> None:
            raise BlockingIOError("too many processes")

        monkeypatch.setattr(workers, "_started", refuse)
        os.kill(workers.process_ids()[0], signal.SIGKILL)
        outcomes = [workers.submit(time.sleep, 0.2).exception(MOST_WAIT_S) for _ in range(6)]
        assert sum(isinstance(outcome, WorkerFailure) for outcome in outcomes) <= 1
        busy = [workers.submit(time.sleep, 0.2) for _ in range(3)]
        assert sum(isinstance(call.exception(MOST_WAIT_S), WorkerFailure) for call in busy) == 1
        monkeypatch.undo()
        assert [workers.submit(time.sleep, 0.1).result(MOST_WAIT_S) for _ in range(6)] == [None] * 6
    finally:
        workers.close()


def test_calls_of_any_size_are_made(workers: Workers) -> None:
    """Small ones are sent by the thread that makes them, larger ones by another."""
    for size in (0, 16_380, 16_390, 65_400, 65_536, 70_000, 1_000_000):
        assert workers.submit(len, bytes(size)).result(MOST_WAIT_S) == size


@pytest.mark.parametrize("fails", ["send_bytes", "recv"])
def test_after_a_failure_midway_each_call_still_gets_its_own_answer(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as where memory ends: what is left in the pipe goes with the process."""
    workers = Workers(1, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS)
    try:
        assert workers.submit(abs, -1).result(MOST_WAIT_S) == 1
        wait_until(lambda: workers.busy == 0)
        with monkeypatch.context() as broken:

            def fail(*_: object) -> None:
                broken.undo()
                raise MemoryError

            broken.setattr(workers._workers[0].connection.__class__, fails, fail)
            try:
                outcome = workers.submit(abs, -2).exception(MOST_WAIT_S)
            except MemoryError as error:
                outcome = error
        assert isinstance(outcome, MemoryError)
        assert [workers.submit(abs, -n).result(MOST_WAIT_S) for n in range(3, 6)] == [3, 4, 5]
    finally:
        workers.close()


def test_a_limit_of_any_length_is_kept(workers: Workers) -> None:
    """The system counts milliseconds in 31 bits."""
    for limit_s in (1e7, math.inf):
        assert workers.submit(abs, -1, limit_s=limit_s).result(MOST_WAIT_S) == 1


def test_a_thread_outlives_a_process_that_cannot_be_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no more descriptors the next call tries again."""
    monkeypatch.setattr(app.processes.workers, "MOST_CALLS", 2)
    monkeypatch.setattr(app.processes.workers, "STARTS", 1)
    workers = Workers(1, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS, renewed=True)
    try:
        assert workers.submit(abs, -1).result(MOST_WAIT_S) == 1
        with monkeypatch.context() as broken:

            def fail(*_: object) -> None:
                broken.undo()
                raise OSError("too many open files")

            broken.setattr(workers._context, "Pipe", fail)
            assert workers.submit(abs, -2).result(MOST_WAIT_S) == 2
            assert [workers.submit(abs, -n).result(MOST_WAIT_S) for n in range(3, 6)] == [3, 4, 5]
    finally:
        workers.close()


def test_what_waits_can_be_taken_back_and_what_is_urgent_goes_first(tmp_path: Path) -> None:
    """A cancelled call is never made; an urgent one comes before those that wait."""
    workers = Workers(1, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS)
    try:
        gate = workers.submit(time.sleep, 0.3)
        wait_until(gate.running)
        dropped = workers.submit(os.mkdir, tmp_path / "dropped")
        later = workers.submit(os.mkdir, tmp_path / "folder")
        urgent = workers.submit((tmp_path / "folder").exists, urgent=True)
        assert (workers.busy, workers.waiting) == (1, 3)
        assert dropped.cancel()
        assert urgent.result(MOST_WAIT_S) is False
        later.result(MOST_WAIT_S)
        assert not (tmp_path / "dropped").exists()
    finally:
        workers.close()


def test_closing_leaves_nothing_behind() -> None:
    """What runs is cut off, what waits is cancelled, and neither process nor thread is left."""
    before = set(threading.enumerate())
    workers = Workers(1, MEMORY_BYTES, "test", "model.errors", FAILURE_ERRORS)
    workers.submit(abs, -1).result(MOST_WAIT_S)
    (pid,) = workers.process_ids()
    running, waiting = workers.submit(time.sleep, 60), workers.submit(abs, -1)
    wait_until(running.running)
    workers.close()
    assert waiting.cancelled()
    with pytest.raises(CancelledError):
        running.result(MOST_WAIT_S)
    assert not set(threading.enumerate()) - before
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert workers.submit(abs, -1).cancelled()
