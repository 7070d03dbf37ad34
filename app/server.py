"""The application: routes, errors, access, and a lifespan that opens the library."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.routing import Route

from app.http import problems
from app.http.access import Access
from app.http.admission import Admission
from app.http.cors import Cors
from app.http.gate import Gate
from app.http.headers import SecurityHeaders
from app.http.heads import Heads
from app.http.key_limits import KeyLimits
from app.http.keyring import Keyring
from app.http.openapi import PROBLEMS, TAGS, Described, operation_id
from app.http.prefix import PathPrefix
from app.http.request_log import RequestLog
from app.http.route_table import RouteTable, needs
from app.routes import (
    alerts,
    batch,
    edit_list,
    errors,
    footage,
    generate,
    health,
    jobs,
    latent_map,
    library,
    localize,
    measurement,
    metrics,
    page,
    retrieve,
    segments,
    videos,
)
from app.service import Service, running
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
    edit_list,
    alerts,
    videos,
    segments,
    library,
    footage,
    latent_map,
    jobs,
    measurement,
    metrics,
    health,
    errors,
    page,
)
PATIENCE_S = 10.0  # how long a question waits at its gate: long enough to outlast a stall of a few seconds
DESCRIPTION = "Search sight by sound and sound by sight in footage that nobody has labelled."


def create_app(settings: Settings) -> FastAPI:
    """Return the application for one library; its lifespan opens the library."""
    counts = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            try:
                app.state.service = await opened.enter_async_context(running(settings, counts))
            except EcholensError as error:  # the server reports only a traceback, without the cause
                log.error("the service does not start: %s", error)
                raise
            service: Service = app.state.service
            watch_library(counts, service.session, lambda: service.engine.device, app.version)
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
        servers=[{"url": "."}],  # relative to the description itself, wherever a proxy shows it
        generate_unique_id_function=operation_id,
    )
    (openapi,) = app.routes  # the framework's own: /openapi.json
    assert isinstance(openapi, Route)
    needs("read")(openapi.endpoint)
    routes = RouteTable([openapi, *(route for module in MODULES for route in module.router.routes)])
    questions, uploads = Gate(settings.most_questions, PATIENCE_S), Gate(settings.most_uploads)
    app.add_middleware(Heads, routes=routes)
    app.add_middleware(
        Admission,
        gates={"question": questions, "upload": uploads},
        most_bytes=settings.most_upload_bytes,
        most_idle_s=settings.most_idle_s,
        metrics=counts,
        routes=routes,
    )
    counts.watch("echolens_questions", "Questions being answered", lambda: questions.inside)
    counts.watch("echolens_questions_waiting", "Questions that wait for a place", lambda: questions.waiting)
    counts.watch("echolens_uploads", "Uploads being received", lambda: uploads.inside)
    app.add_middleware(
        Access,
        keyring=Keyring(settings.data, settings.admin_key, required=not settings.is_loopback),
        limits=KeyLimits(settings.key_most_in_flight, settings.key_most_per_minute),
        most_bytes=settings.most_upload_bytes,
        routes=routes,
        hosts=settings.allowed_hosts,
        origins=settings.cors_origins,
        count_refused=counts.count_refused,
    )
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(RequestLog, metrics=counts, routes=routes)
    app.add_middleware(SecurityHeaders, origins=settings.cors_origins)
    app.add_middleware(PathPrefix, prefix=settings.path_prefix)  # the last added is the outermost
    problems.install(app)
    for module in MODULES:
        app.include_router(module.router)
    return app
