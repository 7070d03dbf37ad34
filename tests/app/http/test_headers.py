"""What every answer tells a browser: nothing of the service runs, or is shown, where it should not be."""

from __future__ import annotations

import base64
import hashlib
import re
import sqlite3
from pathlib import Path

import pytest
from service_samples import assert_problem, serving
from starlette.testclient import TestClient

from app.http.headers import is_playable, page_policy
from app.routes.page import PAGE
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


def test_the_page_runs_its_own_script_and_no_other(client: TestClient) -> None:
    """The policy names its two blocks by what they hold, as they are sent; no inline source, no other host."""
    answer = client.get("/")
    policy = directives(answer.headers[POLICY])
    for tag in ("script", "style"):
        (block,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == [f"'sha256-{digest}'"]
    assert not re.search(r"unsafe|https?:|\*", answer.headers[POLICY])
    assert set(policy["img-src"]) == {"'self'", "blob:", "data:"}
    assert set(policy["media-src"]) == {"'self'", "blob:"}
    assert policy["connect-src"] == ["'self'"]
    assert all(policy[name] == ["'none'"] for name in ("base-uri", "form-action"))


def test_another_script_has_another_policy() -> None:
    """One letter in a block changes its hash: what is put into the page does not run."""
    html = PAGE.read_text(encoding="utf-8")
    assert page_policy(html) != page_policy(html.replace("const $ =", "const  $ ="))
    assert page_policy("<script>a</script><script type=module>b</script>").count("'sha256-") == 2


def test_the_page_has_no_inline_style_or_handler_in_its_markup() -> None:
    """The policy would stop them: style attributes, on... attributes, javascript: links."""
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"<[^>]*\s(style|on\w+)=|javascript:", markup)


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
