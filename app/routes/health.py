"""/health: is the process alive, and does every part of the service work?"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from app.http.route_table import needs
from app.schemas.health import HealthAnswer
from app.service import Current
from model.errors import EcholensError, FrontEndError, NotReady, UntrainedLibrary

MOST_CANARY_S = 8.0
NO_FOOTAGE = "the library holds no footage: add some on the page, or with: echolens ingest PATH --library DIR"
router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", response_model=HealthAnswer)
@needs("open")
async def get_live() -> HealthAnswer:
    """Say that the process answers."""
    return HealthAnswer(status="live")


@router.get("/ready", response_model=HealthAnswer)
@needs("open")
async def get_ready(service: Current) -> HealthAnswer:
    """Send a canary through a worker, the model and the index just now; 503 where it does not come through.

    A library that only lacks something, such as footage or a model, is ready to be given it: `lacks` says what.
    """
    session = service.session
    if not service.jobs.is_working():
        raise NotReady("the thread that does the jobs has ended: restart the service; the log says why")
    is_empty = session.library.catalogue.is_empty
    lacks, spent_ms = [NO_FOOTAGE] if is_empty else [], None
    try:
        async with asyncio.timeout(MOST_CANARY_S):
            spent_ms = round(await service.canary.send(), 3)
    except EcholensError as error:
        if not (isinstance(error, UntrainedLibrary) or (isinstance(error, FrontEndError) and is_empty)):
            raise NotReady(str(error)) from error
        lacks = [str(error)]
    except TimeoutError as error:
        raise NotReady(
            f"a second of sound and a picture did not come through within {MOST_CANARY_S:g} s: the service is stuck, "
            "or has far too much to do"
        ) from error
    return HealthAnswer(
        status="ready",
        fingerprint=session.library.catalogue.fingerprint,
        catalogue_version=session.library.catalogue.catalogue_version,
        device=service.engine.device,
        canary_ms=spent_ms,
        lacks=lacks,
    )
