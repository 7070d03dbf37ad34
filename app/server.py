"""The application: routes, errors, access, and a lifespan that opens the library."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import torch
from fastapi import FastAPI
from threadpoolctl import threadpool_limits

from app import problems
from app.access import Access
from app.canary import canary
from app.jobs import Jobs
from app.measurement import Measure
from app.routes import footage, health, jobs, localize, measure, page, retrieve, segments
from app.schemas.problem import ProblemAnswer
from app.service import Service
from app.session import Session
from app.settings import Settings
from model.device import choose_device
from model.errors import EcholensError

log = logging.getLogger("echolens")
DESCRIPTION = "Search sight by sound and sound by sight in footage that nobody has labelled."


def create_app(settings: Settings) -> FastAPI:
    """Return the application for one library; nothing is opened before its lifespan begins."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        torch.set_num_threads(1)  # requests run side by side: one thread each is fastest in all
        threadpool_limits(1, user_api="blas")
        with Session.open(settings.data, choose_device(settings.device), searching=settings.searching) as session:
            app.state.service = Service(settings, session, Jobs(session), Measure(session))
            _warm_up(session)
            app.state.service.jobs.start()
            try:
                yield
            finally:
                app.state.service.jobs.stop()

    app = FastAPI(
        title="Echolens",
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere; /openapi.json is all there
        redoc_url=None,
        responses={"4XX": {"model": ProblemAnswer, "description": "A problem (RFC 9457)"}},
    )
    key = settings.api_key.get_secret_value() if settings.api_key else None
    app.add_middleware(Access, api_key=key, most_bytes=settings.most_upload_bytes, hosts=settings.allowed_hosts)
    problems.install(app)
    for module in (retrieve, localize, measure, footage, segments, jobs, health, page):
        app.include_router(module.router)
    return app


def _warm_up(session: Session) -> None:
    """Pay the cost of first calls now, not in a request; a library that cannot serve yet says so when asked."""
    try:
        canary(session)
    except EcholensError as error:
        log.warning("not ready: %s", error)
