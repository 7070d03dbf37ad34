"""The queue of jobs: accept, begin, cancel and retry them, each in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from index.job_state import JobState
from index.records import IdempotencyToken, Job, JobMessage
from index.rows import JOB, job_of, job_row, one_job, put_job, put_message
from index.store import LARGEST_ID, Store
from model.errors import IdempotencyKeyReused, JobEnded, QueueFull, TrainingRuns

ALONE = "train"  # of this kind at most one job may be queued or running
KEY_LIFE = timedelta(hours=24)
MOST_KEPT = 10_000  # older jobs are deleted, but not within KEY_LIFE of their end
FORGET_EVERY = 1000  # jobs: deleting looks at all older ones


class JobQueue:
    """Keep a catalogue's jobs and their states; any number of threads may use it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def accept(self, job: Job, most_queued: int, token: IdempotencyToken | None = None) -> tuple[Job, bool]:
        """Add a job. Return it and False, or the job that the same request made before and True.

        Raises:
            IdempotencyKeyReused: the token's key came with other content within 24 hours.
            TrainingRuns: another training job is queued or running. QueueFull: `most_queued` jobs are queued.
        """
        with self._store.write() as c:
            if token is not None and (before := _asked_before(c, token)) is not None:
                return before, True
            _check_room(c, job.kind, most_queued)
            put_job(c, job)
            _forget_oldest(c)
            if token is not None:
                row = (token.stored_key, token.sha256, job.job_id, _now())
                c.execute("INSERT INTO idempotency_keys VALUES (?, ?, ?, ?)", row)
            return job, False

    def begin(self, kind: str) -> Job | None:
        """Start the oldest queued job of a kind, and return it; None if none is queued."""
        with self._store.write() as c:
            row = c.execute(
                "UPDATE jobs SET state = 'running', updated_at = ? WHERE position = "
                f"(SELECT min(position) FROM jobs WHERE state = 'queued' AND kind = ?) RETURNING {JOB}",
                (_now(), kind),
            ).fetchone()
            return None if row is None else job_of(row)

    def update(
        self,
        job_id: str,
        *,
        state: JobState | None = None,
        progress: float | None = None,
        result: dict[str, Any] | None = None,
        payload: dict[str, Any] | None = None,
        messages: Iterable[JobMessage] = (),
    ) -> Job:
        """Change what is given of a job, leave the rest, add messages, and return it; NotFound if there is none.

        With a state other than `running` it is no longer cancelling.
        """
        written = [None if value is None else json.dumps(value) for value in (result, payload)]
        with self._store.write() as c:
            one_job(c, job_id)
            for message in messages:
                put_message(c, job_id, message)
            c.execute(
                "UPDATE jobs SET updated_at = ?1, state = coalesce(?2, state), progress = coalesce(?3, progress), "
                "result = coalesce(?4, result), payload = coalesce(?5, payload), "
                "cancelling = cancelling AND coalesce(?2, 'running') = 'running' WHERE job_id = ?6",
                (_now(), state, progress, *written, job_id),
            )
            return one_job(c, job_id)

    def cancel(self, job_id: str) -> Job:
        """Cancel a queued job, or mark a running one as cancelling; return it. NotFound, JobEnded."""
        with self._store.write() as c:
            job = one_job(c, job_id)
            if job.state not in ("queued", "running"):
                raise JobEnded(f"job {job_id}, which is {job.state}, given, a queued or running one expected")
            c.execute(
                "UPDATE jobs SET state = iif(state = 'queued', 'cancelled', state), cancelling = (state = 'running'), "
                "updated_at = ? WHERE job_id = ?",
                (_now(), job_id),
            )
            return one_job(c, job_id)

    def retry(self, job_id: str, most_queued: int) -> Job:
        """Queue a failed job again, at its old position; return it. NotFound, JobEnded, and what `accept` raises."""
        with self._store.write() as c:
            job = one_job(c, job_id)
            if job.state != "failed":
                raise JobEnded(f"job {job_id}, which is {job.state}, given, a failed one expected")
            _check_room(c, job.kind, most_queued)
            result = {name: value for name, value in job.result.items() if name not in ("code", "detail")}
            c.execute(
                "UPDATE jobs SET state = 'queued', result = ?, updated_at = ? WHERE job_id = ?",
                (json.dumps(result), _now(), job_id),
            )
            return one_job(c, job_id)

    def take_up(self) -> None:
        """Queue the jobs again that a stopped process left running; cancel those that were cancelling."""
        with self._store.write() as c:
            c.execute(
                "UPDATE jobs SET state = iif(cancelling, 'cancelled', 'queued'), cancelling = 0 WHERE state = 'running'"
            )

    def job(self, job_id: str) -> Job:
        """Return a job; NotFound if there is none."""
        with self._store.read() as c:
            return one_job(c, job_id)

    def jobs(self, state: JobState | None = None, limit: int = -1, before: str | None = None) -> list[Job]:
        """Return up to `limit` jobs, latest first: those in a state, and older than the job `before`. NotFound."""
        with self._store.read() as c:
            end = LARGEST_ID if before is None else job_row(c, before, "position")["position"]
            chosen = "position < :end" if state is None else "position < :end AND state = :state"
            query = f"SELECT {JOB} FROM jobs WHERE {chosen} ORDER BY position DESC LIMIT :limit"
            return [job_of(row) for row in c.execute(query, {"end": end, "state": state, "limit": limit})]

    def counts(self) -> dict[str, int]:
        """Return how many jobs there are by state; a state without jobs is left out."""
        with self._store.read() as c:
            return dict(tuple(row) for row in c.execute("SELECT state, count(*) FROM jobs GROUP BY state"))

    def messages(self, job_id: str) -> list[JobMessage]:
        """Return what a job met, oldest first, at most 1000 errors and 1000 notes."""
        query = "SELECT file_name, code, detail FROM job_messages WHERE job_id = ? ORDER BY position"
        with self._store.read() as c:
            return [JobMessage(*row) for row in c.execute(query, (job_id,))]


