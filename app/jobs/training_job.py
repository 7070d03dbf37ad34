"""Training as a job: in a process of its own, which is started again where it was if it dies or loses its GPU."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

from app.jobs.runner import Ended, RunningJob
from app.jobs.training_process import Failed, Finished, Lost, Message, Order, Progress, Retried, Waiting, Warned, work
from app.library.session import Session
from index.records import Job, JobMessage
from model.errors import DeviceError, LibraryError, TrainingError
from model.network.device import DeviceName

log = logging.getLogger("echolens")
MOST_RESTARTS = 3
POLL_S = 0.2
END_S = 3.0


class TrainingProcess:
    """A process that trains, and the connection to it."""

    def __init__(self, order: Order) -> None:
        context = get_context("spawn")  # the service has threads: a fork of it could hang
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, order), name="echolens-training", daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """Return its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, negative for the signal that killed it; None while it runs."""
        return self._process.exitcode

    def hear(self, seconds: float) -> Message | None:
        """Return its next message within so many seconds, if any. EOFError once it has ended."""
        try:
            message: Message | None = self._ours.recv() if self._ours.poll(seconds) else None
        except OSError as error:  # a connection that was reset
            raise EOFError from error
        return message

    def end(self) -> None:
        """End it; the state after its last epoch is on the disk."""
        self._process.terminate()
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def close(self) -> None:
        """Close the connection and release the process."""
        self._ours.close()
        self._process.close()


class TrainingWork:
    """Do training jobs; `writer_wanted` is set while a new model waits for the writer lock.

    `device` and `threads` are those of the process that trains.
    """

    kind: ClassVar[str] = "train"

    def __init__(self, session: Session, device: DeviceName, threads: int, writer_wanted: threading.Event) -> None:
        self._session, self._device, self._threads, self._writer_wanted = session, device, threads, writer_wanted
        self._process: TrainingProcess | None = None

    @property
    def directory(self) -> Path:
        """Return the directory that keeps what unfinished jobs have learnt, a subdirectory each."""
        return self._session.library.cache / "training"

    @property
    def pid(self) -> int | None:
        """Return the process id of the training at hand; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def do(self, running: RunningJob) -> Ended | None:
        """Train in a process; if it is killed or its GPU fails, start another, at most three times.

        Where any device may be taken, the last one takes the CPU if it was the GPU that failed.
        """
        lost: DeviceError | None = None  # how the last process lost its GPU; None if it was ended from outside
        notes: list[str] = []
        for begun in range(1 + MOST_RESTARTS):
            without = lost is not None and self._device == "auto" and begun == MOST_RESTARTS
            process = TrainingProcess(self._order(running.job, "cpu" if without else self._device))
            self._process = process
            try:
                return _noting(self._follow(running, process), notes)
            except DeviceError as error:
                lost = error
                notes.append(f"{error}: another process went on")
            except EOFError:
                lost = None
            finally:
                self._process = None
                self._writer_wanted.clear()
                process.end()
                exit_code = process.exit_code
                process.close()
            log.warning("the process of job %s ended: %s; begun again", running.job.job_id, lost or exit_code)
            if running.interrupted:
                return None
        raise lost or TrainingError(
            f"the training process was ended {1 + MOST_RESTARTS} times from outside, at last with {exit_code} (-9: "
            "killed, as where memory is short): what was learnt is kept; give it more memory and try the job again"
        )

    def tidy(self, job: Job) -> None:
        """Delete the job's saved state, unless it failed and can be retried."""
        if job.state != "failed":
            shutil.rmtree(self.directory / job.job_id, ignore_errors=True)

    def _order(self, job: Job, device: DeviceName) -> Order:
        library = self._session.library.directory
        return Order(library, device, self.directory / job.job_id, **job.payload, threads=self._threads)

    def _follow(self, running: RunningJob, process: TrainingProcess) -> Ended | None:
        """Handle messages until the process sends its result or the job is interrupted.

        EOFError if it ends before, DeviceError if its GPU fails.
        """
        while not running.interrupted:
            ended = self._heed(running, process.hear(POLL_S))
            if ended is not None:
                return ended
        process.end()
        with suppress(EOFError):
            while (message := process.hear(0)) is not None:  # it may just have been done
                if (ended := self._heed(running, message)) is not None:
                    return ended
        return None

    def _heed(self, running: RunningJob, message: Message | None) -> Ended | None:
        if isinstance(message, Progress):
            result = None if message.point is None else {"curve": [*running.result.get("curve", []), message.point]}
            with _lasting(running):
                running.report(max(message.share, running.job.progress), result)  # begun again, it reads anew
        elif isinstance(message, Warned):
            with _lasting(running):
                running.note(message.of_what)
        elif isinstance(message, Retried):
            log.warning("job %s: %s", running.job.job_id, message.why)
            with _lasting(running):
                running.report(None, {"curve": []})
        elif isinstance(message, Waiting):
            if message.waits:
                self._writer_wanted.set()
            else:
                self._writer_wanted.clear()
        elif isinstance(message, Finished):
            curve = {"curve": running.result.get("curve", [])}
            return Ended("done", message.result | curve, tuple(JobMessage("", None, note) for note in message.notes))
        elif isinstance(message, Failed):
            if message.unforeseen:
                log.error("job %s failed: %s", running.job.job_id, message.unforeseen)
            return Ended("failed", {"code": message.code, "detail": message.detail})
        elif isinstance(message, Lost):
            raise message.error
        return None


@contextmanager
def _lasting(running: RunningJob) -> Iterator[None]:
    """Go on where a report cannot be written: that is no reason to lose an hour of training."""
    try:
        yield
    except LibraryError:
        log.exception("the progress of job %s cannot be written", running.job.job_id)


def _noting(ended: Ended | None, notes: list[str]) -> Ended | None:
    """Add notes to the last messages of a job."""
    return ended and replace(ended, messages=(*ended.messages, *(JobMessage("", None, note) for note in notes)))
