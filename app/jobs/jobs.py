"""Jobs: work that outlasts its request. They are queued in the catalogue, and resumed after a restart."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from app.jobs.ingest_job import IngestWork, upload_payload
from app.jobs.reencode_job import ReencodeWork
from app.jobs.runner import AtWork, JobRunner, Work
from app.jobs.training_job import TrainingWork
from app.jobs.watcher import Watcher
from app.library.labels import read_labels
from app.library.listing import Listing
from app.library.session import Session
from app.library.watch import Watch
from app.settings import Settings
from index.check import HOLDING
from index.job_state import JobState
from index.library import Library
from index.records import IdempotencyToken, Job
from model.data.corpus import Annotation
from model.errors import NotFound, NotRetryable

STALE_S = 5.0  # a partial file that was not written to for so long belongs to no living process


class Jobs:
    """Run a library's jobs: one of each kind at a time, the kinds side by side as far as the library has one writer."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._library, self._most_queued = session.library, settings.most_queued_jobs
        self._queue = session.library.catalogue.queue
        writer_wanted = threading.Event()
        limits, settle_s = settings.footage_limits, settings.watch_settle_s
        self._ingest = IngestWork(session, settings.ingest_roots, writer_wanted, limits, settle_s)
        device = settings.training_device or settings.device
        self._training = TrainingWork(session, device, settings.training_threads, writer_wanted)
        self._works: tuple[Work, ...] = (self._ingest, self._training, ReencodeWork(session, writer_wanted))
        self._runners = {work.kind: JobRunner(self._queue, work) for work in self._works}
        self._watcher: Watcher | None = None
        if settings.watch:
            self._watcher = Watcher(self._watch_of(settings), self._is_taking_in_directories, self._ingest_watched)

    def start(self) -> None:
        """Resume the jobs that a stopped process left, remove leftover files, then wait for jobs."""
        self._queue.take_up()
        cancelled = self._queue.jobs("cancelled")
        for work in self._works:
            for job in cancelled:  # again: the process may have been stopped before
                if job.kind == work.kind:
                    work.tidy(job)
        _sweep(self._library, self._training.directory)
        for runner in self._runners.values():
            runner.start()
        if self._watcher is not None:
            self._watcher.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish the current file, end training at its last epoch; the rest is resumed at the next start."""
        for runner in self._runners.values():
            runner.stop()
        deadline = time.monotonic() + timeout_s
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.join(timeout_s)
        for runner in self._runners.values():
            runner.join(deadline - time.monotonic())

    def is_working(self) -> bool:
        """Return whether the threads that run the jobs, and the one that watches, are alive."""
        watches = self._watcher is None or self._watcher.is_alive()
        return watches and all(runner.is_alive() for runner in self._runners.values())

    @property
    def training_pid(self) -> int | None:
        """Return the process id of the current training; None if there is none."""
        return self._training.pid

    def ingest_upload(
        self,
        path: Path,
        file_name: str,
        annotation: Annotation,
        token: IdempotencyToken | None = None,
        audio_track: int | None = None,
    ) -> tuple[Job, bool]:
        """Queue the ingest of a file that `uploads.keep` wrote; the job is on the disk when this returns.

        Returns the job, and whether an earlier request with the same token made it; then this file is not needed.
        Raises what `JobQueue.accept` raises.
        """
        payload = upload_payload(self._library.reference(path), file_name, annotation, audio_track)
        return self._accept("ingest", payload, token)

    def ingest_directory(
        self,
        path: str,
        labels: str | None = None,
        token: IdempotencyToken | None = None,
        audio_track: int | None = None,
    ) -> tuple[Job, bool]:
        """Queue the ingest of a file or directory of the server, with labels from a CSV; returns as `ingest_upload`.

        Raises NotAllowed, QueryError, and what `JobQueue.accept` raises.
        """
        directory = str(self._ingest.roots.real_path(path))
        payload: dict[str, Any] = {"directory": directory, "labels": None, "audio_track": audio_track}
        if labels is not None:
            csv = self._ingest.roots.real_path(labels)
            read_labels(csv)  # so that an error in it is answered now
            payload["labels"] = str(csv)
        return self._accept("ingest", payload, token)

    def train(
        self, seed: int, recipe: str, epochs: int | None = None, token: IdempotencyToken | None = None
    ) -> tuple[Job, bool]:
        """Queue a training; returns as `ingest_upload`. Raises TrainingRuns, and what else `JobQueue.accept` raises."""
        return self._accept("train", {"seed": seed, "recipe": recipe, "epochs": epochs}, token)

    def reencode(
        self, frontend: str | None, checkpoint: str | None, leave_out: bool, token: IdempotencyToken | None = None
    ) -> tuple[Job, bool]:
        """Queue a re-encoding, by a checkpoint of the library if one is named; returns as `ingest_upload`."""
        return self._accept("reencode", {"frontend": frontend, "checkpoint": checkpoint, "leave_out": leave_out}, token)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: a queued one at once, a running one at its next file or epoch. Raises NotFound, JobEnded."""
        kind = self._queue.job(job_id).kind
        return self._runner(kind).cancel(job_id)

    def retry(self, job_id: str) -> Job:
        """Queue a failed job again; it goes on where it was.

        Raises NotFound, JobEnded, NotRetryable where its upload is gone, and what `JobQueue.accept` raises.
        """
        job = self._queue.job(job_id)
        reference = job.payload.get("path")
        if job.state == "failed" and reference is not None and not self._library.locate(reference).is_file():
            raise NotRetryable(
                f"job {job_id} given, whose file could not be used and is gone, one whose file is there expected: "
                "upload another file"
            )
        retried = self._queue.retry(job_id, self._most_queued)
        self._runner(retried.kind).wake()
        return retried

    def at_work(self, job_id: str) -> AtWork:
        """Tell how long a running job still takes, and the file at hand."""
        told = (runner.at_work(job_id) for runner in self._runners.values())
        return next((one for one in told if one is not None), AtWork())

    def _watch_of(self, settings: Settings) -> Watch:
        return Watch(
            self._library,
            [directory.resolve() for directory in settings.watch],  # videos are known by their real paths
            self._list_watched,
            attrgetter("real"),
            settings.watch_settle_s,
            settings.watch_rescan_s,
        )

    def _list_watched(self, directory: Path) -> Listing:
        return self._ingest.roots.list(self._ingest.roots.real_path(str(directory)))

    def _is_taking_in_directories(self) -> bool:
        states: tuple[JobState, ...] = ("queued", "running")
        return any("directory" in job.payload for state in states for job in self._queue.jobs(state))

    def _ingest_watched(self, folder: Path) -> None:
        directory = str(self._ingest.roots.real_path(str(folder)))
        self._accept("ingest", {"directory": directory, "labels": None, "audio_track": None, "watched": True}, None)

    def _runner(self, kind: str) -> JobRunner:
        if kind not in self._runners:
            raise NotFound(f"a job of kind {kind}, which a newer release queued, given: upgrade Echolens")
        return self._runners[kind]

    def _accept(self, kind: str, payload: dict[str, Any], token: IdempotencyToken | None) -> tuple[Job, bool]:
        now = datetime.now(UTC).isoformat()
        job = Job(uuid.uuid4().hex[:16], kind, "queued", payload, 0.0, {}, now, now)
        accepted = self._queue.accept(job, self._most_queued, token)
        self._runners[kind].wake()
        return accepted


def _sweep(library: Library, training: Path) -> None:
    """Remove what a kill left: uploads that no job or video names, partial features, states of ended trainings."""
    uploads, directories = list(library.media.glob("upload-*")), list(training.glob("*"))
    # The files were listed first, so that a file that comes meanwhile is not removed.
    holding = [job for state in HOLDING for job in library.catalogue.queue.jobs(state)]
    waiting = {library.locate(job.payload["path"]) for job in holding if "path" in job.payload}
    for path in uploads:
        if path not in waiting and not library.catalogue.names_file(library.reference(path)):
            path.unlink(missing_ok=True)
    for path in library.cache.glob("features/*/*.partial"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()
    ids = {job.job_id for job in holding}
    for directory in directories:
        if directory.name not in ids:
            shutil.rmtree(directory, ignore_errors=True)
