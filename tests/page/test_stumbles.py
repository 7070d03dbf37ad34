"""What a newcomer stumbled over, one test each; what the demonstration said stands in its own tests."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from media_samples import tone, write_sound, write_video
from page_samples import OpenPage, Watched, is_within
from playwright.sync_api import Page, Route, expect

from benchmarks.service.live_service import Client, Service
from index.library import Library

LONG_S = 157  # 2:37
MOST_TRAINING_MS = 120_000
COMMAND = re.compile(r"echolens (ingest|train|library|demo|frontends|serve)|--library|\$ |terminal|command line", re.I)
# The numbers of a page that stand on more than one line, as "1/0" did.
BROKEN_NUMBERS = r"""
() => {
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  const broken = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const { 0: text, index } of node.data.matchAll(/\d[\d.,:–]*\d( %)?/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + text.length);
      const lines = new Set([...range.getClientRects()].filter(({ width }) => width > 1).map(({ y }) => Math.round(y)));
      if (lines.size > 1) broken.push(text);
    }
  }
  return broken;
}
"""


@pytest.fixture(scope="module")
def live(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a copy of the small library with a recording of 2:37 that its list offers."""
    library = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("stumbles"), dirs_exist_ok=True))
    long = write_video(
        tmp_path_factory.mktemp("long") / "long.mp4", LONG_S, frame_rate_hz=5, samples=tone(LONG_S, 44100)
    )
    with Service(library) as service:
        with Client(service.port) as client:
            client.wait_for(client.upload(long))
        yield f"http://127.0.0.1:{service.port}/"


