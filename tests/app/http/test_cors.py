"""Pages of other sites: none may use the service, but those of the origins that a setting names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from service_samples import assert_problem, serving
from starlette.testclient import TestClient

from app.http import keys
from app.http.cors import HEADERS, METHODS
from app.server import create_app
from app.settings import Settings

ORIGIN = "https://archive.example.org"
ALLOW = "access-control-allow-origin"
FORM = {"target": (None, "visual"), "segment_id": (None, "1")}


def preflight(client: TestClient, origin: str, method: str = "POST", *headers: str) -> object:
    asked = {"Access-Control-Request-Headers": ", ".join(headers)} if headers else {}
    sent = {"Origin": origin, "Access-Control-Request-Method": method, "Sec-Fetch-Site": "cross-site", **asked}
    return client.options("/retrieve", headers=sent)


@pytest.fixture(scope="module")
def shared_out(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """Serve to one other origin, with a key."""
    directory = tmp_path_factory.mktemp("cors")
    shutil.copytree(library, directory, dirs_exist_ok=True)
    _, secret = keys.create(directory, "page", "read")
    with serving(directory, cors_origins=(ORIGIN,)) as client:
        yield client, secret


def test_nobody_is_let_in_by_default(client: TestClient) -> None:
    """No answer allows an origin, a preflight least of all."""
    assert_problem(preflight(client, ORIGIN), 403, "forbidden")
    answer = client.get("/videos", headers={"Origin": ORIGIN})
    assert ALLOW not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_preflight_needs_no_key(shared_out: tuple[TestClient, str]) -> None:
    """Browsers send none with it; the answer names the methods and headers that the service has."""
    client, _ = shared_out
    answer = preflight(client, ORIGIN, "DELETE", "authorization", "content-type", "idempotency-key")
    assert answer.status_code == 200
    assert answer.headers[ALLOW] == ORIGIN
    assert set(answer.headers["access-control-allow-methods"].split(", ")) == set(METHODS)
    assert set(HEADERS) <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight_of_what_is_not_allowed_is_a_problem(shared_out: tuple[TestClient, str]) -> None:
    """Another origin, method or header: 403, and nothing is allowed to another origin."""
    client, _ = shared_out
    for origin in ("https://evil.example", f"{ORIGIN}.evil.example", "http://archive.example.org", "null"):
        answer = preflight(client, origin)
        assert_problem(answer, 403, "forbidden", origin, "ECHOLENS_CORS_ORIGINS")
        assert ALLOW not in answer.headers
    assert_problem(preflight(client, ORIGIN, "PUT"), 403, "forbidden", "method")
    assert_problem(preflight(client, ORIGIN, "GET", "x-other"), 403, "forbidden", "headers")


def test_an_allowed_page_asks_with_its_key_and_reads_refusals(shared_out: tuple[TestClient, str]) -> None:
    """The check for other sites lets it through; the key is asked for all the same, and it can read that."""
    client, secret = shared_out
    page = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}
    good = client.post("/retrieve", files=FORM, headers={**page, "Authorization": f"Bearer {secret}"})
    refused = client.post("/retrieve", files=FORM, headers=page)
    small = client.delete("/videos/x", headers={**page, "Authorization": f"Bearer {secret}"})
    assert (good.status_code, refused.status_code, small.status_code) == (200, 401, 403)
    for answer in (good, refused, small):
        assert answer.headers[ALLOW] == ORIGIN
        assert "Origin" in answer.headers["vary"]
        assert "cross-origin-resource-policy" not in answer.headers
    assert "Retry-After" in good.headers["access-control-expose-headers"]


def test_other_pages_stay_out(shared_out: tuple[TestClient, str]) -> None:
    """With a key or not they change nothing and read nothing."""
    client, secret = shared_out
    page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {secret}"}
    answer = client.post("/retrieve", files=FORM, headers=page)
    assert_problem(answer, 403, "forbidden")
    assert ALLOW not in answer.headers
    assert ALLOW not in client.get("/videos", headers=page).headers


def test_the_methods_are_those_of_the_service(tmp_path: Path) -> None:
    """No more and no fewer than its routes have."""
    described = create_app(Settings(data=tmp_path)).openapi()["paths"].values()
    assert {method.upper() for methods in described for method in methods} == set(METHODS)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "example.org",
        "https://*.example.org",
        "https://example.org/",
        "https://Example.org",
        "https://example.org/a",
        "ftp://example.org",
        "https://",
        "https://a@example.org",
        "https://example.org:443",
        "http://example.org:80",
        "http://[",
    ],
)
def test_an_origin_is_exact(origin: str, tmp_path: Path) -> None:
    """What no browser would send, or would stand for many, is refused at the start."""
    with pytest.raises(ValidationError, match="exact origin"):
        Settings(data=tmp_path, cors_origins=(ORIGIN, origin))


def test_origins_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a JSON list; ports that are not the scheme's own are part of an origin."""
    monkeypatch.setenv("ECHOLENS_CORS_ORIGINS", f'["{ORIGIN}", "http://localhost:3000", "http://[::1]:3000"]')
    assert Settings(data=tmp_path).cors_origins == (ORIGIN, "http://localhost:3000", "http://[::1]:3000")
