"""Hits: a pointer that rests on one shows how its picture goes on, Space plays it, and a sound has its waveform."""

from __future__ import annotations

import re
from typing import Any

from page_samples import OpenPage, serious_findings
from playwright.sync_api import Page, Route, expect

HITS = ".hits > li"
ASKED = "#/ask?segment=3&by=audio&find=visual"


def unseen(route: Route) -> None:
    """Answer as if the hits had no picture, as those of a sound alone."""
    answer: dict[str, Any] = route.fetch().json()
    for hit in answer["hits"]:
        hit["links"] |= {"frame": None, "poster": None}
    route.fulfill(json=answer)


def settled(page: Page) -> None:
    """Wait until a player of the page plays."""
    expect(page.locator(".moment :is(video, audio)")).to_have_js_property("paused", False)


def test_a_pointer_that_rests_shows_how_the_moment_goes_on(open_page: OpenPage) -> None:
    """Without sound, one at a time; it is gone, and what was loaded of it too, when the pointer leaves."""
    page = open_page(ASKED)
    shots = page.locator(f"{HITS} .shot")
    shots.nth(0).hover()
    glimpse = page.locator(".glimpse")
    expect(glimpse).to_have_class(re.compile("moves"))
    expect(glimpse).to_have_js_property("muted", True)
    first = glimpse.element_handle()
    shots.nth(1).hover()
    expect(shots.nth(1).locator(".glimpse")).to_have_class(re.compile("moves"))
    expect(glimpse).to_have_count(1)
    assert first.evaluate("video => [video.paused, video.src]") == [True, ""]
    page.mouse.move(0, 0)
    expect(glimpse).to_have_count(0)


def test_a_pointer_that_passes_by_loads_nothing(open_page: OpenPage) -> None:
    """Only one that rests does."""
    page = open_page(ASKED)
    expect(page.locator(HITS).first).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "original" in request.url else None)
    for number in range(4):
        page.locator(f"{HITS} .shot").nth(number).hover()
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)
    assert asked == []


def test_nothing_moves_for_those_who_spare_motion(open_page: OpenPage) -> None:
    """The picture stays as it is; a press plays all the same."""
    page = open_page(ASKED)
    page.emulate_media(reduced_motion="reduce")
    page.locator(f"{HITS} .shot").first.hover()
    page.wait_for_timeout(800)
    expect(page.locator(".glimpse")).to_have_count(0)
    page.locator(f"{HITS} .shot").first.click()
    settled(page)


def test_a_glimpse_ends_with_its_view(open_page: OpenPage) -> None:
    """Nothing plays on unseen."""
    page = open_page(ASKED)
    page.locator(f"{HITS} .shot").first.hover()
    glimpse = page.locator(".glimpse.moves").element_handle()
    page.evaluate("location.hash = '#/quality'")
    expect(page).to_have_title("How good is it? · Echolens")
    assert glimpse.evaluate("video => [video.paused, video.src]") == [True, ""]


def test_a_glimpse_of_what_the_browser_cannot_play_is_an_excerpt(open_page: OpenPage) -> None:
    """As of AVI or Matroska."""
    page = open_page(ASKED)
    page.route("**/original*", lambda route: route.fulfill(status=200, body=b"no video", content_type="video/mp4"))
    page.locator(f"{HITS} .shot").first.hover()
    expect(page.locator(".glimpse")).to_have_class(re.compile("moves"))
    expect(page.locator(".glimpse")).to_have_attribute("src", re.compile("/excerpt"))


def test_space_plays_and_pauses_a_hit_in_place(open_page: OpenPage) -> None:
    """With sound; Escape closes it, and the hit has the keyboard again."""
    page = open_page(ASKED)
    shot = page.locator(f"{HITS} .shot").nth(1)
    shot.focus()
    page.keyboard.press("Space")
    settled(page)
    player = page.locator(".moment video")
    expect(player).to_have_js_property("muted", False)
    page.keyboard.press("Space")
    expect(player).to_have_js_property("paused", True)
    page.keyboard.press("Space")
    expect(player).to_have_js_property("paused", False)
    page.keyboard.press("Escape")
    expect(shot).to_be_focused()


def test_a_tap_plays(open_page: OpenPage) -> None:
    """A finger has no place to rest: it plays the moment with its sound at once."""
    page = open_page(ASKED, phone=True)
    page.locator(f"{HITS} .shot").first.tap()
    settled(page)
    expect(page.locator(".glimpse")).to_have_count(0)


def test_a_sound_alone_has_its_waveform(open_page: OpenPage) -> None:
    """Around its second, which is lifted out; where it plays a line goes along."""
    page = open_page("#/quality")
    page.route("**/retrieve", unseen)
    page.goto(page.url.partition("#")[0] + ASKED)
    wave = page.locator(f"{HITS} .waved").first
    expect(wave.locator("canvas")).to_be_visible()
    expect(wave.locator(".lifted")).to_be_visible()
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(byte => byte)"
    assert wave.locator("canvas").evaluate(drawn)
    assert serious_findings(page) == []
    page.locator(f"{HITS} .shot").first.click()
    settled(page)
    expect(page.locator(".moment .playhead")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(f"{HITS} .waved").first).to_be_visible()


def test_a_sound_that_is_gone_keeps_its_sign(open_page: OpenPage) -> None:
    """Where there are no peaks there is no waveform, and nothing breaks."""
    page = open_page("#/quality")
    page.route("**/retrieve", unseen)
    page.route("**/peaks*", lambda route: route.fulfill(status=200, body="gone"))
    page.goto(page.url.partition("#")[0] + ASKED)
    expect(page.locator(f"{HITS} .waved .icon").first).to_be_visible()
    expect(page.locator(f"{HITS} .waved canvas")).to_have_count(0)


def test_an_upload_shows_no_folder(open_page: OpenPage) -> None:
    """The library keeps it under a name of its own, which tells a person nothing."""

    def as_upload(route: Route) -> None:
        answer = route.fetch().json()
        answer["hits"][0]["file_path"] = "/library/media/upload-1e93"
        route.fulfill(json=answer)

    page = open_page("#/quality")
    page.route("**/retrieve", as_upload)
    page.goto(page.url.partition("#")[0] + ASKED)
    expect(page.locator(HITS).nth(1)).to_contain_text("footage0")
    expect(page.locator(HITS).nth(0)).not_to_contain_text("media")
