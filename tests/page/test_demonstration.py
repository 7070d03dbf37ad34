"""The demonstration, as `echolens demo` makes it: every view of it, and that it says what it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_samples import write_sound
from page_samples import OpenPage, faults_on_both_sizes, is_within
from playwright.sync_api import Locator, Page, Route, expect

from benchmarks.service.live_service import Client, Service

CLIPS = 16  # of as many kinds
HITS = ".hits > li"
OWN = "Use my own footage"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a demonstration, made by the command that `make serve` runs."""
    library = tmp_path_factory.mktemp("demonstration")
    command = [sys.executable, "-m", "app.cli", "demo", "--library", str(library), "--clips", str(CLIPS)]
    subprocess.run(command, check=True, capture_output=True)
    with Service(library) as service:
        yield f"http://127.0.0.1:{service.port}/"


@pytest.fixture(scope="module")
def events(client: Client) -> list[tuple[str, int, int]]:
    """Return clips with an event inside: their ids, and from when to when it lasts."""
    found = [(one.video_id, one.event_start_s, one.event_end_s, one.duration_s) for one in client.videos()]
    return [(name, int(start), int(end)) for name, start, end, whole in found if start and end and end < whole]


@pytest.fixture(scope="module")
def video(events: list[tuple[str, int, int]]) -> str:
    """Return a clip's id."""
    return events[0][0]


@pytest.fixture(scope="module")
def segment(client: Client, events: list[tuple[str, int, int]]) -> int:
    """Return a second of that clip's event."""
    video_id, start_s, _ = events[0]
    return client.second(video_id, start_s).segment_id


def barks(path: Path) -> Path:
    """Write three bursts of filtered noise, as of a dog: no clip of the demonstration sounds so."""
    time_s = np.arange(4 * 16000) / 16000
    bursts = np.exp(-20 * (time_s % 1.3)) * np.random.default_rng(0).standard_normal(len(time_s))
    return write_sound(path, (0.2 * np.convolve(bursts, np.ones(8) / 8, "same")).astype(np.float32), 16000)


def ask_with(page: Page, path: Path) -> None:
    """Choose a file as the question, and wait for the answer."""
    page.locator(".start .drop input").set_input_files(path)
    expect(page.locator(HITS).first).to_be_visible()