def _asked_before(c: sqlite3.Connection, token: IdempotencyToken) -> Job | None:
    """Return the job that the same request made, and delete keys that are too old."""
    c.execute("DELETE FROM idempotency_keys WHERE at < ?", ((datetime.now(UTC) - KEY_LIFE).isoformat(),))
    row = c.execute("SELECT sha256, job_id FROM idempotency_keys WHERE key = ?", (token.stored_key,)).fetchone()
    if row is None:
        return None
    if row["sha256"] != token.sha256:
        raise IdempotencyKeyReused(
            f"Idempotency-Key {token.key} given, which came with other content within 24 hours: "
            "use a new key for each new request"
        )
    return one_job(c, row["job_id"])


def _forget_oldest(c: sqlite3.Connection) -> None:
    """Delete jobs that ended long ago, but not failed ones that can be retried: their uploads are kept for that."""
    latest = c.execute("SELECT max(position) FROM jobs").fetchone()[0]
    if latest % FORGET_EVERY == 0:
        c.execute(
            "DELETE FROM jobs WHERE position <= ? AND updated_at < ? AND "
            "(state IN ('done', 'cancelled') OR (state = 'failed' AND json_extract(result, '$.state') = 'failed'))",
            (latest - MOST_KEPT, (datetime.now(UTC) - KEY_LIFE).isoformat()),
        )


def _check_room(c: sqlite3.Connection, kind: str, most_queued: int) -> None:
    if kind == ALONE:
        query = "SELECT job_id FROM jobs WHERE kind = ? AND state IN ('queued', 'running')"
        other = c.execute(query, (kind,)).fetchone()
        if other is not None:
            raise TrainingRuns(
                f"a second training given, one at a time expected: wait for job {other['job_id']}, or cancel it"
            )
    if c.execute("SELECT count(*) FROM jobs WHERE state = 'queued'").fetchone()[0] >= most_queued:
        raise QueueFull(f"{most_queued} jobs wait already, which is as many as may: ask again when some are done")


def _now() -> str:
    return datetime.now(UTC).isoformat()
