"""The application: routes, errors, access, and a lifespan that opens the library."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from app.http import problems
from app.http.access import Access
from app.http.admission import QUESTIONS, UPLOADS, Admission
from app.http.cors import Cors
from app.http.gate import Gate
from app.http.headers import SecurityHeaders
from app.http.key_limits import KeyLimits
from app.http.keyring import Keyring
from app.http.openapi import PROBLEMS, TAGS, Described, operation_id
from app.http.request_log import RequestLog
from app.routes import batch, generate, health, jobs, localize, metrics, page, retrieve, segments
from app.routes import errors as error_codes
from app.routes import latent_map as latents
from app.routes import measurement as measure
from app.routes import videos as footage
from app.service import running
from app.settings import Settings
from app.telemetry.gauges import watch_library
from app.telemetry.metrics import Metrics
from model.errors import EcholensError

log = logging.getLogger("echolens")
MODULES = (
    retrieve,
    batch,
    localize,
    generate,
    footage,
    segments,
    latents,
    jobs,
    measure,
    metrics,
    health,
    error_codes,
    page,
)
PATIENCE_S = 10.0  # that a question waits for a place: what comes in a stall of seconds takes as many to be answered
DESCRIPTION = "Search sight by sound and sound by sight in footage that nobody has labelled."


def create_app(settings: Settings) -> FastAPI:
    """Return the application for one library; nothing is opened before its lifespan begins."""
    counts = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            try:
                app.state.service = await opened.enter_async_context(running(settings, counts))
            except EcholensError as error:  # the server's own report of it is a traceback, which ends before the cause
                log.error("the service does not start: %s", error)
                raise
            watch_library(counts, app.state.service.session, app.version)
            yield

    app = Described(
        title="Echolens",
        description=DESCRIPTION,
        version=version("echolens"),
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere; /openapi.json is all there
        redoc_url=None,
        responses=PROBLEMS,
        openapi_tags=TAGS,
        generate_unique_id_function=operation_id,
    )
    questions, uploads = Gate(settings.most_questions, PATIENCE_S), Gate(settings.most_uploads)
    gates = dict.fromkeys(QUESTIONS, questions) | dict.fromkeys(UPLOADS, uploads)
    app.add_middleware(
        Admission,
        gates=gates,
        most_bytes=settings.most_upload_bytes,
        most_idle_s=settings.most_idle_s,
        metrics=counts,
    )
    counts.watch("echolens_questions", "Questions being answered", lambda: questions.inside)
    counts.watch("echolens_questions_waiting", "Questions that wait for a place", lambda: questions.waiting)
    counts.watch("echolens_uploads", "Uploads being received", lambda: uploads.inside)
    key = settings.api_key.get_secret_value() if settings.api_key else None
    app.add_middleware(
        Access,
        keyring=Keyring(settings.data, key, required=not settings.is_loopback),
        limits=KeyLimits(settings.key_most_in_flight, settings.key_most_per_minute),
        most_bytes=settings.most_upload_bytes,
        hosts=settings.allowed_hosts,
        origins=settings.cors_origins,
        count_refused=counts.count_refused,
    )
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    routes = [route for module in MODULES for route in module.router.routes]
    app.add_middleware(RequestLog, metrics=counts, routes=[*app.routes, *routes])
    app.add_middleware(SecurityHeaders, origins=settings.cors_origins)  # the last added is the outermost
    problems.install(app)
    for module in MODULES:
        app.include_router(module.router)
    return app
