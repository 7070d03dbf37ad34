"""The page in the hand: a finger scrolls over what it could move, hits what it means, and is told what it can do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from media_samples import tone, write_sound
from page_samples import MOST_WAIT_MS, Watched, overflowing
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

Point = tuple[float, float]
LEAST_PX = 24  # WCAG 2.2, 2.5.8
UPRIGHT, NARROW, ON_ITS_SIDE = (390, 844), (320, 640), (844, 390)
PLACES = ["#/ask", "#/ask?segment=1&by=audio&find=visual", "#/localize", "#/library", "#/map", "#/quality"]
TOO_SMALL = """(least) => [...document.querySelectorAll('a, button, summary, label, input, [role=slider]')]
    .filter((one) => !one.closest('.unseen') && !one.matches('.skip, .window, .drop input, .pick input, .file input'))
    .filter((one) => !(one.tagName === 'INPUT' && one.closest('label')?.getBoundingClientRect().height >= least))
    .filter((one) => one.checkVisibility())
    .map((one) => [one, one.getBoundingClientRect()])
    .filter(([, { width, height }]) => width < least || height < least)
    .map(([one, { width, height }]) => `${one.outerHTML.slice(0, 80)} ${width} x ${height}`)"""


class Hand:
    """A finger on the screen of a phone: it drags from one place to another by way of steps, as the browser sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._touch: CDPSession = page.context.new_cdp_session(page)

    def drag(self, *way: Point) -> None:
        """Put the finger down on the first place, go to each other in steps, and lift it."""
        self._send("touchStart", way[0])
        for (from_x, from_y), (to_x, to_y) in itertools.pairwise(way):
            for step in range(1, 11):
                self._send("touchMove", (from_x + (to_x - from_x) * step / 10, from_y + (to_y - from_y) * step / 10))
                self.page.wait_for_timeout(16)
        self._touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        self.page.wait_for_timeout(200)

    def _send(self, kind: str, place: Point) -> None:
        points = [{"x": place[0], "y": place[1]}]
        self._touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.fixture
def phone(browser: Browser, live: str, watched: Watched) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a place on a phone: phone("#/map", size=ON_ITS_SIDE, text="200%")."""
    contexts = []

    def opened(place: str, size: tuple[int, int] = UPRIGHT, text: str | None = None) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True, device_scale_factor=2
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MOST_WAIT_MS)
        watched.watch(page)
        page.goto(live + place)
        page.locator("main > .view > *").first.wait_for()
        if text:
            page.evaluate("(size) => (document.documentElement.style.fontSize = size)", text)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watched.problems() == []


def box_of(one: Locator) -> dict[str, float]:
    """Return where something is seen."""
    box: Any = one.bounding_box()
    assert box is not None
    return dict(box)


def scrolled(page: Page) -> float:
    """Return how far the page is scrolled down."""
    return float(page.evaluate("scrollY"))


def ask_by_sound(page: Page, tmp_path: Path, length_s: int = 8) -> Locator:
    """Ask by a sound of one's own; return the window over its waveform."""
    sound = write_sound(tmp_path / "tone.wav", tone(length_s, 44100, 440), 44100)
    page.locator("input[type=file]").first.set_input_files(sound)
    page.locator(".hits .card").first.wait_for()
    return page.locator(".window")


def walked(page: Page) -> Locator:
    """Open a clip; return the words over its bars."""
    page.locator(".cards .card a, .cards .card button").first.tap()
    page.locator(".bars").wait_for()
    return page.locator(".plots .at-hand").first


def test_a_scroll_that_begins_on_a_lane_asks_nothing_anew(phone: Callable[..., Page], tmp_path: Path) -> None:
    """The lane is as wide as the phone: a thumb that scrolls over it leaves the window where it was."""
    page = phone("#/ask")
    window = ask_by_sound(page, tmp_path)
    window.focus()
    for _ in range(5):
        window.press("Shift+ArrowLeft")
    page.locator(".hits .card").first.wait_for()
    before, place, box = window.get_attribute("aria-valuetext"), page.url, box_of(page.locator(".track"))
    right, middle = box["x"] + box["width"] - 40, box["y"] + box["height"] / 2
    Hand(page).drag((right, middle), (right - 3, middle - 160))
    assert scrolled(page) > 50
    assert window.get_attribute("aria-valuetext") == before
    assert page.url == place


def test_a_finger_still_draws_and_taps_a_window(phone: Callable[..., Page], tmp_path: Path) -> None:
    """Sideways: the page stays where it is."""
    page = phone("#/ask")
    window = ask_by_sound(page, tmp_path)
    window.focus()
    for _ in range(6):
        window.press("Shift+ArrowLeft")
    box = box_of(page.locator(".track"))
    second, middle = box["width"] / 8, box["y"] + box["height"] / 2
    Hand(page).drag((box["x"] + 4.5 * second, middle), (box["x"] + 6.5 * second, middle + 8))
    expect(window).to_have_attribute("aria-valuetext", "0:04–0:07, 3 seconds")
    page.touchscreen.tap(box["x"] + 2.5 * second, middle)
    expect(window).to_have_attribute("aria-valuetext", "0:02–0:03, 1 seconds")
    assert scrolled(page) == 0


