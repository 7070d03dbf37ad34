"""Behind a proxy that shows the service below a path, every link leads back through the proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from service_samples import serving
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.prefix import plain_prefix
from app.routes import page

LENS, HOST = "/lens/", "http://127.0.0.1"


def proxy(service: ASGIApp, strips: bool, headers: dict[str, str], at: str = LENS) -> ASGIApp:
    """Make what shows a service below a path, as nginx does; elsewhere there is nothing."""

    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(at):
            await send({"type": "http.response.start", "status": 418, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        inside = dict(scope)
        cut = len(at) - 1 if strips else 0
        inside |= {"path": scope["path"][cut:], "raw_path": scope["raw_path"][cut:]}
        inside["headers"] = [*scope["headers"], *((k.encode(), v.encode()) for k, v in headers.items())]
        await service(inside, receive, send)

    return forward


@contextmanager
def shown(library: Path, strips: bool, headers: dict[str, str], **settings: Any) -> Iterator[TestClient]:
    with serving(library, **settings) as client:
        yield TestClient(proxy(client.app, strips, headers), base_url=HOST, follow_redirects=False)


WAYS: dict[str, tuple[bool, dict[str, str], dict[str, Any]]] = {
    "prefix taken away, no header": (True, {}, {}),
    "prefix taken away, header": (True, {"x-forwarded-prefix": "/lens"}, {}),
    "prefix taken away, header with a slash": (True, {"x-forwarded-prefix": "/lens/"}, {}),
    "prefix taken away, setting": (True, {}, {"path_prefix": "/lens"}),
    "prefix kept, setting": (False, {}, {"path_prefix": "/lens/"}),
    "prefix kept, header": (False, {"x-forwarded-prefix": "/lens"}, {}),
    "prefix taken away, a header that is none": (True, {"x-forwarded-prefix": "//evil.example/"}, {}),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, own_library: Path) -> Iterator[TestClient]:
    strips, headers, settings = WAYS[request.param]
    with shown(own_library, strips, headers, **settings) as client:
        yield client


def links_in(answer: Any) -> Iterator[str]:
    """Yield every link of a JSON answer."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in ("frame", "sound", "original", "type") and isinstance(value, str):
                yield value
            else:
                yield from links_in(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from links_in(value)


def test_every_link_of_every_answer_leads_somewhere(way: TestClient, footage: list[Path]) -> None:
    """Resolved as a browser does: frames, sounds, originals, types of problems."""
    video = way.get("/lens/videos").json()["videos"][0]["video_id"]
    answers = [
        way.get("/lens/videos?limit=2"),
        way.get(f"/lens/videos/{video}"),
        way.patch(f"/lens/videos/{video}", json={"label": "owl"}),
        way.post("/lens/retrieve", data={"query_modality": "audio"}, files={"file": footage[0].read_bytes()}),
        way.post("/lens/retrieve/batch", data={"query_modality": "audio"}, files=[("files", footage[0].read_bytes())]),
        way.get("/lens/videos/none"),
        way.get("/lens/nowhere/at/all"),
    ]
    for answer in answers:
        found = list(links_in(answer.json()))
        assert found, answer.text
        for link in found:
            led = way.get(urljoin(str(answer.request.url), link))
            assert led.status_code == 200, (str(answer.request.url), link)


def test_locations_lead_to_the_job(way: TestClient, footage: list[Path]) -> None:
    """Of an upload, and of the framework's own redirects."""
    answer = way.post("/lens/videos", files={"file": footage[0].read_bytes()})
    assert answer.status_code == 202
    assert way.get(urljoin(str(answer.request.url), answer.headers["location"])).json()["kind"] == "ingest"
    moved = way.get("/lens/videos/?limit=1")
    assert moved.status_code == 307
    assert urljoin(str(moved.request.url), moved.headers["location"]) == f"{HOST}/lens/videos?limit=1"


def test_the_page_and_what_it_asks_are_there(way: TestClient) -> None:
    """The page's calls are relative to it; the description says where the service is."""
    answer = way.get(LENS)
    assert answer.text == (page.PAGE / "index.html").read_text(encoding="utf-8")
    for path in ("page/main.js", "page/style.css", "videos?limit=12", "metrics/mrr", "health/live"):
        assert way.get(urljoin(f"{HOST}{LENS}", path)).status_code in (200, 409), path
    described = way.get("/lens/openapi.json")
    (server,) = described.json()["servers"]
    assert way.get(urljoin(str(described.request.url), f"{server['url']}/videos")).status_code == 200


def test_the_prefix_alone_leads_to_the_page(own_library: Path) -> None:
    """Without its slash the page's own addresses would begin one step too high."""
    with serving(own_library, path_prefix="/lens") as client:
        answer = client.get("/lens", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (308, "/lens/")
        assert client.get("/lens?a=1&b=2", follow_redirects=False).headers["location"] == "/lens/?a=1&b=2"


def test_with_a_setting_links_are_whole_paths(own_library: Path) -> None:
    """For clients that put an address and a path together; / means that there is no prefix."""
    for prefix, root in (("/lens", "/lens/"), ("/a/b/", "/a/b/"), ("/", "/")):
        with serving(own_library, path_prefix=prefix) as client:
            video = client.get("/videos").json()["videos"][0]
            assert video["original"] == f"{root}videos/{video['video_id']}/original"


def test_a_proxy_behind_a_proxy(own_library: Path) -> None:
    """The outermost prefix comes first."""
    with serving(own_library, path_prefix="/lens") as client:
        video = client.get("/videos", headers={"X-Forwarded-Prefix": "/a, /b/"}).json()["videos"][0]
        assert video["original"].startswith("/a/b/videos/")


NO_PREFIX = ["lens", "//evil.example", "/a//b", "/..", "/a/../b", "/a b", "http://x/", "/ä", "/a?b", "/a#b", "/.", "\\"]


@pytest.mark.parametrize("given", NO_PREFIX)
def test_what_is_no_prefix_is_refused(given: str, own_library: Path) -> None:
    """As a setting with a reason; as a header it is passed over: no link may lead to another host."""
    with pytest.raises(ValueError, match="expected"):
        plain_prefix(given)
    with serving(own_library) as client:
        answer = client.get("/videos", headers={"X-Forwarded-Prefix": given.encode()})  # type: ignore[dict-item]
        link = urljoin(str(answer.request.url), answer.json()["videos"][0]["original"])
        assert urlsplit(link).path.startswith("/videos/")
        assert urlsplit(link).netloc == "127.0.0.1"


HEADS = re.compile(r"\{[^}]*\}")


def test_head_answers_as_get_without_the_body(client: TestClient) -> None:
    """On every route that answers GET: the same status and headers, and no byte of the body."""
    video = client.get("/videos").json()["videos"][0]["video_id"]
    segment = client.get(f"/videos/{video}").json()["segments"][1]["segment_id"]
    values = {"{video_id}": video, "{segment_id}": str(segment), "{job_id}": "none", "{name}": "x"}
    paths = [path for path, methods in client.get("/openapi.json").json()["paths"].items() if "get" in methods]
    for path in ["/", "/errors", "/openapi.json", *paths]:
        asked = HEADS.sub(lambda found: values.get(found[0], "x"), path)
        got, head = client.get(asked), client.head(asked)
        assert (head.status_code, head.content) == (got.status_code, b""), asked
        assert head.headers.get("content-type") == got.headers.get("content-type"), asked
        if path in ("/", "/health/live"):
            assert head.headers["content-length"] == str(len(got.content))


def test_head_needs_the_same_key_as_get(own_library: Path) -> None:
    """And a path without GET has no HEAD; the description names HEAD only where a route has its own."""
    with serving(own_library, host="0.0.0.0", api_key="secret") as client:
        assert client.head("/").status_code == client.head("/videos").status_code == 401
        assert client.head("/health/live").status_code == 200
        answer = client.head("/retrieve", headers={"Authorization": "Bearer secret"})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        described = client.get("/openapi.json", headers={"Authorization": "Bearer secret"}).json()["paths"]
    assert sum("head" in methods for methods in described.values()) == 4
