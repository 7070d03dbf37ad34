"""Where in a clip, library, map and quality: what a person does there, and what is said when it cannot be done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from media_samples import tone, write_sound, write_video
from page_samples import OpenPage, Watched, client_of, overflowing, serious_findings
from playwright.sync_api import expect


@pytest.fixture
def video(live: str) -> str:
    """Return the first video's id."""
    with client_of(live) as client:
        return next(iter(client.videos(limit=1))).video_id


def test_a_clip_of_the_library_is_asked_by_its_id(open_page: OpenPage, video: str) -> None:
    """Nothing is uploaded; the window begins at the loudest stretch and not at 0, and the other lane answers."""
    page = open_page("#/localize")
    with page.expect_request("**/localize") as asked:
        page.locator(".cards .shot").first.click()
    sent = asked.value.post_data_buffer or b""
    assert b'name="video_id"' in sent
    assert b"filename" not in sent
    expect(page.locator(".lane.visual .found")).to_be_visible()
    window = page.get_by_role("slider", name=re.compile("What is heard"))
    assert window.get_attribute("aria-valuenow") != "0"  # the clips grow louder
    assert f"video={video}" in page.url


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_lanes_are_reached_by_keyboard(open_page: OpenPage, video: str, phone: bool) -> None:
    """Arrow keys move the window, with Shift its end, and each asks anew; nothing leaves the lane or the phone."""
    page = open_page(f"#/localize?video={video}&start=1&length=2", phone=phone)
    window = page.get_by_role("slider", name=re.compile("What is heard"))
    expect(window).to_have_attribute("aria-valuetext", "0:01–0:03, 2 seconds")
    with page.expect_response("**/localize"):
        window.press("ArrowRight")
    expect(window).to_have_attribute("aria-valuetext", "0:02–0:04, 2 seconds")
    window.press("Shift+ArrowRight")
    window.press("Shift+ArrowRight")
    expect(window).to_have_attribute("aria-valuetext", "0:02–0:05, 3 seconds")
    assert "start=2" in page.url
    assert overflowing(page) <= 0
    assert all("\n" not in text for text in page.locator(".ticks span").all_inner_texts())
    assert serious_findings(page) == []


def test_both_directions_answer(open_page: OpenPage, video: str) -> None:
    """Words say what is found where, or that no window stands out."""
    page = open_page(f"#/localize?video={video}")
    for text in ("I see it: where do I hear it?", "I hear it: where do I see it?"):
        page.get_by_text(text).click()
        said = re.compile("No window stands out|Nothing here|(seen|heard) at")
        expect(page.get_by_role("heading", name=said)).to_be_visible()


def test_a_clip_of_this_computer_is_sent(open_page: OpenPage, tmp_path: Path) -> None:
    """It is not in the library, and need not be."""
    page = open_page("#/localize")
    page.locator(".start .drop input").set_input_files(write_video(tmp_path / "own.mp4", 5.0))
    expect(page.get_by_role("heading", name=re.compile("No window stands out|Nothing here|seen at"))).to_be_visible()


def test_a_clip_that_lacks_sound_is_named(empty: str, open_page: OpenPage, watched: Watched, tmp_path: Path) -> None:
    """What cannot be asked of it, and a way on."""
    with client_of(empty) as client:
        client.wait_for(client.upload(write_video(tmp_path / "quiet.mp4", 3.0, sound=False)))
        quiet = next(iter(client.videos())).video_id
    watched.origin = empty
    page = open_page(f"#/localize?video={quiet}", url=empty)
    expect(page.get_by_role("heading", name="No sound")).to_be_visible()


def test_the_empty_library_tells_no_command(empty: str, open_page: OpenPage, watched: Watched) -> None:
    """In every view: what to do is a link, and nobody is sent to a terminal."""
    watched.origin = empty
    watched.allowed.append("409")
    for place in ("#/ask", "#/localize", "#/library", "#/map", "#/quality"):
        page = open_page(place, url=empty)
        page.wait_for_load_state("networkidle")
        expect(page.get_by_text(re.compile("echolens (ingest|train|library|demo)"))).to_have_count(0)
        assert serious_findings(page) == []


