"""Worker processes: a call that crashes, stalls or exhausts its process fails alone."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from typing import Any, TypeVar

from app.processes.worker import GONE, work
from model.errors import EcholensError, WorkerFailure

log = logging.getLogger("echolens")
T = TypeVar("T")
ATTEMPTS = 2  # a process may be killed from outside: the call is at fault only if it happens again
END_S = 5.0
STARTS, BETWEEN_STARTS_S = 5, 0.2  # the fork server may just have been killed; that takes a moment to be noticed
MOST_CALLS = 2_000  # until a process is renewed: decoders of damaged files may leak, and a new one costs 0.1 s
MOST_KEPT_BYTES = 256 * 1024**2  # beyond its start; a process that keeps more after a call is renewed
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MOST_AT_ONCE_BYTES = 64 * 1024  # Linux takes so many without a pause where nothing waits to be read
LONGEST_POLL_MS = 2**31 - 1


@dataclass(frozen=True)
class FailureErrors:
    """Make the errors of a call that ended its process twice, ran out of time (in seconds), or ran out of memory."""

    died: Callable[[], EcholensError]
    slow: Callable[[float], EcholensError]
    swollen: Callable[[], EcholensError]


@dataclass(eq=False)
class _Task:
    future: Future[Any]
    call: memoryview  # of a function and its arguments, pickled
    limit_s: float | None
    counts: int
    is_sent: bool = False


@dataclass(frozen=True, eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    poll: select.poll
    statm: int | None
    began_bytes: int

    @staticmethod
    def of(process: BaseProcess, connection: Connection) -> _Worker:
        """Return a process that has just been started; what tells its memory is opened once, as it is read often."""
        try:
            statm = os.open(f"/proc/{process.pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            statm = None
        poll = select.poll()  # that of a Connection makes a selector each time
        poll.register(connection.fileno(), select.POLLIN)
        return _Worker(process, connection, poll, statm, _private_bytes(statm))

    def answers_within(self, limit_s: float | None) -> bool:
        """Wait until it answers, or ends; say whether it does so in time."""
        limit_ms = math.inf if limit_s is None else 1000 * limit_s
        return bool(self.poll.poll(math.ceil(limit_ms) if limit_ms <= LONGEST_POLL_MS else None))

    @property
    def keeps_much(self) -> bool:
        """Return whether it holds much more memory than it began with."""
        return _private_bytes(self.statm) > self.began_bytes + MOST_KEPT_BYTES

    def end(self) -> None:
        self.process.kill()
        self.process.join(END_S)
        self.connection.close()
        if self.statm is not None:
            os.close(self.statm)


class Workers:
    """Run functions in `count` processes; each may allocate `memory_bytes` after its start, any amount if None.

    Every process has its own pipe and its own thread here, and shares no lock with the others: any of them may be
    killed at any time, the others go on, and it is replaced. They start at once, and end with the process that made
    them.
    """

    def __init__(
        self,
        count: int,
        memory_bytes: int | None,
        name: str,
        preload: str,
        failure_errors: FailureErrors,
        renewed: bool = False,
        niceness: int = 0,
        ended_by: tuple[type[Exception], ...] = (),
    ) -> None:
        """`preload`: the module whose functions will be run; it is imported once, then forked.

        `renewed`: replace a process after many calls, or when it keeps much memory. `niceness`: as of os.nice.
        `ended_by`: errors of a call after which its process is of no use, and is replaced.
        """
        self._renewed, self._niceness, self._ended_by = renewed, niceness, ended_by
        self._calls: dict[int, int] = {}  # that a process has answered, by slot
        self._failure_errors, self._name = failure_errors, name
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([preload])
        self._memory_bytes = memory_bytes
        self._tasks: deque[_Task] = deque()
        self._idle: list[int] = []  # slots, the one whose caches are warmest last
        self._turns: list[SimpleQueue[_Task | None]] = [SimpleQueue() for _ in range(count)]  # by slot
        self._closing = False
        self._lock = threading.RLock()  # a future that is cancelled may submit another call
        self._busy, self._replaced = 0, 0
        self._workers: dict[int, _Worker] = {}  # by slot: a thread and its process
        self._leaders = [
            threading.Thread(target=self._lead, args=(slot,), name=f"{name}-{slot}", daemon=True)
            for slot in range(count)
        ]
        for leader in self._leaders:
            leader.start()

    @property
    def busy(self) -> int:
        """Return how many processes are busy."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Return how many calls wait for a process."""
        return len(self._tasks)

    @property
    def replaced(self) -> int:
        """Return how many processes were replaced so far."""
        return self._replaced

    def process_ids(self) -> list[int]:
        """Return the ids of the current processes."""
        return [pid for w in list(self._workers.values()) if (pid := w.process.pid) is not None]

    def submit(
        self,
        function: Callable[..., T],
        *args: Any,
        limit_s: float | None = None,
        urgent: bool = False,
        counts: int = 1,
    ) -> Future[T]:
        """Have a function of a module called, before all that waits if `urgent`; results and errors are pickled.

        `counts`: as how many calls it counts until the process is renewed.
        The future also raises the errors of `failure_errors`, and WorkerFailure where no process can be
        started. Cancelling it takes it out of the queue; a call that has begun is finished.
        """
        future: Future[T] = Future()
        try:
            task = _Task(future, ForkingPickler.dumps((function, args)), limit_s, counts)
        except Exception as error:
            future.set_exception(error)
            return future
        with self._lock:
            if self._closing:
                future.cancel()
            elif self._idle:
                slot = self._idle.pop()
                try:
                    self._begin(slot, task)
                finally:
                    self._turns[slot].put(task)
            else:
                (self._tasks.appendleft if urgent else self._tasks.append)(task)
        return future

    def _begin(self, slot: int, task: _Task) -> None:
        """Send a small call to an idle process at once: its thread need not wake before."""
        if slot not in self._workers or len(task.call) > MOST_AT_ONCE_BYTES:
            return
        try:
            self._workers[slot].connection.send_bytes(task.call)
            task.is_sent = task.future.set_running_or_notify_cancel()
        except GONE:
            pass  # its thread finds that out as well
        except BaseException:  # half a call may have been sent
            self._workers[slot].process.kill()
            raise

    def close(self) -> None:
        """Kill the processes, and cancel the calls that wait."""
        with self._lock:
            self._closing = True
            while self._tasks:
                self._tasks.popleft().future.cancel()
            for turn in self._turns:
                turn.put(None)
        for worker in list(self._workers.values()):
            worker.process.kill()
        for leader in self._leaders:
            leader.join(END_S)

    def _lead(self, slot: int) -> None:
        with suppress(WorkerFailure):  # tried again, and reported, when a call comes
            self._start(slot)
        while self._take_turn(slot):
            pass
        if slot in self._workers:
            self._workers.pop(slot).end()

    def _take_turn(self, slot: int) -> bool:
        """Wait for a call and make it; return False once there are none any more."""
        task = self._next(slot)
        if task is None:
            return False
        if not task.is_sent and not task.future.set_running_or_notify_cancel():
            return True
        with self._lock:
            self._busy += 1
        try:
            task.future.set_result(self._do(slot, task))
        except BaseException as error:  # the thread must not end: its process would be lost
            task.future.set_exception(error)
        finally:
            with self._lock:
                self._busy -= 1
        self._renew(slot, task.counts)
        return True

    def _next(self, slot: int) -> _Task | None:
        with self._lock:
            if self._closing:
                return None
            if self._tasks:
                return self._tasks.popleft()
            # One without a process comes last: it may fail to start again.
            self._idle.insert(len(self._idle) if slot in self._workers else 0, slot)
        return self._turns[slot].get()

    def _do(self, slot: int, task: _Task) -> Any:
        for _ in range(ATTEMPTS):
            try:
                if not task.is_sent:
                    self._send(slot, task)
                task.is_sent = False  # if it has to be made again
                worker = self._workers[slot]
                answer = worker.connection.recv() if worker.answers_within(task.limit_s) else None
            except (WorkerFailure, CancelledError):
                raise
            except GONE:
                if self._closing:
                    raise CancelledError from None
                self._replace(slot)
                continue
            except BaseException:  # the next call must not be given the answer to this one
                self._replace(slot)
                raise
            if answer is None:
                self._replace(slot)
                assert task.limit_s is not None
                raise self._failure_errors.slow(task.limit_s)
            done, outcome = answer
            if isinstance(outcome, MemoryError):
                raise self._failure_errors.swollen()
            if not done:
                if isinstance(outcome, self._ended_by):
                    with suppress(WorkerFailure):  # then the next call tries it
                        self._replace(slot)
                raise outcome
            return outcome
        raise self._failure_errors.died()

    def _send(self, slot: int, task: _Task) -> None:
        """Give a call to the process; to another one if it has ended since its last call, which is no call's fault."""
        if slot in self._workers:
            with suppress(*GONE):
                self._workers[slot].connection.send_bytes(task.call)
                return
        self._replace(slot)
        self._workers[slot].connection.send_bytes(task.call)

    def _replace(self, slot: int) -> None:
        if self._closing:
            raise CancelledError
        if slot in self._workers:
            self._workers.pop(slot).end()
            with self._lock:
                self._replaced += 1
            log.warning("%s: a process ended and is replaced", self._name)
        self._start(slot)

    def _renew(self, slot: int, counts: int) -> None:
        """Replace a process that has answered many calls, or keeps the memory of a large one."""
        self._calls[slot] = self._calls.get(slot, 0) + counts
        if not self._renewed or self._closing or slot not in self._workers:
            return
        if self._calls[slot] >= MOST_CALLS or self._workers[slot].keeps_much:
            self._workers.pop(slot).end()
            with suppress(WorkerFailure):
                self._start(slot)

    def _start(self, slot: int) -> None:
        for attempt in range(1, STARTS + 1):
            try:
                process, ours = self._started()
                break
            except (OSError, EOFError, RuntimeError) as error:  # the fork server may have been killed: it restarts
                if attempt == STARTS:
                    raise WorkerFailure(
                        f"no process for this work can be started ({error}): there may be too many processes or too "
                        "little memory on this machine; ask again later"
                    ) from error
                time.sleep(BETWEEN_STARTS_S)
        self._workers[slot] = _Worker.of(process, ours)
        self._calls[slot] = 0

    def _started(self) -> tuple[BaseProcess, Connection]:
        """Start a process; return it and our end of its pipe."""
        ours, theirs = self._context.Pipe()
        with theirs, ExitStack() as failing:  # ours ends with the process once theirs is closed here
            failing.enter_context(ours)
            process = self._context.Process(
                target=work, args=(theirs, self._name, self._memory_bytes, self._niceness), daemon=True
            )
            process.start()
            failing.pop_all()
        return process, ours


def _private_bytes(statm: int | None) -> int:
    """Return a process's private memory by its open statm; 0 if the system does not tell."""
    try:
        pages = os.pread(statm, 100, 0).split() if statm is not None else []
    except OSError:  # it has ended
        return 0
    return (int(pages[1]) - int(pages[2])) * PAGE_BYTES if pages else 0  # resident, less what is of files or shared
