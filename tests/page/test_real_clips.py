"""Real clips with the front-end `pretrained`: every view, and that what is asked for is what is found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from page_samples import OpenPage, faults_on_both_sizes, is_within
from playwright.sync_api import Page, expect

from benchmarks.service.live_service import Client, Service

pytestmark = pytest.mark.shared
DOGS = ("f6c2a07c9202", "6cf1f161e1e0")
NO_DOGS = (
    "23f414f2565a",
    "26a7f38cf4e0",
    "4827038734b4",
    "668fc4a60026",
    "66f7b96b318a",
    "6a5c43d0e658",
    "16bb92c3b203",
    "a67eb15c28a8",
    "b1f099aa350f",
    "d02c94df308f",
)
CLIPS = (*DOGS, *NO_DOGS)
DOG = "f6c2a07c9202.mp4"
OTHER_DOG = "9bd75eb76bef.mp4"  # not in the library
FITTING = {"dog-bark": "dog", "baby-cry": "baby", "chainsaw": "chainsaw|lawn mowing"}
HITS = ".hits > li"


@pytest.fixture(scope="module")
def live(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve clips that were taken in with their labels."""
    pytest.importorskip("ai_edge_litert")
    library = tmp_path_factory.mktemp("clips")
    shutil.copytree(shared / "frontends", library / "frontends")
    files = [str(shared / "clips" / f"{name}.mp4") for name in CLIPS]
    options = ["--library", str(library), "--frontend", "pretrained", "--labels", str(shared / "clips" / "clips.csv")]
    subprocess.run([sys.executable, "-m", "app.cli", "ingest", *files, *options], check=True, capture_output=True)
    with Service(library) as service:
        yield f"http://127.0.0.1:{service.port}/"


@pytest.fixture(scope="module")
def dog(client: Client) -> tuple[str, int]:
    """Return the id of a barking dog's video, and of its loudest second."""
    video = next(one for one in client.videos() if one.file_name == DOG)
    peaks = client.http.get(f"/videos/{video.video_id}/peaks?per_s=1&length_s=10").json()["peaks"]
    return video.video_id, client.second(video.video_id, peaks.index(max(peaks))).segment_id


def ask_with(page: Page, path: Path) -> list[str]:
    """Choose a file as the question; return the labels of the hits, best first."""
    page.goto(page.url.partition("#")[0] + "#/ask")
    page.locator(".start .drop input").set_input_files(path)
    return labels_of(page)


def labels_of(page: Page) -> list[str]:
    """Wait for the hits, and return their labels, best first."""
    expect(page.locator(HITS).first).to_be_visible()
    return page.locator(f"{HITS} .label").all_inner_texts()


