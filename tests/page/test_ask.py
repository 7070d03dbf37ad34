"""Ask: what a person gives, what is shown, and what can be done with a hit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from media_samples import gradient, tone, write_picture, write_sound, write_video
from page_samples import OpenPage, Watched, last_form, note_forms, serious_findings
from playwright.sync_api import Page, expect

HITS = ".hits > li"


def give(page: Page, path: Path) -> None:
    """Choose a file as the question."""
    page.locator(".start .drop input").set_input_files(path)


def test_an_example_asks_with_one_click(open_page: OpenPage) -> None:
    """A second of the library finds pictures; the address can be sent."""
    page = open_page("#/ask")
    page.locator(".cards .shot").first.click()
    expect(page.locator(HITS).first).to_be_visible()
    assert re.search(r"#/ask\?segment=\d+&by=audio&find=visual", page.url)
    again = open_page(page.url.partition("/#")[2] and f"#{page.url.partition('#')[2]}")
    expect(again.locator(HITS)).to_have_count(page.locator(HITS).count())


def test_a_sound_finds_pictures(open_page: OpenPage, tmp_path: Path) -> None:
    """It is shown as a waveform with a window, and each hit says where it is and how near."""
    page = open_page("#/ask")
    give(page, write_sound(tmp_path / "tone.wav", tone(4, 16000), 16000))
    expect(page.locator(HITS).first).to_be_visible()
    expect(page.get_by_role("slider", name="The stretch that is asked by")).to_have_attribute(
        "aria-valuetext", "0:00–0:04, 4 seconds"
    )
    expect(page.locator(HITS).first).to_contain_text(re.compile(r"0:0\d–0:0\d"))
    assert serious_findings(page) == []


def test_the_window_is_what_is_asked(open_page: OpenPage, tmp_path: Path) -> None:
    """Moved by a key, the stretch goes along; Back returns to the one before."""
    page = open_page("#/ask")
    give(page, write_sound(tmp_path / "tone.wav", tone(14, 16000), 16000))
    window = page.get_by_role("slider", name="The stretch that is asked by")
    expect(page.locator(HITS).first).to_be_visible()
    note_forms(page)
    with page.expect_response("**/retrieve"):
        window.press("Shift+ArrowLeft")
    assert last_form(page)["length_s"] == "4"
    assert "at_s" in last_form(page)
    page.go_back()
    expect(page.locator(HITS).first).to_be_visible()


def test_a_part_of_a_picture_asks(open_page: OpenPage, tmp_path: Path) -> None:
    """A rectangle that is dragged is sent in place of the whole."""
    page = open_page("#/ask")
    give(page, write_picture(tmp_path / "p.png"))
    expect(page.locator(HITS).first).to_be_visible()
    part = page.get_by_role("group", name=re.compile("The part of the picture"))
    note_forms(page)
    with page.expect_response("**/retrieve"):
        part.press("Shift+ArrowLeft")
    assert last_form(page)["file"] == "part of p.png.png"
    page.get_by_role("button", name="Ask by the whole picture").click()


def test_a_moment_plays_in_place(open_page: OpenPage, tmp_path: Path) -> None:
    """The video opens where the hit was, at its second; Escape closes it; one plays at a time."""
    page = open_page("#/ask?segment=3&by=audio&find=visual")
    shots = page.locator(f"{HITS} .shot")
    shots.first.click()
    expect(page.locator(".moment video")).to_have_count(1)
    expect(page.locator(".moment video")).to_have_attribute("src", re.compile("original#t="))
    shots.first.click()  # the next card's: the first one's has made room for the player
    expect(page.locator(".moment video")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".moment")).to_have_count(0)


def test_what_the_browser_cannot_play_comes_as_an_excerpt(open_page: OpenPage, watched: Watched) -> None:
    """As with AVI or Matroska: the service cuts a piece that every browser plays."""
    page = open_page("#/ask?segment=3&by=audio&find=visual")
    page.route("**/original*", lambda route: route.fulfill(status=200, body=b"no video", content_type="video/mp4"))
    with page.expect_response(re.compile(r"/excerpt\?")) as made:
        page.locator(f"{HITS} .shot").first.click()
    assert made.value.status in (200, 206)
    assert made.value.headers["content-type"] == "video/mp4"


def test_a_hit_leads_on(open_page: OpenPage) -> None:
    """To what looks or sounds alike, to its place in the clip, to all of its video."""
    page = open_page("#/ask?segment=3&by=audio&find=visual")
    first = page.locator(HITS).first
    for name in ("Looks alike", "Sounds alike", "Where in this clip", "All of this video"):
        expect(first.get_by_role("link", name=re.compile(name))).to_be_visible()
    first.get_by_role("link", name=re.compile("All of this video")).click()
    expect(page.get_by_role("button", name="Remove the filter: this video alone")).to_be_visible()
    names = page.locator(f"{HITS} .name b").all_inner_texts()
    assert len(set(names)) == 1 < len(names)


def test_a_filter_is_shown_and_taken_away(open_page: OpenPage) -> None:
    """As a chip, and in the address."""
    page = open_page("#/ask?segment=3&by=audio&find=visual&label=red")
    expect(page.locator(HITS)).to_have_count(2)
    page.get_by_role("button", name="Remove the filter: label red").click()
    expect(page.locator(HITS)).to_have_count(6)
    assert "label" not in page.url


def test_no_second_passes(open_page: OpenPage) -> None:
    """An empty answer says why."""
    page = open_page("#/ask?segment=3&by=audio&find=visual&label=none")
    expect(page.get_by_text("No second of the library passes these filters.")).to_be_visible()


def test_a_longer_bar_is_a_better_hit(open_page: OpenPage) -> None:
    """Its length is how unlikely it is that something unrelated is as good."""
    page = open_page("#/ask")
    with page.expect_response("**/retrieve") as answered:
        page.goto(page.url.partition("#")[0] + "#/ask?segment=3&by=audio&find=visual&every=1")
    chances = [hit["chance"] for hit in answered.value.json()["hits"]]
    expect(page.locator(HITS)).to_have_count(len(chances))
    bars = page.locator(".fit .bar i").evaluate_all("all => all.map(bar => parseFloat(bar.style.width))")
    assert bars == pytest.approx([100 * (1 - chance) for chance in chances], abs=0.01)


def test_the_certificate_says_what_it_means_and_not_first(open_page: OpenPage) -> None:
    """Nothing on the page says "exact"; behind "why" stands that nothing nearer was overlooked."""
    page = open_page("#/ask?segment=3&by=audio&find=visual")
    first = page.locator(HITS).first
    expect(first).to_be_visible()
    expect(page.get_by_text(re.compile(r"exact|certified|proved"))).to_have_count(
        page.locator("dd", has_text="proved").count()
    )
    first.locator("summary", has_text="why").click()
    expect(first.get_by_text("was anything nearer overlooked?")).to_be_visible()
    expect(first.get_by_text(re.compile("no: that is proved for all"))).to_be_visible()


@pytest.mark.parametrize("kind", ["csv", "edl", "fcpxml"])
def test_hits_are_taken_away(open_page: OpenPage, kind: str) -> None:
    """As a file; those that are marked, else all."""
    page = open_page("#/ask?segment=3&by=audio&find=visual")
    page.locator(f"{HITS} .mark").first.check()
    page.locator("summary", has_text="Take away").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name={"csv": "CSV", "edl": "EDL", "fcpxml": "Final Cut"}[kind]).click()
    text = Path(saved.value.path()).read_text()
    assert saved.value.suggested_filename.endswith(kind)
    assert page.locator(f"{HITS} .name b").first.inner_text() in text
    assert page.locator(f"{HITS} .name b").nth(1).inner_text() not in text


def test_a_sound_is_recorded(open_page: OpenPage) -> None:
    """From the microphone; pressed again it stops, and what was heard is asked."""
    page = open_page("#/ask")
    page.get_by_role("button", name="Record a sound").click()
    page.wait_for_timeout(2500)
    page.get_by_role("button", name=re.compile("Stop")).click()
    expect(page.locator(HITS).first).to_be_visible()


def test_a_picture_is_taken(open_page: OpenPage) -> None:
    """From the camera."""
    page = open_page("#/ask")
    page.get_by_role("button", name="Take a picture").click()
    page.get_by_role("button", name="Take it").click()
    expect(page.locator(HITS).first).to_be_visible()


def test_without_a_microphone_it_is_said(open_page: OpenPage, watched: Watched) -> None:
    """In words, beside the button."""
    page = open_page("#/ask")
    page.evaluate(
        """() => {
            navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'));
        }"""
    )
    page.get_by_role("button", name="Record a sound").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("microphone cannot be used. None was found"))


def test_a_file_that_is_no_medium_is_refused_in_words(open_page: OpenPage, watched: Watched, tmp_path: Path) -> None:
    """And nothing beside it says that it may be readable."""
    watched.allowed.append("415")
    (tmp_path / "letter.txt").write_text("no medium")
    page = open_page("#/ask")
    give(page, tmp_path / "letter.txt")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_text(re.compile("may still be", re.I))).to_have_count(0)


def test_silence_is_refused_in_words(open_page: OpenPage, watched: Watched, tmp_path: Path) -> None:
    """With what to do."""
    watched.allowed.append("422")
    page = open_page("#/ask")
    give(page, write_sound(tmp_path / "quiet.wav", 0 * tone(3, 16000), 16000))
    expect(page.get_by_role("alert")).to_contain_text("silent")


def test_an_address_of_a_file_says_that_it_is_forgotten(open_page: OpenPage) -> None:
    """After a reload the file is only on the person's disk."""
    page = open_page("#/ask?file=1&by=audio&find=visual")
    expect(page.get_by_role("alert")).to_contain_text("Choose it again")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Drop a sound, a picture or a video here")).to_be_visible()


def test_a_video_asks_by_its_look_too(open_page: OpenPage, tmp_path: Path) -> None:
    """Its sound first; one press asks by its picture for sounds."""
    page = open_page("#/ask")
    give(page, write_video(tmp_path / "clip.mp4", 4.0, frame_at=lambda _: gradient()))
    expect(page.locator(HITS).first).to_be_visible()
    note_forms(page)
    with page.expect_response("**/retrieve"):
        page.get_by_text("look", exact=True).click()
    assert (last_form(page)["query_modality"], last_form(page)["target"]) == ("visual", "audio")
