"""/jobs: work that outlasts its request."""

from __future__ import annotations

from fastapi import APIRouter

from app.schemas.job import JobAnswer
from app.service import Current

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("", response_model=list[JobAnswer])
def get_jobs(service: Current) -> list[JobAnswer]:
    """List all jobs, oldest first."""
    return [JobAnswer.of(job) for job in service.session.library.catalogue.jobs()]


@router.get("/{job_id}", response_model=JobAnswer)
def get_job(service: Current, job_id: str) -> JobAnswer:
    """Describe a job."""
    return JobAnswer.of(service.session.library.catalogue.job(job_id))