def test_footage_is_added_with_a_line_for_each_file(
    empty: str, open_page: OpenPage, watched: Watched, tmp_path: Path
) -> None:
    """What came in, what was there already, and what is no medium, in words; then the list has it."""
    watched.origin = empty
    watched.allowed.append("415")
    (tmp_path / "notes.txt").write_text("no medium")
    clip = write_video(tmp_path / "first.mp4", 3.0)
    page = open_page("#/library", url=empty)
    page.locator(".drop input").set_input_files([clip, tmp_path / "notes.txt"])
    lines = page.locator(".uploads li")
    expect(lines.filter(has_text="first.mp4")).to_contain_text("added")
    expect(lines.filter(has_text="notes.txt").locator(".problem")).to_be_visible()
    expect(page.locator(".rows li")).to_have_count(1)
    page.locator(".drop input").set_input_files(clip)
    expect(lines.nth(2)).to_contain_text("was in the library already")
    assert serious_findings(page) == []


def test_a_recording_is_found_labelled_and_deleted(
    empty: str, open_page: OpenPage, watched: Watched, tmp_path: Path
) -> None:
    """The list searches by name; a deletion names the file and asks first."""
    watched.origin = empty
    with client_of(empty) as client:
        for name, hertz in (("bark.wav", 300), ("rain.wav", 500)):
            client.wait_for(client.upload(write_sound(tmp_path / name, tone(2, 16000, hertz), 16000)))
    page = open_page("#/library", url=empty)
    expect(page.locator(".rows li")).to_have_count(2)
    page.get_by_role("searchbox", name="Search by name").fill("bark")
    expect(page.locator(".rows li")).to_have_count(1)
    page.get_by_role("button", name="Label bark.wav").click()
    page.get_by_label("Label", exact=True).fill("dog")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".rows .label")).to_have_text("dog")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.get_by_role("button", name="Delete bark.wav").click()
    expect(page.locator(".rows li")).to_have_count(0)
    assert "bark.wav" in asked[0]


def test_ten_thousand_recordings_are_not_all_in_the_document(open_page: OpenPage, live: str) -> None:
    """Rows off the screen are not there; the end is reached all the same."""
    page = open_page("#/map")
    one = page.request.get(f"{live}videos?limit=1").json()["videos"][0]

    def answer(route) -> None:  # type: ignore[no-untyped-def]
        first = int(re.search(r"cursor=(\d+)", route.request.url).group(1)) if "cursor" in route.request.url else 0
        videos = [
            one | {"video_id": f"{n:016x}", "file_name": f"{n}.mp4", "poster": None} for n in range(first, first + 500)
        ]
        following = str(first + 500) if first + 500 < 10_000 else None
        route.fulfill(json={"videos": videos, "total": 10_000, "next": following, "catalogue_version": 1})

    page.route(re.compile(r"/videos\?"), answer)
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.get_by_role("heading", name="10,000 recordings")).to_be_visible()
    expect(page.locator(".rows li").first).to_be_visible()
    assert page.locator(".rows li").count() < 60
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(".rows li", has_text="9999.mp4")).to_be_visible()
    assert page.locator(".rows li").count() < 60


def test_the_map_asks_and_labels(open_page: OpenPage, live: str) -> None:
    """A click asks with a point; a cluster can be chosen without a mouse, and says how many videos a label changes."""
    page = open_page("#/map")
    expect(page.locator("canvas.plane")).to_be_visible()
    for name in ("label", "cluster", "sound or picture"):
        page.get_by_text(name, exact=True).first.click()
        expect(page.locator(".legend li").first).to_be_visible()
    page.locator("summary", has_text="in words").click()
    page.get_by_role("button", name=re.compile("Choose the cluster")).first.click()
    expect(page.get_by_role("button", name=re.compile(r"Label \d+ video"))).to_be_visible()
    assert serious_findings(page) == []


def test_figures_stand_beside_chance_and_say_what_was_trained_on(open_page: OpenPage) -> None:
    """In the same line; an interval or, in words, why there is none; no dash."""
    page = open_page("#/quality")
    expect(page.get_by_role("heading", name="Does a recording find itself?")).to_be_visible()
    figures = page.locator(".figure").all_inner_texts()
    assert figures
    assert all("guessing gives" in text for text in figures)
    assert all("95 % sure between" in text or "alone decides" in text for text in figures)
    assert not any("–" in text for text in figures)


def test_imagination_is_called_so(open_page: OpenPage) -> None:
    """A picture and a sound, made up."""
    page = open_page("#/imagine?segment=3")
    expect(page.get_by_text("A picture, imagined")).to_be_visible()
    expect(page.get_by_text("None of it was recorded.")).to_be_visible()