@pytest.mark.parametrize(
    ("place", "there"),
    [
        ("#/ask", ".cards .shot"),
        ("#/ask?segment={segment}&by=audio&find=visual", HITS),
        ("#/localize", ".cards .shot"),
        ("#/localize?video={video}", ".matrix"),
        ("#/imagine", ".empty"),
        ("#/library", ".rows .video"),
        ("#/map", "canvas.plane"),
        ("#/quality", ".figure"),
    ],
)
def test_every_view(open_page: OpenPage, dog: tuple[str, int], place: str, there: str) -> None:
    """It shows what it is for, and axe finds nothing serious on it: a dark phone and a light desktop."""
    page = open_page(place.format(video=dog[0], segment=dog[1]))
    expect(page.locator(there).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert faults_on_both_sizes(page) == []


def test_a_sound_finds_pictures_that_fit(open_page: OpenPage, shared: Path) -> None:
    """Of nine recordings of three kinds at least six find a picture of their kind first; guessing finds one or two."""
    page, right = open_page("#/ask"), 0
    for kind, fitting in FITTING.items():
        for path in sorted((shared / "esc10" / kind).glob("*.ogg"))[:3]:
            right += bool(re.search(fitting, ask_with(page, path)[0]))
    assert right >= 6


def test_a_frame_finds_sounds_that_fit(open_page: OpenPage, shared: Path, tmp_path: Path) -> None:
    """A still of a dog that the library has never seen finds a bark among the first two of twelve."""
    with av.open(str(shared / "clips" / OTHER_DOG)) as container:
        next(container.decode(video=0)).to_image().save(tmp_path / "dog.png")
    labels = ask_with(open_page("#/ask"), tmp_path / "dog.png")
    assert any("dog" in label for label in labels[:2])


def test_a_video_finds_by_its_sound(open_page: OpenPage, shared: Path) -> None:
    """A clip that is not in the library, given whole, finds a dog first, and is shown with its waveform."""
    page = open_page("#/ask")
    assert "dog" in ask_with(page, shared / "clips" / OTHER_DOG)[0]
    expect(page.locator(".lane canvas.waveform")).to_be_visible()


@pytest.mark.parametrize("find", ["pictures", "sounds"])
def test_a_word_finds(open_page: OpenPage, find: str) -> None:
    """This front-end knows words, so they are offered: both dogs come first."""
    page = open_page("#/ask")
    words = page.get_by_label("or say what it is")
    words.fill(words.get_attribute("placeholder") or "")
    expect(words).to_have_value("dog barking, not rain")
    page.get_by_role("button", name="Ask", exact=True).click()
    labels_of(page)
    with page.expect_response("**/retrieve"):
        page.get_by_role("group", name="Find").get_by_text(find).click() if find == "sounds" else page.reload()
    labels = labels_of(page)
    assert all("dog" in label for label in labels[:2]), labels


def test_a_hit_plays_its_moment(open_page: OpenPage, dog: tuple[str, int]) -> None:
    """In the whole video, from before the second that was found, on beyond it."""
    page = open_page(f"#/ask?segment={dog[1]}&by=audio&find=visual&every=1&video={dog[0]}")
    hit = page.locator(HITS).nth(3)
    start_s = int(re.search(r"0:(\d\d)–", hit.inner_text()).group(1))  # type: ignore[union-attr]
    hit.locator(".shot").click()
    player = hit.locator(".moment video")
    expect(player).to_have_js_property("paused", False)
    page.wait_for_timeout(1500)
    at_s, lasts_s = player.evaluate("video => [video.currentTime, video.duration]")
    assert max(0, start_s - 2) + 0.3 < at_s < start_s + 3
    assert lasts_s == pytest.approx(10, abs=0.2)
    with page.expect_download() as saved:
        hit.get_by_role("link", name=re.compile("Download")).click()
    with av.open(str(saved.value.path())) as excerpt:
        assert {stream.type for stream in excerpt.streams} == {"audio", "video"}
    assert saved.value.suggested_filename.endswith(".mp4")


@pytest.mark.parametrize("by", ["audio", "visual"])
def test_a_clip_is_localized_by_its_id(open_page: OpenPage, dog: tuple[str, int], by: str) -> None:
    """Nothing is uploaded; the other lane answers in words and with a window inside it; another press asks anew."""
    page = open_page("#/map")
    with page.expect_request("**/localize") as asked:
        page.goto(f"{page.url.partition('#')[0]}#/localize?video={dog[0]}&by={by}")
    assert b"filename" not in (asked.value.post_data_buffer or b"")
    said = page.get_by_role("region", name="The answer").get_by_role("heading")
    expect(said).to_have_text(re.compile("No window stands out|is seen at|is heard at"))
    lane = page.locator(".lane.visual" if by == "audio" else ".lane.audio")
    assert is_within(lane.locator(".found"), lane.locator(".track"))
    with page.expect_response("**/localize"):
        page.get_by_role("slider", name=re.compile("the stretch that asks")).press("Home")
    expect(said).to_have_text(re.compile("No window stands out|is seen at|is heard at"))


def test_the_clip_plays_in_step(open_page: OpenPage, dog: tuple[str, int]) -> None:
    """The playhead of both lanes and the column of the matrix go along with the video."""
    page = open_page(f"#/localize?video={dog[0]}")
    expect(page.locator(".matrix")).to_be_visible()
    page.locator(".scene video").evaluate("video => { video.muted = true; return video.play(); }")
    expect(page.locator(".playhead:visible")).to_have_count(2)
    before = page.locator(".matrix-frame .now").evaluate("now => now.style.left")
    expect(page.locator(".matrix-frame .now")).not_to_have_js_property("style.left", before)
    page.wait_for_timeout(1500)
    assert page.locator(".matrix-frame .now").evaluate("now => now.style.left") != before


def test_imagining_is_not_offered(open_page: OpenPage, dog: tuple[str, int]) -> None:
    """These networks recognize and do not draw: no hit offers it, and its address says why, with a way on."""
    page = open_page(f"#/ask?segment={dog[1]}&by=audio&find=visual")
    expect(page.locator(HITS).first).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Imagine"))).to_have_count(0)
    page.goto(page.url.partition("#")[0] + f"#/imagine?segment={dog[1]}")
    expect(page.get_by_role("heading", name="This library cannot imagine")).to_be_visible()
    expect(page.locator("main").get_by_role("link", name="Ask")).to_be_visible()


def test_the_card_says_what_it_is(open_page: OpenPage) -> None:
    """One's own footage, by which networks, not trained on yet, and what training would do."""
    page = open_page("#/library")
    card = page.get_by_role("region", name="The library")
    expect(card.get_by_role("heading", name="Your library")).to_be_visible()
    expect(card).to_contain_text(f"{len(CLIPS)} recordings")
    expect(card).to_contain_text("learnt the names of sounds and pictures from real recordings")
    expect(card).to_contain_text("not been trained on your footage yet")
    expect(card.get_by_role("button", name="Train on this footage")).to_be_visible()
    expect(card.get_by_role("button", name=re.compile("Change to"))).to_have_count(0)
    expect(page.locator(".rows .video img").first).to_be_visible()


def test_quality_of_a_model_that_has_not_been_trained_here(open_page: OpenPage) -> None:
    """It is better than guessing both ways, is said not to know this library, and none is called trained on."""
    page = open_page("#/quality")
    expect(page.locator(".figure").first).to_be_visible()
    expect(page.get_by_text("The model has not been trained on this library.")).to_be_visible()
    expect(page.get_by_text("were used in training")).to_have_count(0)
    own = page.locator(".figure").all_inner_texts()[:2]
    for text in own:
        found = re.search(r": (\d\.\d\d).*guessing gives (\d\.\d\d)", text, re.S)
        assert found
        assert float(found[1]) > 1.3 * float(found[2])


def test_the_map_names_clusters(open_page: OpenPage) -> None:
    """In concepts that people know, each with seconds that ask by a click."""
    page = open_page("#/map")
    page.locator("summary", has_text="in words").click()
    clusters = page.locator("details > ul > li")
    assert re.search(r"\d+ points?, \w+", clusters.first.inner_text())
    clusters.first.get_by_role("link").first.click()
    expect(page.locator(HITS).first).to_be_visible()