def test_a_finger_slides_a_window_that_is_as_narrow_as_itself(phone: Callable[..., Page], tmp_path: Path) -> None:
    """In its middle it moves; its ends are taken hold of beside it."""
    page = phone("#/ask")
    window = ask_by_sound(page, tmp_path, length_s=10)
    window.focus()
    for _ in range(9):
        window.press("Shift+ArrowLeft")
    for _ in range(4):
        window.press("ArrowRight")
    expect(window).to_have_attribute("aria-valuetext", "0:04–0:05, 1 seconds")
    box = box_of(window)
    middle, hand = box["y"] + box["height"] / 2, Hand(page)
    hand.drag((box["x"] + box["width"] - 8, middle), (box["x"] + 3 * box["width"] - 8, middle))
    expect(window).to_have_attribute("aria-valuetext", "0:06–0:07, 1 seconds")
    box = box_of(window)
    hand.drag((box["x"] + box["width"] + 9, middle), (box["x"] + 2 * box["width"] + 9, middle))
    expect(window).to_have_attribute("aria-valuetext", "0:06–0:08, 2 seconds")


def test_a_scroll_that_begins_on_the_bars_chooses_nothing(phone: Callable[..., Page]) -> None:
    """A finger walks them sideways; up and down it scrolls, and what was chosen stays."""
    page = phone("#/localize")
    told = walked(page)
    page.locator(".bars").scroll_into_view_if_needed()
    box, hand = box_of(page.locator(".bars")), Hand(page)
    left, middle = box["x"] + 8, box["y"] + box["height"] / 2
    hand.drag((left, middle), (left + box["width"] / 2, middle))
    before, top = told.text_content(), scrolled(page)
    hand.drag((left, middle), (left + 2, middle + 160))
    assert scrolled(page) < top - 50
    assert told.text_content() == before


def test_the_deeds_of_a_row_lie_in_it(phone: Callable[..., Page]) -> None:
    """Delete of one recording is not beside Open of the next; also with large text, and on the narrowest phone."""
    for size, text in ((UPRIGHT, None), (NARROW, None), (UPRIGHT, "200%")):
        page = phone("#/library", size=size, text=text)
        page.locator(".space").evaluate("(list) => list.scrollIntoView()")  # only rows in view are drawn
        row = page.locator(".video").nth(1)
        row.get_by_role("button", name="Delete").wait_for()
        row.scroll_into_view_if_needed()
        frame = box_of(row)
        following = box_of(page.locator(".video").nth(2))
        assert following["y"] == pytest.approx(frame["y"] + frame["height"], abs=1)
        for deed in row.locator("a, button, p").all():
            box = box_of(deed)
            assert frame["y"] <= box["y"]
            assert box["y"] + box["height"] <= frame["y"] + frame["height"]
            assert frame["x"] <= box["x"]
            assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
        for deed in row.locator("a, button").all():
            assert box_of(deed)["height"] >= 44


def test_what_a_lasso_chose_comes_into_view(phone: Callable[..., Page]) -> None:
    """The map fills the screen: the field that labels lies below it."""
    page = phone("#/map")
    page.get_by_text("draw a lasso").tap()
    box = box_of(page.locator("canvas.plane"))
    left, top, right, bottom = box["x"] + 3, box["y"] + 3, box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    bottom = min(bottom, 830)
    Hand(page).drag((left, top), (right, top), (right, bottom), (left, bottom), (left, top + 9))
    chosen = page.get_by_role("region", name="What is chosen")
    expect(chosen).to_be_visible()
    expect(chosen.get_by_role("button", name="Choose nothing")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("place", PLACES)
def test_a_finger_hits_what_it_means(phone: Callable[..., Page], place: str) -> None:
    """All that can be tapped is at least 24 px wide and high."""
    page = phone(place)
    page.wait_for_timeout(1000)
    assert page.evaluate(TOO_SMALL, LEAST_PX) == []


def test_a_phone_is_told_of_no_keys(phone: Callable[..., Page]) -> None:
    """A finger drags a window; a hint of keys is of no use."""
    page = phone("#/localize")
    walked(page)
    told = page.locator(".lane-name").first.inner_text()
    assert "Drag to change it" in told
    assert "arrow" not in told


@pytest.mark.parametrize("place", ["#/ask", "#/localize", "#/library", "#/imagine", "#/map"])
def test_a_phone_is_not_told_to_drop_click_or_hover(phone: Callable[..., Page], place: str) -> None:
    """A finger can do none of them."""
    page = phone(place)
    page.wait_for_timeout(1000)
    told = page.locator("main").inner_text().lower()
    assert [word for word in ("drop", "click", "paste", "hover") if word in told] == []


@pytest.mark.parametrize("place", ["#/map", "#/ask?segment=1&by=audio&find=visual", "#/localize"])
def test_large_text_breaks_no_word_of_a_choice(phone: Callable[..., Page], place: str) -> None:
    """At twice the size the choices stand in several lines instead."""
    page = phone(place, text="200%")
    if place == "#/localize":
        walked(page)
    labels = page.locator(".pick label")
    labels.first.wait_for()
    assert overflowing(page) <= 0
    for label in labels.all():
        longest = label.evaluate(
            """(label) => {
                const range = document.createRange();
                const text = label.lastChild;
                return [...text.data.matchAll(/\\S+/g)].filter(({ 0: word, index }) => {
                    range.setStart(text, index);
                    range.setEnd(text, index + word.length);
                    return range.getClientRects().length > 1;
                }).map(([word]) => word);
            }"""
        )
        assert longest == []
