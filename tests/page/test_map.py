"""Map: a point is seen and heard where it lies; a lasso or a name of the legend chooses points that get a label."""

from __future__ import annotations

import re
from typing import Any

import pytest
from page_samples import OpenPage, overflowing, serious_findings
from playwright.sync_api import Locator, Page, Route, expect

CORNERS = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]


@pytest.fixture
def four(live: str, open_page: OpenPage) -> Any:
    """Return a function that opens a map of four points, in the corners: two sounds, then two pictures."""

    def opened(**how: bool) -> Page:
        def answer(route: Route) -> None:
            told = route.fetch().json()
            first = [0, 1, told["sounds"], told["sounds"] + 1]
            columns = {name: [column[n] for n in first] for name, column in told["points"].items()}
            columns |= {"x": [x for x, _ in CORNERS], "y": [y for _, y in CORNERS], "cluster": [0, 0, 1, -1]}
            cluster = {"size": 2, "typical": [0], "concepts": [], "labels": []}
            dog = [{"concept": name, "strength": 0.5} for name in ("dog", "bark", "animal")]
            clusters = [cluster | {"concepts": dog}, cluster | {"labels": ["garden"], "concepts": dog}]
            route.fulfill(json=told | {"points": columns, "sounds": 2, "clusters": clusters})

        page = open_page("#/quality", **how)
        page.route("**/latents/map*", answer)
        page.evaluate("location.hash = '#/map'")
        page.locator("canvas.plane").wait_for()
        page.locator("canvas.plane").scroll_into_view_if_needed()
        return page

    return opened


def place_of(page: Page, corner: int) -> dict[str, float]:
    """Return where on the canvas a corner's point is drawn."""
    box = page.locator("canvas.plane").bounding_box()
    assert box
    side = 0.94 * min(box["width"], box["height"])
    x, y = CORNERS[corner]
    return {"x": box["width"] / 2 + (x - 0.5) * side, "y": box["height"] / 2 + (y - 0.5) * side}


def glance(page: Page) -> Locator:
    """Return what is shown of a point."""
    return page.locator(".glance")


def draw_lasso(page: Page, around: int) -> None:
    """Drag around one corner."""
    box, middle = page.locator("canvas.plane").bounding_box(), place_of(page, around)
    assert box
    steps = [(-9, -9), (9, -9), (9, 9), (-9, 9), (-9, -8)]
    for number, (dx, dy) in enumerate(steps):
        page.mouse.move(box["x"] + middle["x"] + dx, box["y"] + middle["y"] + dy, steps=4)
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def test_a_picture_moves_where_its_point_lies(four: Any) -> None:
    """Without sound until Space; it is gone when the pointer leaves."""
    page = four()
    page.locator("canvas.plane").hover(position=place_of(page, 2))
    moving = glance(page).locator(".glimpse")
    expect(moving).to_have_class(re.compile("moves"))
    expect(glance(page)).to_contain_text(re.compile(r"Picture at \d:\d\d of"))
    expect(moving).to_have_js_property("muted", True)
    page.keyboard.press("Space")
    expect(moving).to_have_js_property("muted", False)
    page.mouse.move(0, 0)
    expect(glance(page)).to_be_hidden()
    expect(moving).to_have_count(0)


def test_a_sound_is_a_waveform_that_space_plays(four: Any) -> None:
    """A line goes along; Escape takes it away."""
    page = four()
    page.locator("canvas.plane").hover(position=place_of(page, 0))
    expect(glance(page).locator(".waved canvas")).to_be_visible()
    expect(glance(page).locator(".playhead")).to_be_hidden()
    page.keyboard.press("Space")
    expect(glance(page).locator(".playhead")).to_be_visible()
    assert serious_findings(page) == []
    page.keyboard.press("Escape")
    expect(glance(page)).to_be_hidden()


def test_a_sound_plays_by_itself_if_a_person_wants_it(four: Any) -> None:
    """The browser has had its press: that of the box."""
    page = four()
    page.get_by_label("Play sounds on hover").check()
    page.locator("canvas.plane").hover(position=place_of(page, 0))
    expect(glance(page).locator(".playhead")).to_be_visible()


def test_a_click_asks(four: Any) -> None:
    """With the point's own modality."""
    page = four()
    page.locator("canvas.plane").click(position=place_of(page, 2))
    expect(page).to_have_url(re.compile(r"#/ask\?segment=\d+&by=visual&find=audio"))


def test_a_tap_shows_and_a_link_asks(four: Any) -> None:
    """A finger cannot hover."""
    page = four(phone=True)
    x, y = place_of(page, 0).values()
    page.locator("canvas.plane").tap(position={"x": x, "y": y})
    expect(glance(page).locator(".waved canvas")).to_be_visible()
    assert overflowing(page) <= 0
    glance(page).get_by_role("button", name="Play").click()
    expect(glance(page).locator(".playhead")).to_be_visible()
    glance(page).get_by_role("link", name="Ask with it").click()
    expect(page).to_have_url(re.compile(r"#/ask\?segment=\d+&by=audio&find=visual"))


@pytest.mark.parametrize("by", ["choice", "shift"])
def test_a_lasso_chooses_what_it_surrounds(four: Any, by: str) -> None:
    """With Shift, or by the choice beside the colours, that a finger has too."""
    page = four()
    if by == "choice":
        page.get_by_text("draw a lasso").click()
    else:
        page.keyboard.down("Shift")
    draw_lasso(page, 1)
    chosen = page.get_by_role("region", name="What is chosen")
    expect(chosen).to_contain_text("1 point of 1 video chosen")
    chosen.get_by_role("button", name="Choose nothing").click()
    expect(chosen).to_be_hidden()


def test_a_finger_draws_a_lasso(four: Any) -> None:
    """Where drawing is chosen; two fingers still zoom."""
    page = four(phone=True)
    page.get_by_text("draw a lasso").click()
    box, middle = page.locator("canvas.plane").bounding_box(), place_of(page, 3)
    assert box
    touch = page.context.new_cdp_session(page)
    steps = [(-9, -9), (0, -9), (9, -9), (9, 0), (9, 9), (0, 9), (-9, 9), (-9, 0), (-9, -8), (-9, -9)]
    for number, (dx, dy) in enumerate(steps):
        at = {"x": box["x"] + middle["x"] + dx, "y": box["y"] + middle["y"] + dy}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove" if number else "touchStart", "touchPoints": [at]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.get_by_role("region", name="What is chosen")).to_contain_text("1 point of 1 video chosen")


def test_the_legend_names_what_clusters_hold_and_chooses_them(four: Any) -> None:
    """By label, else by concept; a name is a button: with the keyboard alone its videos get a label."""
    page = four()
    page.get_by_text("cluster", exact=True).click()
    keys = page.locator(".legend button")
    expect(keys).to_have_text([re.compile("dog, bark"), re.compile("garden"), re.compile("others")])
    sent: list[Any] = []

    def note(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(json={})

    page.route(re.compile(r"/videos/\w+$"), note)
    keys.first.focus()
    page.keyboard.press("Enter")
    label = page.get_by_label("Label", exact=True)
    label.fill("dogs")
    label.press("Enter")
    expect(page.locator(".panel [role=status]")).to_have_text(re.compile(r"\d videos? labelled dogs"))
    assert sent
    assert all(change == {"label": "dogs"} for change in sent)
    assert serious_findings(page) == []
