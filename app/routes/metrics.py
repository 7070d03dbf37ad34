"""GET /metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.http.route_table import needs
from app.service import Current

router = APIRouter(tags=["health"])
TYPES = ("text/plain", "application/openmetrics-text")


@router.get("/metrics", response_class=Response, responses={200: {"content": {name: {} for name in TYPES}}})
@needs("read")
def get_metrics(service: Current, request: Request) -> Response:
    """Tell Prometheus what the service counts; OpenMetrics where `Accept` asks for it."""
    body, content_type = service.metrics.exposition(request.headers.get("accept", ""))
    return Response(body, 200, {"Cache-Control": "no-store", "Content-Type": content_type})
