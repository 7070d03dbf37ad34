"""Who may do what: every route x no key, a wrong key, a read-only key, an admin's; a route in no table fails."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import httpx2
import pytest
from route_samples import declared_route
from service_samples import assert_problem, serving
from starlette.routing import BaseRoute, Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.http import keys
from app.http.access import Access
from app.http.key_limits import KeyLimits
from app.http.keyring import Keyring
from app.http.route_table import RouteTable
from app.server import create_app
from app.settings import Settings

Need = Literal["nothing", "read", "admin"]
# What each route needs. Whoever adds a route adds its line; what changes anything needs an admin.
NEEDS: dict[tuple[str, str], Need] = {
    ("GET", "/health/live"): "nothing",
    ("GET", "/health/ready"): "nothing",
    ("GET", "/"): "read",
    ("GET", "/page/{name}"): "read",
    ("GET", "/openapi.json"): "read",
    ("HEAD", "/openapi.json"): "read",
    ("GET", "/errors"): "read",
    ("POST", "/retrieve"): "read",
    ("POST", "/retrieve/batch"): "read",
    ("POST", "/localize"): "read",
    ("POST", "/generate"): "read",
    ("GET", "/metrics"): "read",
    ("GET", "/metrics/mrr"): "read",
    ("POST", "/edit-list"): "read",
    ("GET", "/library"): "read",
    ("GET", "/latents/map"): "read",
    ("GET", "/alerts"): "admin",
    ("POST", "/alerts"): "admin",
    ("DELETE", "/alerts/{alert_id}"): "admin",
    ("GET", "/videos"): "read",
    ("POST", "/videos"): "admin",
    ("GET", "/videos/{video_id}"): "read",
    ("GET", "/videos/{video_id}/seconds/{start_s}"): "read",
    ("PATCH", "/videos/{video_id}"): "admin",
    ("DELETE", "/videos/{video_id}"): "admin",
    ("GET", "/videos/{video_id}/original"): "read",
    ("HEAD", "/videos/{video_id}/original"): "read",
    ("GET", "/videos/{video_id}/excerpt"): "read",
    ("HEAD", "/videos/{video_id}/excerpt"): "read",
    ("GET", "/videos/{video_id}/peaks"): "read",
    ("GET", "/videos/{video_id}/filmstrip.jpg"): "read",
    ("GET", "/videos/{video_id}/poster.jpg"): "read",
    ("GET", "/segments/{segment_id}"): "read",
    ("GET", "/segments/{segment_id}/frame.jpg"): "read",
    ("HEAD", "/segments/{segment_id}/frame.jpg"): "read",
    ("GET", "/segments/{segment_id}/sound.wav"): "read",
    ("HEAD", "/segments/{segment_id}/sound.wav"): "read",
    ("GET", "/jobs"): "read",
    ("POST", "/jobs"): "admin",
    ("DELETE", "/jobs/{job_id}"): "admin",
    ("POST", "/jobs/{job_id}/retry"): "admin",
    ("GET", "/jobs/{job_id}"): "read",
}
# What is no route needs a key all the same, so that nobody learns what is one; a read-only key changes nothing.
STRANGE: dict[tuple[str, str], Need] = {
    ("GET", "/nowhere"): "read",
    ("HEAD", "/nowhere"): "read",
    ("HEAD", "/videos"): "read",
    ("GET", "/health/live/"): "read",
    ("GET", "//health/live"): "read",
    ("GET", "/health/live/../../videos"): "read",
    ("GET", "/health/live%2F..%2F..%2Fvideos"): "read",
    ("GET", "/HEALTH/live"): "read",
    ("GET", "/health"): "read",
    ("POST", "/health/live"): "admin",
    ("DELETE", "/health/ready"): "admin",
    ("POST", "/nowhere"): "admin",
    ("POST", "/retrieve/"): "admin",
    ("POST", "/retrieve/x"): "admin",
    ("POST", "/Retrieve"): "admin",
    ("POST", "//retrieve"): "admin",
    ("PUT", "/retrieve"): "admin",
    ("DELETE", "/localize"): "admin",
    ("OPTIONS", "/videos"): "admin",
    ("TRACE", "/videos"): "admin",
    ("MADEUP", "/videos"): "admin",
}
ENOUGH: dict[str, tuple[Need, ...]] = {
    "none": ("nothing",),
    "wrong": ("nothing",),
    "revoked": ("nothing",),
    "read": ("nothing", "read"),
    "admin": ("nothing", "read", "admin"),
    "environment": ("nothing", "read", "admin"),
}


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """Serve a copy of the library to holders of all kinds of keys."""
    directory = tmp_path_factory.mktemp("locked")
    shutil.copytree(library, directory, dirs_exist_ok=True)
    revoked, was_good = keys.create(directory, "revoked", "admin")
    secrets = {scope: keys.create(directory, scope, scope)[1] for scope in keys.SCOPES}
    keys.revoke(directory, revoked.key_id)
    secrets |= {"wrong": secrets["admin"][:-1] + "_", "revoked": was_good, "environment": "chosen"}
    with serving(directory, api_key="chosen") as client:
        yield client, secrets


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route; what is of a kind that is not known here fails."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            assert not route.include_context.prefix  # type: ignore[attr-defined]
            yield from routes_of(included.routes)
        else:
            assert isinstance(route, Route), f"a route of an unknown kind: {route}"
            yield from ((method, route.path) for method in route.methods or ())


def test_every_route_has_its_line(tmp_path: Path) -> None:
    """The table and the application name the same routes; so does OpenAPI, as far as it goes."""
    app = create_app(Settings(data=tmp_path))
    assert set(routes_of(app.routes)) == set(NEEDS)
    described = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    assert described <= set(NEEDS)


@pytest.mark.usefixtures("any_number_of_wrong_keys")
@pytest.mark.parametrize("holder", ENOUGH)
def test_a_route_opens_to_whom_it_should(holder: str, holders: tuple[TestClient, dict[str, str]]) -> None:
    """401 without a good key, 403 where its scope is too small, an answer of the route's own otherwise."""
    client, secrets = holders
    headers = {"Authorization": f"Bearer {secrets[holder]}"} if holder != "none" else {}
    for (method, path), need in {**NEEDS, **STRANGE}.items():
        url = path.replace("{segment_id}", "999999").replace("{video_id}", "x").replace("{job_id}", "x")
        answer = client.request(method, url, headers=headers, follow_redirects=False)
        where = f"{method} {path} with the key {holder}: {answer.status_code} {answer.text[:200]}"
        assert outcome(answer) == expected(holder, need), where
        if answer.status_code in (401, 403) and method != "HEAD":
            code = "unauthorized" if answer.status_code == 401 else "not_allowed"
            assert_problem(answer, answer.status_code, code, *([] if answer.status_code == 401 else ["scope admin"]))


