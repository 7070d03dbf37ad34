"""The engine's process as the service sees it: there is one, and another takes its place where a GPU has failed."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
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
    failed. With the device `auto` the other one uses the CPU where it finds no usable GPU, or after three failures in
    ten minutes, and then for as long as the service runs.
    """

    def __init__(self, workers: Workers, settings: EngineSettings) -> None:
        """`workers`: one process, which ends with a DeviceError."""
        self._workers, self._settings = workers, settings
        self._lock = threading.Lock()
        self._refusal: str | None = None  # why calls are refused now
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
    def on_gpu(self) -> bool:
        """Say whether a GPU computed last."""
        return (self._device or "").startswith("cuda")

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Queue a call of a module's function with the engine's session and `args`, which are pickled.

        The future also raises DeviceError, and what `Workers.submit` raises.
        """
        outcome: Future[T] = Future()
        with self._lock:
            refusal, settings = self._refusal, self._settings
        if refusal is not None:
            outcome.set_exception(DeviceError(refusal))
        else:
            ran = self._workers.submit(run, settings, function, *args, limit_s=MOST_CALL_S)
            ran.add_done_callback(partial(self._pass_on, outcome))
        return outcome

    @property
    def _may_have_gpu(self) -> bool:
        return CPU not in (self._settings.device, self._device)

    def _pass_on(self, outcome: Future[Any], ran: Future[Ran[Any]]) -> None:
        """Give a call's result or error to who waits for it, after heeding what it says of the device."""
        if ran.cancelled():
            outcome.cancel()
            return
        error = ran.exception()
        if error is None:
            self._device = ran.result().device
        elif isinstance(error, DeviceError) or (isinstance(error, WorkerFailure) and self._may_have_gpu):
            self._heed(error)  # a process that a GPU ends, or lets hang, cannot say so
        if not outcome.set_running_or_notify_cancel():
            return
        if error is None:
            outcome.set_result(ran.result().result)
        else:
            outcome.set_exception(error)

    def _heed(self, error: BaseException) -> None:
        """Refuse calls from now on, and open the library in the new process."""
        with self._lock:
            if self._refusal is not None:
                return
            self._count(error)
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
        opened = self._workers.submit(run, self._settings, open_galleries, limit_s=MOST_CALL_S, urgent=True)
        opened.add_done_callback(self._reopened)

    def _reopened(self, opened: Future[Ran[None]]) -> None:
        """Take calls again, or try once more after a pause."""
        if opened.cancelled():  # the service stops
            return
        error = opened.exception()
        with self._lock:
            if error is None:
                self._device, self._refusal, self._pause_s = opened.result().device, None, FIRST_PAUSE_S
                log.warning("a new engine answers, on the device %s", self._device)
                return
            self._count(error)
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        again = threading.Timer(pause_s, self._reopen)
        again.daemon = True
        again.start()
