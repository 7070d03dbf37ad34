"""Re-encoding as a job: another front-end or model for the library. Cut off, it goes on with the features it made."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict
from typing import Any, ClassVar

from app.jobs.runner import Ended, RunningJob
from app.library.model_swap import reencode
from app.library.session import Session
from index.records import Job, JobMessage
from model.errors import LibraryBusy, OriginalsGone
from model.frontends.registry import pull_absent_weights

log = logging.getLogger("echolens")
BUSY_RETRY_S = 0.5
REPORT_S = 0.2
GONE = "its features are not there, and its file is gone or replaced"


class _Interrupted(Exception):
    """The job must stop."""


class ReencodeWork:
    """Do re-encodings; `writer_wanted` is set while one waits for the writer lock."""

    kind: ClassVar[str] = "reencode"

    def __init__(self, session: Session, writer_wanted: threading.Event) -> None:
        self._session, self._writer_wanted = session, writer_wanted

    def do(self, running: RunningJob) -> Ended | None:
        """Encode everything anew as soon as no other process writes to the library."""
        try:
            while not running.interrupted:
                try:
                    return self._reencode(running, **running.job.payload)
                except LibraryBusy:
                    self._writer_wanted.set()
                    running.wait(BUSY_RETRY_S)
        except _Interrupted:
            pass
        except OriginalsGone as error:
            files = [JobMessage(name, error.code, GONE) for name in error.file_names]
            return Ended("failed", {"code": error.code, "detail": _told(str(error))}, tuple(files))
        finally:
            self._writer_wanted.clear()
        return None

    def tidy(self, job: Job) -> None:
        """Leave the features: they are the library's cache."""

    def _reencode(self, running: RunningJob, frontend: str | None, checkpoint: str | None, leave_out: bool) -> Ended:
        library = self._session.library
        if frontend is not None:
            pull_absent_weights(frontend, library.frontends, log.info)
        path = None if checkpoint is None else library.checkpoints / checkpoint
        videos, done, told_s = max(1, library.catalogue.stats().videos), 0, 0.0

        def step() -> None:
            nonlocal done, told_s
            if running.interrupted:
                raise _Interrupted
            done += 1
            if time.monotonic() - told_s >= REPORT_S:
                running.report(min(1.0, done / videos))
                told_s = time.monotonic()

        result: dict[str, Any] = asdict(reencode(self._session, path, leave_out, step, frontend))
        notes = tuple(JobMessage(name, None, "left out: it is found no more") for name in result["left_out"])
        return Ended("done", result, notes)


def _told(detail: str) -> str:
    """Name the field of an order in place of the option of the command line."""
    return detail.replace("echolens library reencode --leave-out", '"leave_out": true')
