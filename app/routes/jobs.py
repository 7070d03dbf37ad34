"""/jobs: work that outlasts its request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response

from app.http.answers import written
from app.http.idempotency import IdempotencyKey, tell_job, token_of
from app.http.route_table import needs
from app.schemas.job import IngestOrder, JobAnswer, JobDetailAnswer, JobsQuery, ReencodeOrder, TrainOrder
from app.service import Current, Service
from index.records import Job

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.post("", status_code=202, response_model=JobDetailAnswer)
@needs("admin")
def post_job(
    service: Current,
    request: Request,
    order: Annotated[IngestOrder | TrainOrder | ReencodeOrder, Body(discriminator="kind")],
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobDetailAnswer:
    """Queue the ingest of a directory of the server, a training, or a change of the front-end or model."""
    token = token_of(request, idempotency_key, "POST /jobs", **order.model_dump())
    if isinstance(order, IngestOrder):
        job, replayed = service.jobs.ingest_directory(order.path, order.labels, token, order.audio_track)
    elif isinstance(order, ReencodeOrder):
        job, replayed = service.jobs.reencode(order.frontend, order.checkpoint, order.leave_out, token)
    else:
        job, replayed = service.jobs.train(order.seed, order.recipe, order.epochs, token)
    tell_job(response, job, replayed)
    return _detail(service, job)


@router.get("", response_model=list[JobAnswer])
@needs("read")
def get_jobs(service: Current, asked: Annotated[JobsQuery, Query()]) -> Response:
    """List jobs, latest first; up to `limit`, those that came before the job `before`."""
    jobs = service.session.library.catalogue.queue.jobs(asked.state, asked.limit, asked.before)
    return written([JobAnswer.of(job, *service.jobs.at_work(job.job_id)) for job in jobs])


@router.get("/{job_id}", response_model=JobDetailAnswer)
@needs("read")
def get_job(service: Current, job_id: str) -> JobDetailAnswer:
    """Describe a job."""
    return _detail(service, service.session.library.catalogue.queue.job(job_id))


@router.delete("/{job_id}", response_model=JobDetailAnswer)
@needs("admin")
def delete_job(service: Current, job_id: str) -> JobDetailAnswer:
    """Cancel a job: a queued one ends at once, a running one at its next file or epoch. What came in stays."""
    return _detail(service, service.jobs.cancel(job_id))


@router.post("/{job_id}/retry", status_code=202, response_model=JobDetailAnswer)
@needs("admin")
def post_retry(service: Current, job_id: str, response: Response) -> JobDetailAnswer:
    """Queue a failed job anew, to go on where it was: once the disk has room, or the other writer is done."""
    job = service.jobs.retry(job_id)
    tell_job(response, job, replayed=False)
    return _detail(service, job)


def _detail(service: Service, job: Job) -> JobDetailAnswer:
    messages = service.session.library.catalogue.queue.messages(job.job_id)
    return JobDetailAnswer.of_messages(job, messages, *service.jobs.at_work(job.job_id))
