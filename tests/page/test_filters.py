"""Filters: each is set on the page, shown as a chip, kept in the address, and taken away; Back undoes it."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from urllib.parse import parse_qs

import pytest
from page_samples import OpenPage, Watched, last_form, note_forms, serious_findings
from playwright.sync_api import Page, expect

HITS = ".hits > li"
ASKED = "#/ask?segment=3&by=audio&find=visual"
DAY = date.today()


def asked(page: Page) -> dict[str, str]:
    """Return what the address asks, without what it began with."""
    fields = {name: values[0] for name, values in parse_qs(page.url.partition("?")[2]).items()}
    return {name: value for name, value in fields.items() if name not in ("segment", "by", "find")}


def fill(page: Page, title: str, value: str) -> None:
    """Write a filter, and wait for what is found with it."""
    with page.expect_response("**/retrieve"):
        page.get_by_label(title, exact=True).fill(value)
        page.get_by_label(title, exact=True).press("Enter")
        page.get_by_label(title, exact=True).blur()


@pytest.mark.parametrize(
    ("title", "name", "value", "said", "hits"),
    [
        ("Label", "label", "red", "label red", 2),
        ("In the file name", "name", "RED-0", "“RED-0” in the name", 1),
        ("In the folder", "folder", "/nowhere", "folder /nowhere", 0),
        ("File from", "modified_after", f"{DAY + timedelta(1)}", f"from {DAY + timedelta(1)}", 0),
        ("File until", "modified_before", f"{DAY - timedelta(1)}", f"until {DAY - timedelta(1)}", 0),
    ],
    ids=["label", "name", "folder", "from", "until"],
)
def test_a_filter_is_set_shown_kept_and_taken_away(
    open_page: OpenPage, title: str, name: str, value: str, said: str, hits: int
) -> None:
    """As a chip, in the address, after Back and Forward; its field is empty once the chip is pressed."""
    page = open_page(ASKED)
    expect(page.locator(HITS)).to_have_count(6)
    page.locator("summary", has_text="Narrow it down").click()
    fill(page, title, value)
    chip = page.get_by_role("button", name=f"Remove the filter: {said}")
    expect(chip).to_be_visible()
    expect(page.locator(HITS)).to_have_count(hits)
    assert asked(page) == {name: value}
    page.go_back()
    expect(page.locator(HITS)).to_have_count(6)
    expect(chip).to_have_count(0)
    page.go_forward()
    expect(chip).to_be_visible()
    expect(page.locator(HITS)).to_have_count(hits)
    assert serious_findings(page) == []
    chip.click()
    expect(page.locator(HITS)).to_have_count(6)
    expect(page.get_by_label(title, exact=True)).to_have_value("")
    assert asked(page) == {}


def test_several_filters_hold_together(open_page: OpenPage) -> None:
    """Each has its chip, and one is taken away alone."""
    page = open_page(f"{ASKED}&label=red&name=red-1")
    expect(page.locator(HITS)).to_have_count(1)
    page.get_by_role("button", name="Remove the filter: “red-1” in the name").click()
    expect(page.locator(HITS)).to_have_count(2)
    assert asked(page) == {"label": "red"}


def test_all_seconds_or_one_of_each_video(open_page: OpenPage) -> None:
    """One is the rule; all of them are a filter as well, with a chip that takes it back."""
    page = open_page(ASKED)
    expect(page.locator(HITS)).to_have_count(6)
    one = page.get_by_label("Only the best second of each video")
    one.uncheck()
    expect(page.locator(HITS).nth(6)).to_be_visible()
    assert asked(page) == {"every": "1"}
    page.get_by_role("button", name="Remove the filter: all seconds of each video").click()
    expect(page.locator(HITS)).to_have_count(6)
    expect(one).to_be_checked()
    assert asked(page) == {}


def test_sounds_or_pictures(open_page: OpenPage) -> None:
    """What is found stands in the address; Back finds the other again."""
    page = open_page(ASKED)
    expect(page.locator(HITS)).to_have_count(6)
    note_forms(page)
    with page.expect_response("**/retrieve"):
        page.get_by_text("sounds", exact=True).click()
    assert last_form(page)["target"] == "audio"
    assert "find=audio" in page.url
    with page.expect_response("**/retrieve"):
        page.go_back()
    assert last_form(page)["target"] == "visual"
    expect(page.get_by_label("pictures", exact=True)).to_be_checked()


def test_a_day_is_one_of_this_place_and_ends_at_its_end(open_page: OpenPage) -> None:
    """The last day is asked with all its hours, in the zone of who asks."""
    page = open_page("#/quality")
    page.context.new_cdp_session(page).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    note_forms(page)
    page.evaluate("hash => (location.hash = hash)", f"{ASKED}&modified_after=2026-05-30&modified_before=2026-05-31")
    expect(page.get_by_role("button", name="Remove the filter: until 2026-05-31")).to_be_visible()
    expect(page.locator("main").get_by_role("heading", name="Nothing found")).to_be_visible()
    sent = [datetime.fromisoformat(last_form(page)[name]) for name in ("modified_after", "modified_before")]
    tokyo = timezone(timedelta(hours=9))
    assert sent == [datetime(2026, 5, 30, tzinfo=tokyo), datetime(2026, 6, 1, tzinfo=tokyo)]


def test_a_date_that_is_none_is_said(open_page: OpenPage, watched: Watched) -> None:
    """An address can be written by hand: the service's words, and the chip takes it away."""
    watched.allowed.append("422")
    page = open_page(f"{ASKED}&modified_after=yesterday")
    expect(page.get_by_role("alert")).to_contain_text("a date such as 2026-05-31")
    page.get_by_role("button", name="Remove the filter: from yesterday").click()
    expect(page.locator(HITS)).to_have_count(6)
