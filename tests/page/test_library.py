"""The library by keyboard, with work that goes on, and with a key that may only read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from media_samples import write_video
from page_samples import OpenPage, Watched
from playwright.sync_api import Browser, Page, Route, expect

from app.http import keys
from benchmarks.service.live_service import Service

JOB: dict[str, Any] = {
    "job_id": "1",
    "kind": "reencode",
    "subject": None,
    "state": "running",
    "cancelling": False,
    "progress": 0.1,
    "time_left_s": 60.0,
    "error_count": 0,
    "result": {},
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "0",
    "errors": [],
    "notes": [],
}


def focused(page: Page) -> str | None:
    """Return the label, or else the text, of what has the keyboard."""
    found: str | None = page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    )
    return found


def serve_videos(page: Page, live: str, count: int) -> None:
    """Answer the list with as many recordings."""
    one = page.request.get(f"{live}videos?limit=1").json()["videos"][0]
    videos = [one | {"video_id": f"{n:016x}", "file_name": f"{n}.mp4", "poster": None} for n in range(count)]
    body = {"videos": videos, "total": count, "next": None, "catalogue_version": 1}
    page.route(re.compile(r"/videos\?"), lambda route: route.fulfill(json=body))


def test_the_list_is_walked_by_tab(open_page: OpenPage, live: str) -> None:
    """Rows come and go as the list scrolls; the one that has the keyboard keeps it."""
    page = open_page("#/map")
    serve_videos(page, live, 60)
    page.get_by_role("link", name="Library", exact=True).click()
    page.get_by_role("button", name="Label 0.mp4", exact=True).focus()
    walked = []
    for _ in range(120):  # Open, Label, Delete of each
        page.keyboard.press("Tab")
        page.wait_for_timeout(20)
        walked.append(focused(page))
    assert [name for name in walked if name and name.startswith("Delete")] == [f"Delete {n}.mp4" for n in range(40)]


def test_the_keyboard_returns_to_a_row_that_was_edited(open_page: OpenPage, live: str) -> None:
    """Escape gives the form up, and the row's button has the keyboard again."""
    page = open_page("#/map")
    serve_videos(page, live, 3)
    page.get_by_role("link", name="Library", exact=True).click()
    page.get_by_role("button", name="Label 1.mp4").click()
    expect(page.get_by_label("Label", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Label 1.mp4")).to_be_focused()


def test_work_that_goes_on_leaves_the_keyboard_where_it_is(open_page: OpenPage) -> None:
    """Progress is told each second; the button that stops it can be pressed all the same."""
    page = open_page("#/ask")
    asked = 0

    def answer(route: Route) -> None:
        nonlocal asked
        asked += 1
        job = JOB | {"updated_at": str(asked), "progress": min(1.0, asked / 20)}
        route.fulfill(json=[job] if "?" in route.request.url else job)

    page.route(re.compile(r"/jobs[/?]"), answer)
    page.get_by_role("link", name="Library", exact=True).click()
    stop = page.get_by_role("button", name="Stop")
    stop.focus()
    before = page.locator("progress").get_attribute("value")
    expect(page.locator("progress")).not_to_have_attribute("value", before or "")
    expect(stop).to_be_focused()


def test_work_names_the_file_at_hand(open_page: OpenPage) -> None:
    """Of a directory, though nothing else of the job has changed yet."""
    page = open_page("#/ask")
    job = JOB | {"kind": "ingest", "subject": "holiday", "result": {"files": 2}, "at_hand": None}
    page.route(re.compile(r"/jobs[/?]"), lambda route: route.fulfill(json=[job] if "?" in route.request.url else job))
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.get_by_text("Taking in holiday")).to_be_visible()
    job["at_hand"] = "beach.mov"
    expect(page.get_by_text("Reading beach.mov")).to_be_visible()


def test_uploads_go_on_while_one_asks(empty: str, open_page: OpenPage, watched: Watched, tmp_path: Path) -> None:
    """Another view does not end them, and the library shows them again."""
    watched.origin = empty
    page = open_page("#/library", url=empty)
    held: list[Route] = []
    page.route(re.compile("/videos$"), lambda route: held.append(route))
    page.locator(".drop input").set_input_files(write_video(tmp_path / "first.mp4", 3.0))
    while not held:
        page.wait_for_timeout(20)
    page.get_by_role("link", name="Ask", exact=True).click()
    expect(page.locator(".uploads")).to_have_count(0)
    held[0].continue_()
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.locator(".uploads li")).to_contain_text("added")
    expect(page.locator(".rows li")).to_have_count(1)


def test_uploads_can_be_stopped(open_page: OpenPage, tmp_path: Path) -> None:
    """What waits or is being sent is given up, in words."""
    page = open_page("#/library")
    held: list[Route] = []
    page.route(re.compile("/videos$"), lambda route: held.append(route))
    page.locator(".drop input").set_input_files([write_video(tmp_path / f"{n}.mp4", 3.0) for n in range(5)])
    page.get_by_role("button", name="Stop sending").click()
    expect(page.locator(".uploads li", has_text="stopped")).to_have_count(5)
    expect(page.get_by_role("button", name="Stop sending")).to_be_hidden()


def test_what_cannot_be_measured_tells_no_command(open_page: OpenPage, watched: Watched) -> None:
    """An untrained library is one that the page itself can train."""
    watched.allowed.append("409")
    page = open_page("#/ask")
    told = {
        "status": 409,
        "code": "untrained_library",
        "detail": "the library has no model: echolens train --library L",
    }
    page.route("**/metrics/mrr", lambda route: route.fulfill(status=409, json=told))
    page.get_by_role("link", name="How good is it?").click()
    expect(page.get_by_role("heading", name="Too little to measure")).to_be_visible()
    expect(page.get_by_text("echolens train")).to_have_count(0)
    expect(page.locator("main").get_by_role("link", name="To the library")).to_be_visible()


def test_a_key_that_reads_is_offered_no_change(browser: Browser, pristine: Path, tmp_path: Path) -> None:
    """No button whose press would be refused."""
    library = Path(shutil.copytree(pristine, tmp_path / "own"))
    _, secret = keys.create(library, "reader", "read")
    with Service(library) as service:
        context = browser.new_context(http_credentials={"username": "any", "password": secret})
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{service.port}/#/library")
        expect(page.locator(".rows li").first).to_be_visible()
        expect(page.get_by_text("Add footage")).to_have_count(0)
        expect(page.get_by_role("button", name=re.compile("Label|Delete|Train|Change"))).to_have_count(0)
        context.close()
