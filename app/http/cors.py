"""Let pages of the origins in ECHOLENS_CORS_ORIGINS use the service; of no other site."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from app.http.problems import problem

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
HEADERS = ("Authorization", "Idempotency-Key", "If-None-Match", "Range", "X-Request-ID")
EXPOSED = (
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "X-Request-ID",
)


class Cors(CORSMiddleware):
    """Answer preflights without a key, and refuse as a problem; pages send their key themselves, browsers none."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(app, origins, METHODS, HEADERS, allow_credentials=False, expose_headers=EXPOSED)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Say what a page of another site may send, or refuse it with 403."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return answer
        asked = f"{request_headers['access-control-request-method']} from {request_headers['origin']}"
        detail = f"{asked} given: {bytes(answer.body).decode()}; ECHOLENS_CORS_ORIGINS names the origins that may"
        return problem(403, "forbidden", detail, headers={"Vary": answer.headers["vary"]})
