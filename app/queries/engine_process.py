"""The engine's process as the service sees it: there is one, and another takes its place where a GPU has failed."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar

from app.processes.workers import Workers
from app.queries.engine import EngineSettings, Ran, open_galleries, run
from model.errors import DeviceError, WorkerFailure

CPU: Literal["cpu"] = "cpu"
log = logging.getLogger("echolens")
T = TypeVar("T")
MOST_CALL_S = 600.0  # the first builds galleries, which takes minutes for millions of items
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # before another process is tried, where the new one fails too
MOST_FAILURES, WITHIN_S = 3, 600.0  # then `auto` leaves the GPU alone


class EngineProcess:
    """Call functions in the engine's process, from any thread.

    A failure of the GPU ends that process. Until another one has opened the library, calls are refused with what
    failed. With the device `auto` the other one uses the CPU where it finds no usable GPU, and after three failures in
    ten minutes every later one does.
    """

    def __init__(self, workers: Workers, settings: EngineSettings) -> None:
        """`workers`: one process, which ends with a DeviceError."""
        self._workers, self._settings = workers, settings
        self._lock = threading.RLock()  # a call may end while it is being submitted
        self._refusal: str | None = None  # why calls are refused now
        self._calls: set[Future[Ran[Any]]] = set()  # that have not ended
        self._device: str | None = None
        self._failed_at_s: deque[float] = deque(maxlen=MOST_FAILURES)
        self._failures, self._pause_s = 0, FIRST_PAUSE_S

    @property
    def device(self) -> str | None:
        """Return the name of the device that computed last; None before the first call and after a failure."""
        return self._device

    @property
    def failures(self) -> int:
        """Return how often the GPU has failed."""
        return self._failures

    @property
    def is_idle(self) -> bool:
        """Say whether a call would be made at once."""
        return not self._calls and self._refusal is None

    @property
    def on_gpu(self) -> bool:
        """Say whether a GPU computed last."""
        return (self._device or "").startswith("cuda")

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Queue a call of a module's function with the engine's session and `args`, which are pickled.

        The future also raises DeviceError, and what `Workers.submit` raises.
        """
        outcome: Future[T] = Future()
        with self._lock:  # so that a failure finds every call that it has to refuse
            if self._refusal is not None:
                outcome.set_exception(DeviceError(self._refusal))
                return outcome
            ran = self._workers.submit(run, self._settings, function, *args, limit_s=MOST_CALL_S)
            self._calls.add(ran)
            ran.add_done_callback(partial(self._pass_on, outcome))
        return outcome

    @property
    def _may_have_gpu(self) -> bool:
        return CPU not in (self._settings.device, self._device)

    def _is_of_gpu(self, error: BaseException) -> bool:
        """Say whether a GPU failed; a process that it ends, or lets hang, cannot say so."""
        return isinstance(error, DeviceError) or (isinstance(error, WorkerFailure) and self._may_have_gpu)

    def _pass_on(self, outcome: Future[Any], ran: Future[Ran[Any]]) -> None:
        """Give a call's result or error to who waits for it, after heeding what it says of the device."""
        self._calls.discard(ran)
        if ran.cancelled():  # by `_heed`, or the service stops; this thread may hold a lock of the workers
            if (refusal := self._refusal) is None:
                outcome.cancel()
            elif outcome.set_running_or_notify_cancel():
                outcome.set_exception(DeviceError(refusal))
            return
        error = ran.exception()
        if error is None:
            self._device = ran.result().device
        elif self._is_of_gpu(error):
            self._heed(error)
        if not outcome.set_running_or_notify_cancel():
            return
        if error is None:
            outcome.set_result(ran.result().result)
        else:
            outcome.set_exception(error)

    def _heed(self, error: BaseException) -> None:
        """Refuse calls from now on, those that wait too, and open the library in the new process."""
        with self._lock:
            if self._refusal is not None:
                return
            self._count(error)
            waiting = list(self._calls)
        for ran in waiting:
            ran.cancel()
        self._reopen()

    def _count(self, error: BaseException) -> None:
        self._refusal = f"{error}: another process is being started, ask again in a moment"
        log.error("%s", self._refusal)
        self._device, now = None, time.monotonic()
        self._failures += 1
        self._failed_at_s.append(now)
        often = len(self._failed_at_s) == MOST_FAILURES and now - self._failed_at_s[0] < WITHIN_S
        if often and self._settings.device == "auto":
            self._settings = replace(self._settings, device=CPU)
            log.error("the GPU has failed %d times in a short while: from now on the CPU is used", MOST_FAILURES)

    def _reopen(self) -> None:
        opened = self._workers.submit(run, self._settings, open_galleries, limit_s=MOST_CALL_S)
        opened.add_done_callback(self._reopened)

    def _reopened(self, opened: Future[Ran[None]]) -> None:
        """Take calls again, or try once more after a pause."""
        error = CancelledError() if opened.cancelled() else opened.exception()
        if isinstance(error, CancelledError):  # the service stops
            return
        if error is not None and self._is_of_gpu(error):
            self._reopen_later(error)
            return
        with self._lock:
            self._device = opened.result().device if error is None else None
            self._refusal, self._pause_s = None, FIRST_PAUSE_S
        if error is None:
            log.warning("a new engine answers, on the device %s", self._device)
        else:  # the next call meets it too, and says so
            log.error("a new engine stands, but cannot open the library: %s", error, exc_info=error)

    def _reopen_later(self, error: BaseException) -> None:
        with self._lock:
            self._count(error)
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        again = threading.Timer(pause_s, self._reopen)
        again.daemon = True
        again.start()
