"""The page's files: sent as they are, nothing from elsewhere, no markup from data, only routes that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.routes import page
from app.server import create_app
from app.settings import Settings

MOST_BYTES = 300_000
LONGEST_LINE = 120
PLACEHOLDER = re.compile(r"\$?\{[^}]*\}")  # {video_id} in OpenAPI, ${id} in the page's templates
MARKUP_FROM_TEXT = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(")
FILES = [page.PAGE / "index.html", *page.FILES.values()]
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
ASKED = re.compile(r"""\b(?:read|send|post|fetchFile|upload)\((?:'[A-Z]+', )?(['"`])([^'"`]+)\1""")


def asked_paths(script: str) -> set[str]:
    """Return the paths that a script asks, without query, each placeholder as {}."""
    return {f"/{PLACEHOLDER.sub('{}', path).partition('?')[0].partition('#')[0]}" for _, path in ASKED.findall(script)}


def test_every_file_is_sent_as_it_is(client: TestClient) -> None:
    """With its type; it is asked for each time, and sent only where it changed."""
    for path in FILES:
        place = "/" if path.name == "index.html" else f"/page/{path.name}"
        answer = client.get(place)
        assert answer.text == path.read_text(encoding="utf-8")
        assert answer.headers["cache-control"] == "private, no-cache"
        assert client.get(place, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("name", ["none.js", "index.html", "..%2froutes%2fpage.py"])
def test_nothing_else_is_sent(client: TestClient, name: str) -> None:
    """The names of the page's files, and no path."""
    assert client.get(f"/page/{name}").status_code == 404


def test_the_page_is_small() -> None:
    """Without media it takes less than 300 KB."""
    assert sum(path.stat().st_size for path in FILES) < MOST_BYTES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_of_the_page_refers_to_no_other_host(path: Path) -> None:
    """No address with a host; none begins at the host's root, which would lead out from below a proxy's path."""
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:|wss?:)//[\w.-]+", text) == []
    assert re.findall(r"""(?:href|src)=["']/|@import|url\((?!["']?data:)""", text) == []
    assert max(map(len, text.splitlines())) <= LONGEST_LINE


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize("name", MARKUP_FROM_TEXT)
def test_no_text_becomes_markup(path: Path, name: str) -> None:
    """File names and labels are untrusted: nothing in the page parses text as markup or runs it."""
    assert name not in path.read_text(encoding="utf-8")


def test_the_page_asks_only_routes_that_exist(tmp_path: Path) -> None:
    """Every path that a script asks is a route of the application."""
    routes = create_app(Settings(data=tmp_path)).openapi()["paths"]
    known = {PLACEHOLDER.sub("{}", path) for path in routes}
    assert set().union(*(asked_paths(path.read_text(encoding="utf-8")) for path in SCRIPTS)) <= known


def test_the_markup_has_no_inline_style_or_handler() -> None:
    """The policy would stop them."""
    markup = (page.PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<[^>]*\s(style|on\w+)=|javascript:|<style|<script(?![^>]*src=)", markup)