@pytest.fixture(scope="module")
def untrained(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve footage that no model has encoded yet."""
    directory = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("untrained"), dirs_exist_ok=True))
    shutil.rmtree(directory / "checkpoints")
    with Library.open(directory, create=False) as library:
        library.catalogue.replace_latents(None, [], "raw")
    with Service(directory) as service:
        yield f"http://127.0.0.1:{service.port}/"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a library without footage, to tests that leave it so."""
    with Service(tmp_path_factory.mktemp("bare")) as service:
        yield f"http://127.0.0.1:{service.port}/"


def video_named(client: Client, name: str) -> str:
    """Return the id of a video."""
    return next(one.video_id for one in client.videos() if one.file_name == name)


def is_post(route: Route) -> bool:
    """Say whether a request begins something."""
    return route.request.method == "POST"


def settle(page: Page) -> None:
    """Wait until all that the view asked for is there."""
    page.wait_for_load_state("networkidle")
    expect(page.locator(".loading")).to_have_count(0)


def test_a_video_of_two_minutes_and_a_half_is_localized(open_page: OpenPage) -> None:
    """The library offered it, so it is taken: the minute that is looked at, with the whole above it; and another."""
    page = open_page("#/localize")
    with page.expect_response("**/localize") as answered:
        page.get_by_role("link", name="Open long.mp4").click()
    assert answered.value.status == 200
    assert answered.value.json()["length_s"] == 60
    expect(page.locator(".matrix")).to_be_visible()
    minute = page.get_by_role("slider", name="The minute that is looked at")
    expect(minute).to_have_attribute("aria-valuemax", str(LONG_S))
    with page.expect_response("**/localize") as answered:
        minute.press("Home")
    assert answered.value.json()["from_s"] == 0
    expect(page.locator(".lane.audio .ticks span").first).to_have_text("0:00")


@pytest.mark.parametrize("at", [0, 4, 97, LONG_S - 1])
def test_the_marker_stays_within_the_lane(open_page: OpenPage, client: Client, at: int) -> None:
    """At either end, and where the clip plays on: what was found, the window and the playhead."""
    name = "red-0.mp4" if at < 5 else "long.mp4"
    page = open_page(f"#/localize?video={video_named(client, name)}&at={at}&length=2", phone=True)
    expect(page.locator(".matrix")).to_be_visible()
    for lane in page.locator(".lane").all():
        for part in lane.locator(":is(.window, .found):visible").all():
            assert is_within(part, lane.locator(".track"))
    page.locator(".scene video").evaluate("video => { video.currentTime = video.duration; }")
    expect(page.locator(".lane.audio .playhead")).to_have_count(1)
    page.wait_for_timeout(300)
    for head in page.locator(".playhead:visible").all():
        box, track = head.bounding_box(), head.locator("..").bounding_box()
        assert box is not None
        assert track is not None
        assert track["x"] <= box["x"] <= track["x"] + track["width"]


@pytest.mark.parametrize("name", ["red-0.mp4", "long.mp4"])
def test_no_number_is_broken_on_a_phone(open_page: OpenPage, client: Client, name: str) -> None:
    """A tick is not "1/0" nor a probability "0.4/8": each stands on one line, inside the window."""
    page = open_page(f"#/localize?video={video_named(client, name)}", phone=True)
    expect(page.locator(".matrix")).to_be_visible()
    settle(page)
    assert page.evaluate(BROKEN_NUMBERS) == []
    ticks = (
        page.locator(".ticks")
        .first.locator("span")
        .evaluate_all(
            "all => all.map(tick => { const { left, right } = tick.getBoundingClientRect(); return [left, right]; })"
        )
    )
    assert len(ticks) > 1
    assert all(right <= following for (_, right), (following, _) in pairwise(ticks))


@pytest.mark.parametrize("place", ["#/ask?segment=3&by=audio&find=visual", "#/quality", "#/library"])
def test_no_number_is_broken_elsewhere(open_page: OpenPage, place: str) -> None:
    """Hits, figures and the list, at the width of a phone."""
    page = open_page(place, phone=True)
    settle(page)
    assert page.evaluate(BROKEN_NUMBERS) == []


@pytest.mark.parametrize("place", ["#/ask", "#/localize", "#/imagine", "#/library", "#/map", "#/quality"])
def test_empty_states_name_no_command(bare: str, open_page: OpenPage, watched: Watched, place: str) -> None:
    """Each says what is missing, and leads to where footage is added by a click."""
    watched.origin = bare
    watched.allowed.append("409")
    page = open_page(place, url=bare)
    settle(page)
    assert not COMMAND.search(page.locator("main").inner_text())
    if place not in ("#/library", "#/imagine"):  # imagining needs no footage
        page.locator("main").get_by_role("link", name=re.compile("Add|library", re.I)).first.click()
    if place != "#/imagine":
        expect(page.get_by_text("Add footage", exact=True)).to_be_visible()


@pytest.mark.parametrize("place", ["#/ask", "#/ask?segment=3&by=audio&find=visual", "#/localize", "#/map", "#/quality"])
def test_untrained_states_name_no_command(untrained: str, open_page: OpenPage, watched: Watched, place: str) -> None:
    """A library that has footage and no model says so, and leads to where it is trained."""
    watched.origin = untrained
    watched.allowed += ["409", "503"]
    page = open_page(place, url=untrained)
    settle(page)
    if place == "#/localize":
        page.locator(".cards .shot").first.click()
        settle(page)
    assert not COMMAND.search(page.locator("main").inner_text())
    if place != "#/ask":  # which offers examples; what asks with one is the next place
        page.locator("main").get_by_role("link", name=re.compile("library", re.I)).first.click()
        expect(page.get_by_role("button", name="Train on this footage")).to_be_visible()


def test_a_longer_bar_is_better(open_page: OpenPage) -> None:
    """The less probable that something unrelated is as good, the longer, and the word agrees."""
    page = open_page("#/ask")

    def graded(route: Route) -> None:
        answer = route.fetch().json()
        answer["hits"] = [
            hit | {"chance": chance, "fit": fit}
            for hit, chance, fit in zip(answer["hits"], (0.01, 0.2, 0.7), ("strong", "fair", "weak"), strict=False)
        ]
        route.fulfill(json=answer)

    page.route("**/retrieve", graded)
    page.locator(".cards .shot").first.click()
    expect(page.locator(".fit summary")).to_have_text([re.compile(fit) for fit in ("strong", "fair", "weak")])
    widths = page.locator(".fit .bar i").evaluate_all("all => all.map(bar => bar.getBoundingClientRect().width)")
    assert widths[0] > 1.2 * widths[1] > 2.4 * widths[2] > 0


@pytest.mark.parametrize("view", ["#/ask", "#/localize", "#/library"])
def test_what_is_no_medium_is_not_called_readable(
    open_page: OpenPage, watched: Watched, tmp_path: Path, view: str
) -> None:
    """The refusal stands alone: nothing beside it says that the browser cannot show what may still be readable."""
    watched.allowed.append("415")
    letter = tmp_path / "letter.mp4"
    letter.write_text("Dear reader")
    page = open_page(view)
    page.locator(".drop input").set_input_files(letter)
    expect(page.locator("main .problem:visible").first).to_be_visible()
    expect(page.get_by_text(re.compile("may still|may be readable|may be able", re.I))).to_have_count(0)


def test_an_upload_tells_its_percentage(open_page: OpenPage, tmp_path: Path) -> None:
    """Over a slow line it grows, in words and as a bar."""
    page = open_page("#/library")
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    slow.send("Network.emulateNetworkConditions", line)
    film = write_sound(tmp_path / "slow.wav", sample_rate_hz=192_000)  # 3 s, 1.2 MB
    page.locator(".drop input").set_input_files(film)
    entry = page.locator(".uploads li", has_text="slow.wav")
    seen: list[int] = []
    for _ in range(200):
        if re.search("being read|added|library already", text := entry.inner_text()):
            break
        if found := re.search(r"(\d+) % sent", text):
            seen.append(int(found[1]))
            assert float(entry.locator("progress").get_attribute("value") or 0) >= seen[-1] / 100 - 0.01
        page.wait_for_timeout(50)
    assert len(set(seen)) >= 3
    assert seen == sorted(seen)
    expect(entry).to_contain_text("added")


def test_search_and_localize_are_two_views(open_page: OpenPage) -> None:
    """Each has an address of its own and shows nothing of the other."""
    ask = open_page("#/ask?segment=3&by=audio&find=visual")
    expect(ask.locator(".hits > li").first).to_be_visible()
    expect(ask.locator(".lane, .matrix, .scene")).to_have_count(0)
    localize = open_page("#/localize")
    expect(localize.locator(".cards .shot").first).to_be_visible()
    localize.locator(".cards .shot").first.click()
    expect(localize.locator(".matrix")).to_be_visible()
    expect(localize.locator(".hits")).to_have_count(0)
    height = localize.evaluate("document.documentElement.scrollHeight")
    assert height < 2 * 900, "lanes, answer and matrix fit into two screens"


def test_quality_says_in_the_same_line_what_was_trained_on(
    untrained: str, open_page: OpenPage, watched: Watched
) -> None:
    """Trained by a press on the page, whose job tells its progress; no figure stands without it."""
    watched.origin = untrained
    watched.allowed += ["409", "503"]
    page = open_page("#/library", url=untrained)
    assert not COMMAND.search(page.locator("main").inner_text())
    brief = {"kind": "train", "epochs": 3}  # what is learnt does not matter here
    page.route("**/jobs", lambda route: route.continue_(post_data=brief) if is_post(route) else route.continue_())
    page.get_by_role("button", name="Train on this footage").click()
    work = page.get_by_role("region", name="Work")
    expect(work.get_by_text("Training on your footage")).to_be_visible()
    expect(work.get_by_text(re.compile("The new model serves"))).to_be_visible(timeout=MOST_TRAINING_MS)
    expect(work.get_by_role("img", name=re.compile(r"After \d+ epochs"))).to_be_visible()
    page.get_by_role("link", name="How good is it?", exact=True).first.click()
    expect(page.locator(".figure").first).to_be_visible()
    lines = page.locator(".figure p:first-child").all_inner_texts()
    assert all(re.search(r": [01]\.\d\d \(\d of the \d were used in training", line) for line in lines), lines
