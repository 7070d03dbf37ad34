"""Work that outlasts its request: queued in the catalogue, done by one thread, resumed after a restart."""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.ingest import Source, ingest
from app.session import Session
from index.catalogue import Job
from model.corpus import Annotation
from model.errors import EcholensError, NotFound
from model.media import FOOTAGE

log = logging.getLogger("echolens")
BUSY_RETRY_S = 2.0


class Jobs:
    """Do a library's jobs one after the other."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._catalogue = session.library.catalogue
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Take up what a stopped process left, then wait for more."""
        self._catalogue.requeue_interrupted()
        for job in self._catalogue.jobs():
            if job.state == "queued":
                self._queue.put(job.job_id)
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Finish the job at hand; what waits is taken up at the next start."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join(timeout_s)

    def ingest_upload(self, path: Path, file_name: str, annotation: Annotation) -> Job:
        """Queue the ingest of a file that `uploads.keep` wrote; on the disk when this returns."""
        payload = {
            "path": self._session.library.reference(path),
            "file_name": file_name,
            "label": annotation.label,
            "event_start_s": annotation.event_start_s,
            "event_end_s": annotation.event_end_s,
        }
        now = datetime.now(UTC).isoformat()
        job = Job(uuid.uuid4().hex[:16], "ingest", "queued", payload, 0.0, {}, now, now)
        self._catalogue.put_job(job)
        self._queue.put(job.job_id)
        return job

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None and not self._stopping.is_set():
            try:
                self._do(self._catalogue.job(job_id))
            except Exception:
                log.exception("job %s failed in a way that was not foreseen", job_id)
                self._give_up(job_id)

    def _give_up(self, job_id: str) -> None:
        """End a job as failed; where not even that can be written (disk full), it is taken up at the next start."""
        try:
            self._end(job_id, "failed", {"code": "internal", "detail": "not foreseen; the log has it"})
        except Exception:
            log.exception("job %s could not be ended", job_id)

    def is_working(self) -> bool:
        """Say whether the thread that does the jobs is there."""
        return self._thread.is_alive()

    def _do(self, job: Job) -> None:
        self._catalogue.update_job(job.job_id, state="running")
        payload = job.payload
        path = self._session.library.locate(payload["path"])
        annotation = Annotation("", payload["label"], payload["event_start_s"], payload["event_end_s"])
        source = Source(path, payload["file_name"], annotation, uploaded=True)
        while True:
            try:
                (outcome,) = ingest(self._session, [source], FOOTAGE, decoders=1)
                break
            except EcholensError as error:
                if error.code != "library_busy":
                    self._end(job.job_id, "failed", {"code": error.code, "detail": str(error)})
                    return
                if self._stopping.wait(BUSY_RETRY_S):  # another process writes: wait, or leave it queued
                    self._catalogue.update_job(job.job_id, state="queued")
                    return
        surplus = outcome.state != "added" and not self._belongs(path, outcome.video_id)
        result = {
            "state": outcome.state,
            "video_id": outcome.video_id,
            "note": outcome.note,
            "code": outcome.code,
            "detail": outcome.detail,
        }
        self._end(job.job_id, "failed" if outcome.state == "failed" else "done", result)
        if surplus:  # only now: a job that is cut off before its end comes again, and needs its file
            path.unlink(missing_ok=True)

    def _belongs(self, path: Path, video_id: str | None) -> bool:
        """Say whether a known video is this very file: a job that was cut off after its commit comes again."""
        if video_id is None:
            return False
        try:
            return self._session.library.locate(self._catalogue.video(video_id).path) == path
        except NotFound:  # deleted since
            return False

    def _end(self, job_id: str, state: Any, result: dict[str, Any]) -> None:
        self._catalogue.update_job(job_id, state=state, progress=1.0, result=result)