@pytest.mark.parametrize(
    ("place", "there"),
    [
        ("#/ask", ".cards .shot"),
        ("#/ask?segment={segment}&by=audio&find=visual", HITS),
        ("#/localize", ".cards .shot"),
        ("#/localize?video={video}", ".matrix"),
        ("#/imagine?segment={segment}", "figcaption"),
        ("#/library", ".rows .video"),
        ("#/map", "canvas.plane"),
        ("#/quality", ".figure"),
    ],
)
def test_every_view(open_page: OpenPage, video: str, segment: int, place: str, there: str) -> None:
    """It shows what it is for, and axe finds nothing serious on it: a dark phone and a light desktop."""
    page = open_page(place.format(video=video, segment=segment))
    expect(page.locator(there).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert faults_on_both_sizes(page) == []


@pytest.mark.parametrize("place", ["#/ask", "#/library", "#/quality"])
def test_it_says_that_it_is_a_demonstration(open_page: OpenPage, place: str) -> None:
    """Wherever one may take it for one's own footage."""
    page = open_page(place)
    expect(page.locator("main").get_by_text(re.compile("demonstration", re.I)).first).to_be_visible()


def test_a_real_dog_is_told_what_this_is(open_page: OpenPage, tmp_path: Path) -> None:
    """Beside the hits: all of them are drawn; one click leads to where one's own footage is added."""
    page = open_page("#/ask")
    ask_with(page, barks(tmp_path / "bark.wav"))
    answer = page.get_by_role("region", name="The answer")
    expect(answer.get_by_text("This is a demonstration.")).to_be_visible()
    answer.get_by_role("link", name=OWN).click()
    expect(page).to_have_title("Library · Echolens")
    expect(page.get_by_text("Add footage", exact=True)).to_be_visible()


@pytest.mark.shared
def test_a_recorded_dog_is_told_what_this_is(open_page: OpenPage, shared: Path) -> None:
    """With a real bark: nothing here matches comes first, and that the demonstration is drawn."""
    page = open_page("#/ask")
    ask_with(page, min((shared / "esc10" / "dog-bark").glob("*.ogg")))
    answer = page.get_by_role("region", name="The answer")
    expect(answer.get_by_role("heading").first).to_have_text("Nothing here matches")
    expect(answer.get_by_role("link", name=OWN)).to_be_visible()


def test_one_click_leads_to_ones_own_footage(open_page: OpenPage) -> None:
    """From the first view; the keyboard is where a file is chosen, and the card offers what real footage needs."""
    page = open_page("#/ask")
    page.get_by_role("link", name=OWN).click()
    expect(page.locator(".drop input")).to_be_focused()
    expect(page.get_by_role("heading", name="A demonstration")).to_be_visible()
    expect(page.get_by_role("button", name="Change to “pretrained”")).to_be_visible()


def test_the_certificate_is_neither_first_nor_called_correct(open_page: OpenPage, segment: int) -> None:
    """What is seen of a hit says how well it fits; that nothing was overlooked stands behind "why"."""
    page = open_page(f"#/ask?segment={segment}&by=audio&find=visual")
    expect(page.locator(HITS).first).to_be_visible()
    seen = page.locator("main").inner_text()
    assert not re.search(r"\b(exact|proved|proven|certified|correct|guaranteed)\b", seen, re.I)
    first = page.locator(HITS).first
    first.locator("summary", has_text="why").click()
    names = first.locator("dt").all_inner_texts()
    assert names.index("was anything nearer overlooked?") > names.index("distance") > 0


def test_a_sound_finds_its_picture(open_page: OpenPage, client: Client, events: list[tuple[str, int, int]]) -> None:
    """Seconds of events find their own clips among the first three: three of five, where guessing finds a fifth."""
    page, found = open_page("#/ask"), 0
    for video, start_s, _ in events[:5]:
        with page.expect_response("**/retrieve") as answered:
            page.goto(f"{page.url.partition('#')[0]}#/ask?segment={client.second(video, start_s).segment_id}&by=audio")
        expect(page.locator(HITS)).to_have_count(len(answered.value.json()["hits"]))
        found += client.video(video).file_name in page.locator(f"{HITS} .name b").all_inner_texts()[:3]
    assert found >= 3


@pytest.mark.parametrize("by", ["audio", "visual"])
def test_an_event_is_found_where_it_is(open_page: OpenPage, events: list[tuple[str, int, int]], by: str) -> None:
    """Heard or seen, the window that is marked in the other lane overlaps it in most clips, and lies in the lane."""
    right = 0
    for video, start_s, end_s in events[:3]:
        page = open_page(f"#/localize?video={video}&start={start_s}&length={end_s - start_s}&by={by}")
        said = page.get_by_role("region", name="The answer").get_by_role("heading")
        expect(said).to_have_text(re.compile(r"is (seen|heard) at|No window stands out"))
        lane = page.locator(".lane.visual" if by == "audio" else ".lane.audio")
        assert is_within(lane.locator(".found"), lane.locator(".track"))
        found = re.search(r"at 0:(\d\d)–0:(\d\d)$", said.inner_text())
        right += found is not None and int(found[1]) < end_s and int(found[2]) > start_s
        page.close()
    assert right >= 2


def test_it_imagines(open_page: OpenPage, segment: int, tmp_path: Path) -> None:
    """A picture and a sound, for a second of it and for a file; called imagined, and the picture is one."""
    page = open_page(f"#/ask?segment={segment}&by=audio&find=visual")
    page.get_by_role("link", name=re.compile("^Imagine")).first.click()
    expect(page.get_by_text("A sound, imagined")).to_be_visible()
    page.locator(".start .drop input").set_input_files(barks(tmp_path / "bark.wav"))
    expect(page.get_by_role("heading", name="Imagined for bark.wav, by its sound")).to_be_visible()
    picture = page.get_by_role("figure").filter(has_text="A picture, imagined").locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 8


def test_figures_are_not_taken_for_those_of_real_footage(open_page: OpenPage) -> None:
    """The first line says so; each figure has what guessing gives and an interval in words, and none is a dash."""
    page = open_page("#/quality")
    expect(page.locator(".figure").first).to_be_visible()
    expect(page.get_by_text("On the demonstration: it says nothing about real footage.")).to_be_visible()
    figures = page.locator(".figure").all_inner_texts()
    assert len(figures) == 6  # itself both ways, its kind both ways, where in the clip both ways
    assert all(re.search(r"95 % sure between \d\.\d\d and \d\.\d\d|alone decides", text) for text in figures)
    assert not re.search(r"[:\s][–—-]+(\s|$)|null|NaN|undefined", page.locator("main").inner_text())


def test_how_often_a_recording_is_among_the_first(open_page: OpenPage) -> None:
    """A table of what the service measured, with what guessing gives, and intervals whose level is told."""
    page = open_page("#/quality")
    table = page.get_by_role("table")
    expect(table).to_be_visible()
    expect(table.locator("caption")).to_contain_text("95 % sure between")
    measured = page.request.get(page.url.partition("#")[0] + "metrics/mrr").json()
    assert_recall(table, measured["own_video"]["recall_at"])


def test_rare_shares_are_not_rounded_to_nothing(open_page: OpenPage) -> None:
    """Of 512 recordings guessing finds one in 512, and a model that finds two is better than that."""
    page = open_page("#/ask")
    found: list[dict[str, Any]] = []

    def as_if_of_many(route: Route) -> None:
        answer = route.fetch()
        measured = answer.json()
        at = measured["own_video"]["recall_at"]["1"]
        at["chance"] = 1 / 512
        at["recall"]["AV"] |= {"mean": 2 / 512, "low": 0.0, "high": 0.0123}
        found.append(measured)
        route.fulfill(response=answer, json=measured)

    page.route("**/metrics/mrr", as_if_of_many)
    page.evaluate("location.hash = '#/quality'")
    table = page.get_by_role("table")
    expect(table).to_be_visible()
    assert_recall(table, found[0]["own_video"]["recall_at"])
    expect(table).to_contain_text("0.39 %")
    expect(table).to_contain_text("0 to 1.2")
    expect(table).to_contain_text("0.2 %")


def assert_recall(table: Locator, recall_at: dict[str, Any]) -> None:
    """Check each row of the table of recall: two digits of each share."""
    rows = {row.inner_text(): row for row in table.get_by_role("rowheader").all()}
    assert list(rows) == ["By its sound", "By its picture", "By guessing"]
    for name, share in (
        ("By its sound", lambda at: at["recall"]["AV"]["mean"]),
        ("By its picture", lambda at: at["recall"]["VA"]["mean"]),
        ("By guessing", lambda at: at["chance"]),
    ):
        cells = rows[name].locator("xpath=..").get_by_role("cell").all_inner_texts()
        assert [text.split(" %")[0] for text in cells] == [two_digits(100 * share(at)) for at in recall_at.values()]


def two_digits(number: float) -> str:
    """Round to two digits, half up, as a browser does."""
    rounded = Context(prec=2, rounding=ROUND_HALF_UP).create_decimal(repr(number))
    return f"{rounded.normalize():f}"


def test_the_map_asks_with_a_click(open_page: OpenPage) -> None:
    """A point that is found by hovering is named; a click on it shows what is like it."""
    page = open_page("#/map")
    box = page.locator("canvas.plane").bounding_box()
    assert box is not None
    says = page.locator(".map-says")
    for step in range(400):  # a spiral from the middle, until it meets a point
        angle, reach = step * 0.5, step / 400
        x = box["x"] + box["width"] * (0.5 + 0.45 * reach * np.cos(angle))
        y = box["y"] + box["height"] * (0.5 + 0.45 * reach * np.sin(angle))
        page.mouse.move(x, y)
        if re.match("(Sound|Picture) at", says.inner_text()):
            break
    expect(says).to_have_text(re.compile(r"(Sound|Picture) at 0:\d\d of .*"))
    page.mouse.click(x, y)
    expect(page).to_have_title("Ask · Echolens")
    expect(page.locator(HITS).first).to_be_visible()


def test_a_lasso_chooses(open_page: OpenPage) -> None:
    """All that it goes round, and a button says how many videos a label would change."""
    page = open_page("#/map")
    box = page.locator("canvas.plane").bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.01)]
    for number, (across, down) in enumerate(corners):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=4)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.get_by_text(re.compile(rf"\d+ points of {CLIPS} videos chosen"))).to_be_visible()
    expect(page.get_by_role("button", name=f"Label {CLIPS} videos")).to_be_visible()