def test_on_loopback_without_keys_all_is_open(client: TestClient) -> None:
    """No route asks for a key that nobody made."""
    for method, path in NEEDS:
        if method in ("GET", "HEAD"):
            url = path.replace("{segment_id}", "999999").replace("{video_id}", "x").replace("{job_id}", "x")
            assert outcome(client.request(method, url)) == "passes", path


def test_a_new_route_is_an_admin_s_until_it_is_declared(tmp_path: Path) -> None:
    """Whatever the application has behind it, a read-only key gets through to nothing but what is declared."""
    _, secret = keys.create(tmp_path, "a", "read")
    routes = [declared_route(path, "POST", "read", "question") for path in ("/retrieve", "/retrieve/batch")]
    passed: list[tuple[str, str]] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append((scope["method"], scope["path"]))

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        pass

    access = Access(application, Keyring(tmp_path), KeyLimits(), 10, RouteTable(routes))
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "get", "")
    for method, path in itertools.product(methods, ("/new", "/retrieve", "/retrieve/batch", "/localize/new", "/jobs")):
        scope: Scope = {"type": "http", "method": method, "path": path, "headers": headers}
        asyncio.run(access(scope, receive, send))
    beyond = [(method, path) for method, path in passed if method not in ("GET", "HEAD")]
    assert beyond == [("POST", "/retrieve"), ("POST", "/retrieve/batch")]
    assert len(passed) == len(beyond) + 2 * 5


def outcome(answer: httpx2.Response) -> str:
    return {401: "401", 403: "403"}.get(answer.status_code, "passes")


def expected(holder: str, need: Need) -> str:
    if need in ENOUGH[holder]:
        return "passes"
    return "403" if holder == "read" else "401"
