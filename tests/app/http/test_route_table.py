"""What a route needs and costs is declared at the route, and looked up once."""

from __future__ import annotations

from pathlib import Path

import pytest
from route_samples import declared_route
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Scope

from app.http.route_table import Found, RouteTable
from app.routes import page
from app.server import create_app
from app.settings import Settings

TABLE = RouteTable(
    [
        declared_route("/videos", scope="read"),
        declared_route("/videos", "POST", "admin", "upload"),
        declared_route("/videos/{video_id}", "PATCH", "admin"),
        declared_route("/health", scope="open"),
        declared_route("/ping", "POST", "open"),
    ]
)


def undeclared(request: object) -> PlainTextResponse:
    return PlainTextResponse("")


@pytest.mark.parametrize("added", [Route("/new", undeclared), Mount("/files", app=PlainTextResponse(""))])
def test_a_route_that_declares_nothing_stops_the_start(
    added: BaseRoute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service is not even created; the message names the route and says what to add."""
    create_app(Settings(data=tmp_path))
    monkeypatch.setattr(page.router, "routes", [*page.router.routes, added])
    with pytest.raises(TypeError, match=r"/(new|files).*@needs"):
        create_app(Settings(data=tmp_path))


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/videos", Found("/videos", "read")),
        ("POST", "/videos", Found("/videos", "admin", "upload")),
        ("PATCH", "/videos/a", Found("/videos/{video_id}", "admin")),
        ("GET", "/health", Found("/health", "open")),
        ("PUT", "/videos", Found("/videos", "admin")),
        ("GET", "/videos/a", Found("/videos/{video_id}", "read")),
        ("POST", "/health", Found("/health", "admin")),
        ("HEAD", "/ping", Found("/ping", "open")),
        ("GET", "/nowhere", Found(None, "read")),
        ("POST", "/nowhere", Found(None, "admin")),
        ("get", "/health", Found("/health", "admin")),
    ],
)
def test_a_request_finds_what_its_route_declares(method: str, path: str, found: Found) -> None:
    """An unknown path or method costs nothing. It needs an admin's key, to read any key, on an open path none."""
    request: Scope = {"type": "http", "method": method, "path": path}
    assert TABLE.of(request) == found
    assert TABLE.of(request) is TABLE.of(request), "it was looked up twice"
