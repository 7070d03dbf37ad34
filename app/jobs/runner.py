"""A thread that runs the jobs of one kind, oldest first."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from app.telemetry.logs import event
from index.job_queue import JobQueue
from index.records import Job, JobMessage
from model.errors import EcholensError, LibraryError

log = logging.getLogger("echolens")
REFUSED_RETRY_S = 2.0


@dataclass(frozen=True)
class Ended:
    """Hold how a job ended, its result and its last messages."""

    state: Literal["done", "failed"]
    result: dict[str, Any]
    messages: tuple[JobMessage, ...] = ()


class AtWork(NamedTuple):
    """Tell of a running job how long it still takes at its pace so far, and the file at hand; None where unknown."""

    time_left_s: float | None = None
    at_hand: str | None = None


class RunningJob:
    """A job at work: it learns here whether to stop, and reports its progress."""

    def __init__(self, queue: JobQueue, job: Job) -> None:
        self.job, self.result, self.cancelled = job, job.result, False
        self.at_hand: str | None = None
        self._queue = queue
        self._interrupted = threading.Event()
        self._began_s = self._reported_s = time.monotonic()
        self._progress = job.progress

    @property
    def interrupted(self) -> bool:
        """Return whether the job must stop: it was cancelled, or the service stops."""
        return self._interrupted.is_set()

    def interrupt(self, cancelled: bool) -> None:
        """Ask the job to stop as soon as it can."""
        self.cancelled = self.cancelled or cancelled
        self._interrupted.set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the job must stop; return whether it must."""
        return self._interrupted.wait(seconds)

    def report(
        self,
        progress: float | None = None,
        result: dict[str, Any] | None = None,
        payload: dict[str, Any] | None = None,
        messages: Iterable[JobMessage] = (),
    ) -> None:
        """Save the job's progress. Raises LibraryError (full disk)."""
        self._queue.update(self.job.job_id, progress=progress, result=result, payload=payload, messages=messages)
        self.result = self.result if result is None else result
        if progress is not None:
            self._progress, self._reported_s = progress, time.monotonic()

    def note(self, text: str) -> None:
        """Save a note, unless the job has it: begun again, it says the same. Raises LibraryError (full disk)."""
        note = JobMessage("", None, text)
        if note not in self._queue.messages(self.job.job_id):
            self.report(messages=[note])

    def at_work(self) -> AtWork:
        """Tell how long the rest takes, and what is at hand."""
        return AtWork(self._time_left_s(), self.at_hand)

    def _time_left_s(self) -> float | None:
        made = self._progress - self.job.progress
        if made <= 0:
            return None
        at_report = (self._reported_s - self._began_s) * (1 - self._progress) / made
        return max(0.0, at_report - (time.monotonic() - self._reported_s))


class Work(Protocol):
    """How jobs of one kind are done."""

    kind: ClassVar[str]

    def do(self, running: RunningJob) -> Ended | None:
        """Do a job, from where it was; return None if it was interrupted. An EcholensError fails it."""
        ...

    def tidy(self, job: Job) -> None:
        """Remove what a job that has ended leaves behind."""
        ...


class JobRunner:
    """Run the queued jobs of one kind, one at a time, until stopped."""

    def __init__(self, queue: JobQueue, work: Work) -> None:
        self._queue, self._work = queue, work
        self._running: RunningJob | None = None
        self._lock = threading.Lock()  # held while a job is begun, ended or cancelled
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"{work.kind} jobs", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Tell the thread that a job was queued."""
        self._woken.set()

    def stop(self) -> None:
        """Ask the current job to stop, and begin no other; `join` waits for that."""
        with self._lock:
            self._stopping.set()
            if self._running is not None:
                self._running.interrupt(cancelled=False)
        self._woken.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the stopped thread has ended."""
        self._thread.join(max(0.0, timeout_s))

    def is_alive(self) -> bool:
        """Return whether the thread runs."""
        return self._thread.is_alive()

    def cancel(self, job_id: str) -> Job:
        """Cancel a job of this kind: a queued one at once, a running one soon. Raises NotFound, JobEnded."""
        with self._lock:
            job = self._queue.cancel(job_id)
            if self._running is not None and self._running.job.job_id == job_id:
                self._running.interrupt(cancelled=True)
        if job.state == "cancelled":
            self._work.tidy(job)
        return job

    def at_work(self, job_id: str) -> AtWork | None:
        """Tell how far a job is; None if it does not run."""
        running = self._running
        return running.at_work() if running is not None and running.job.job_id == job_id else None

    def _live(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                running = self._begin()
            except LibraryError:
                log.exception("the queue of jobs cannot be used; it is tried again")
                self._stopping.wait(REFUSED_RETRY_S)
                continue
            if running is not None:
                self._do(running)
            elif not self._stopping.is_set():
                self._woken.wait()

    def _begin(self) -> RunningJob | None:
        with self._lock:
            job = None if self._stopping.is_set() else self._queue.begin(self._work.kind)
            self._running = None if job is None else RunningJob(self._queue, job)
            return self._running

    def _do(self, running: RunningJob) -> None:
        _tell(running.job)
        try:
            ended = self._work.do(running)
        except CancelledError:  # its worker was stopped with the service
            ended = None
        except EcholensError as error:
            ended = Ended("failed", running.result | {"code": error.code, "detail": str(error)})
        except Exception:
            log.exception("job %s failed in a way that was not foreseen", running.job.job_id)
            unforeseen = {"code": "internal", "detail": "not foreseen; the log has it"}
            ended = Ended("failed", running.result | unforeseen)
        while True:
            try:
                job = self._end(running, ended)
                _tell(job)
                if job.state in ("done", "failed"):
                    self._work.tidy(job)
                return
            except Exception:  # such as a full disk; if that lasts, the job is resumed at the next start
                log.exception("job %s could not be ended; it is tried again", running.job.job_id)
            if self._stopping.wait(REFUSED_RETRY_S):
                return

    def _end(self, running: RunningJob, ended: Ended | None) -> Job:
        job_id = running.job.job_id
        with self._lock:
            if ended is None and running.cancelled:
                self._work.tidy(replace(running.job, state="cancelled"))  # first: who reads `cancelled` finds no part
                job = self._queue.update(job_id, state="cancelled")
            elif ended is None:
                job = self._queue.update(job_id, state="queued")
            else:
                job = self._queue.update(
                    job_id,
                    state=ended.state,
                    progress=1.0 if ended.state == "done" else None,
                    result=ended.result,
                    messages=ended.messages,
                )
            self._running = None
            return job


def _tell(job: Job) -> None:
    fields = {"job_id": job.job_id, "kind": job.kind, "state": job.state, "code": job.result.get("code")}
    log.info("job %s (%s) is %s", job.job_id, job.kind, job.state, extra=event("job", **fields))
