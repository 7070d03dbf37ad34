"""GET /library."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.http.answers import written
from app.http.route_table import needs
from app.schemas.library import FrontEndAnswer, LibraryAnswer
from app.service import Current
from model.frontends.names import all_names
from model.frontends.registry import has_weights

router = APIRouter(tags=["library"])


@router.get("/library", response_model=LibraryAnswer)
@needs("read")
def get_library(service: Current, request: Request) -> Response:
    """Say what the library holds, what it is encoded by and what it can do."""
    overview, weights = service.overviews.current(), service.session.library.frontends
    front_ends = [
        FrontEndAnswer(name=name, current=name == overview.holdings.stats.frontend, ready=has_weights(name, weights))
        for name in all_names()
    ]
    roots = [str(root) for root in service.settings.ingest_roots]
    scope = service.scope_of(request)
    return written(LibraryAnswer.of(overview, front_ends, roots, service.settings.most_upload_bytes, scope))
