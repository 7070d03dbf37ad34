"""The page at /: one small file, nothing from elsewhere, no markup from data, only routes that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.routes import page
from app.server import create_app
from app.settings import Settings

MOST_LINES = 250
LONGEST_LINE = 140
PLACEHOLDER = re.compile(r"\$?\{[^}]*\}")  # {video_id} in OpenAPI, ${id} in the page's templates
MARKUP_FROM_TEXT = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(")


@pytest.fixture(scope="module")
def text() -> str:
    return page.PAGE.read_text(encoding="utf-8")


def fetched_paths(text: str) -> set[str]:
    """Return the paths that stand in the script as whole strings, without query, each placeholder as {}.

    They are relative, without a first slash: a proxy may show the page below a path.
    """
    script = text.partition("<script")[2]
    found = re.findall(r"""fetchJson\((['"`])([^'"`]+)\1""", script) + re.findall(r"(`)([a-z]+/\${[^`]*)`", script)
    return {f"/{PLACEHOLDER.sub('{}', path).partition('?')[0].partition('#')[0]}" for _, path in found}


def test_the_page_is_sent_as_html_from_one_file(text: str) -> None:
    """GET / answers the file itself, as HTML."""
    answer = page.get_page()

    assert answer.media_type == "text/html"
    assert Path(answer.path) == page.PAGE
    assert text.startswith("<!doctype html>")


def test_the_page_is_one_short_readable_file(text: str) -> None:
    """The page stays within 250 lines, none longer than 140 characters."""
    lines = text.splitlines()

    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= LONGEST_LINE


def test_the_page_refers_to_no_other_host(text: str) -> None:
    """No address with a host, no import, no style sheet or script of another file."""
    assert re.findall(r"(?:https?:|wss?:)?//[\w.-]+\.\w+", text) == []
    assert re.findall(r"<script[^>]*\ssrc|<link[^>]*stylesheet|@import|url\(|\bimport\b", text) == []


def test_the_browser_is_told_to_load_nothing_from_elsewhere(text: str) -> None:
    """The content security policy names no source but the service itself and what the page holds."""
    policy = re.search(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"', text)

    assert policy is not None
    assert policy.group(1).split() == ["default-src", "'self'", "blob:", "data:", "'unsafe-inline'"]


@pytest.mark.parametrize("name", MARKUP_FROM_TEXT)
def test_no_text_becomes_markup(text: str, name: str) -> None:
    """File names and labels are untrusted: nothing in the page parses text as markup or runs it."""
    assert name not in text


def test_the_page_asks_only_routes_that_exist(text: str, tmp_path: Path) -> None:
    """Every path that the script fetches or shows is a route of the application."""
    routes = create_app(Settings(data=tmp_path)).openapi()["paths"]
    known = {PLACEHOLDER.sub("{}", path) for path in routes}
    fetched = fetched_paths(text)

    assert {"/retrieve", "/localize", "/videos", "/videos/{}", "/jobs/{}", "/metrics/mrr"} <= fetched
    assert fetched <= known


def test_no_address_in_the_page_begins_at_the_host(text: str) -> None:
    """Below a path of a proxy, such an address would lead out of the service."""
    assert re.findall(r"""(?:fetch(?:Json)?\(|href=|src=|original: |[?:] )['"`]/[^'"`]*""", text) == []


def test_every_control_has_a_label(text: str) -> None:
    """Every input stands inside a label, so that a screen reader names it."""
    labelled = "".join(re.findall(r"<label.*?</label>", text, re.DOTALL))

    assert text.count("<input") == labelled.count("<input") > 0
