"""The frame of the page: views with addresses, nothing from elsewhere, nothing inline."""

from __future__ import annotations

import re

import pytest
from page_samples import OpenPage, Watched, overflowing, serious_findings
from playwright.sync_api import expect

VIEWS = {
    "#/ask": "Ask",
    "#/localize": "Where in a clip",
    "#/library": "Library",
    "#/map": "Map",
    "#/quality": "How good is it?",
}


@pytest.mark.parametrize(("place", "title"), VIEWS.items())
def test_every_view_has_an_address(open_page: OpenPage, place: str, title: str) -> None:
    """It opens by its address alone, and the navigation says where one is."""
    page = open_page(place)
    expect(page).to_have_title(f"{title} · Echolens")
    expect(page.locator("nav a[aria-current=page]")).to_have_text(title)


def test_back_returns_to_the_view_before(open_page: OpenPage) -> None:
    """As in any browser."""
    page = open_page("#/ask")
    page.get_by_role("link", name="Library").click()
    expect(page).to_have_title("Library · Echolens")
    page.go_back()
    expect(page).to_have_title("Ask · Echolens")


@pytest.mark.parametrize("place", VIEWS)
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(open_page: OpenPage, place: str, phone: bool, dark: bool) -> None:
    """Names, contrasts, roles, in every view; and nothing is wider than the window."""
    page = open_page(place, phone=phone, dark=dark)
    page.wait_for_load_state("networkidle")
    assert serious_findings(page) == []
    assert overflowing(page) <= 0


def test_the_first_tab_skips_to_the_content(open_page: OpenPage) -> None:
    """A keyboard need not go through the navigation each time."""
    page = open_page("#/library")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page).to_have_title("Library · Echolens")


def test_nothing_inline_runs(open_page: OpenPage, watched: Watched) -> None:
    """The policy stops a script and a style that get into the page all the same."""
    page = open_page()
    page.evaluate(
        """() => {
            document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}));
            document.body.insertAdjacentHTML('beforeend', '<p id=styled style="color: red">x</p>');
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.getElementById('styled')).color") != "rgb(255, 0, 0)"
    assert len([text for text in watched.problems() if re.search("Content Security Policy", text)]) == 2
    watched.allowed.append("Content Security Policy")


def test_where_the_service_is_gone_the_page_says_so(open_page: OpenPage, watched: Watched) -> None:
    """In words, with a way to try again."""
    page = open_page("#/quality")
    page.route("**/page/library.js", lambda route: route.abort())
    watched.allowed.append("Failed to load resource")
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.unroute("**/page/library.js")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
