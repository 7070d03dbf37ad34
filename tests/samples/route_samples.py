"""Routes with a declaration, for tests of the middlewares alone."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.http.route_table import Cost, needs


def declared_route(
    path: str, method: str = "GET", scope: Literal["open", "read", "admin"] = "read", cost: Cost | None = None
) -> Route:
    """Return a route that answers nothing and declares what it needs and costs."""

    @needs(scope, cost)
    def endpoint(request: Request) -> Response:
        return PlainTextResponse("")

    return Route(path, endpoint, methods=[method])
