"""What every answer tells a browser: nothing of the service runs, or is shown, where it should not be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from service_samples import assert_problem, serving
from starlette.testclient import TestClient

from app.http.headers import is_playable
from app.server import create_app
from app.settings import Settings
from index.library import CATALOGUE

POLICY = "content-security-policy"


def directives(policy: str) -> dict[str, list[str]]:
    """Return a policy's directives with their sources."""
    return {words[0]: words[1:] for words in (part.split() for part in policy.split(";"))}


def test_every_answer_has_them(client: TestClient) -> None:
    """Answers of routes, of the framework and of what stands before them."""
    for method, path, headers in (
        ("GET", "/", {}),
        ("GET", "/videos", {}),
        ("GET", "/health/live", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/nowhere", {}),
        ("PUT", "/videos", {}),
        ("GET", "/videos/x", {}),
        ("POST", "/retrieve", {}),
        ("POST", "/retrieve", {"Sec-Fetch-Site": "cross-site"}),
        ("POST", "/retrieve", {"Content-Length": str(2**40)}),
        ("GET", "/videos", {"Host": "evil.example"}),
    ):
        answer = client.request(method, path, headers=headers)
        found = {name: answer.headers.get_list(name) for name in ("x-content-type-options", "x-frame-options")}
        assert found == {"x-content-type-options": ["nosniff"], "x-frame-options": ["DENY"]}, (method, path)
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        policy = directives(answer.headers[POLICY])
        assert policy["default-src"] == policy["frame-ancestors"] == ["'none'"]


def test_an_unforeseen_error_has_them_too(tmp_path: Path) -> None:
    """500: a service whose lifespan never began."""
    client = TestClient(create_app(Settings(data=tmp_path)), "http://127.0.0.1", raise_server_exceptions=False)
    answer = client.get("/videos")
    assert_problem(answer, 500, "internal")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert POLICY in answer.headers


def test_the_page_takes_everything_from_the_service(client: TestClient) -> None:
    """The policy names no other host, and nothing inline runs."""
    policy = directives(client.get("/").headers[POLICY])
    assert policy["default-src"] == ["'none'"]
    assert all(policy[name] == ["'self'"] for name in ("script-src", "style-src", "connect-src"))
    assert all(policy[name] == ["'self'", "blob:"] for name in ("img-src", "media-src"))
    assert all(policy[name] == ["'none'"] for name in ("base-uri", "form-action", "frame-ancestors"))


@pytest.mark.parametrize(
    ("media_type", "disposition"),
    [
        ("video/mp4", "inline"),
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/xhtml+xml", "attachment"),
        ("application/octet-stream", "attachment"),
        ("application/pdf", "attachment"),
    ],
)
def test_an_original_runs_nothing(media_type: str, disposition: str, own_library: Path) -> None:
    """Whatever the catalogue takes a file for: no script in the service's origin; what does not play is downloaded."""
    with sqlite3.connect(own_library / CATALOGUE) as catalogue:
        catalogue.execute("UPDATE videos SET media_type = ?", (media_type,))
    catalogue.close()
    with serving(own_library) as client:
        video_id = client.get("/videos").json()["videos"][0]["video_id"]
        answer = client.get(f"/videos/{video_id}/original")
    policy = directives(answer.headers[POLICY])
    assert "allow-scripts" not in policy["sandbox"]
    assert "script-src" not in policy
    assert policy["default-src"] == ["'none'"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].split(";")[0] == disposition


def test_what_a_browser_would_run_is_not_played() -> None:
    """Sounds, films and pictures alone, and of those not the ones that are documents."""
    assert all(map(is_playable, ("audio/wav", "video/x-matroska", "image/png")))
    assert not any(map(is_playable, ("image/svg+xml", "text/html", "text/xml", "application/json", "")))
