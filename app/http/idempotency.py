"""The header Idempotency-Key: a request that comes twice is done once."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import Header, Request, Response

from app.telemetry.current_request import link
from index.records import IdempotencyToken, Job

REPLAYED = "Idempotency-Replayed"
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=r"^[ -~]*$",
        description="of the client's choice: the same key with the same content within 24 h answers the same job",
    ),
]


def token_of(request: Request, key: str | None, route: str, **content: Any) -> IdempotencyToken | None:
    """Return what tells one request from another; None where the client gave no Idempotency-Key."""
    if key is None:
        return None
    asked = json.dumps([route, content], sort_keys=True)
    api_key = getattr(request.state, "key", None)
    return IdempotencyToken(key, hashlib.sha256(asked.encode()).hexdigest(), api_key.key_id if api_key else None)


def tell_job(response: Response, job: Job, replayed: bool) -> None:
    """Write the job's address into the headers, and whether the same request made it before."""
    response.headers["Location"] = link(f"jobs/{job.job_id}")
    if replayed:
        response.headers[REPLAYED] = "true"
