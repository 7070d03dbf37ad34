"""What /jobs answers."""

from __future__ import annotations

from typing import Any

from app.schemas.answering import Answering
from index.catalogue import Job


class JobAnswer(Answering):
    """A piece of work."""

    job_id: str
    kind: str
    state: str
    progress: float
    result: dict[str, Any]
    created_at: str
    updated_at: str

    @staticmethod
    def of(job: Job) -> JobAnswer:
        """Write a job out."""
        return JobAnswer(**{name: getattr(job, name) for name in JobAnswer.model_fields})
