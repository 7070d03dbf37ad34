"""Where in a clip: by keyboard and touch, in recordings of any length, with files that are gone or cannot be played."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from media_samples import tone, write_sound, write_video
from page_samples import OpenPage, Watched, overflowing, serious_findings
from playwright.sync_api import Locator, Page, expect

from benchmarks.service.live_service import Client, Service

LONG_S = 150
ANSWERED = re.compile("No window stands out|Nothing here|seen at")
HEARD = re.compile("What is heard")
OF_THE_WHOLE = "The minute that is looked at"


@pytest.fixture(scope="module")
def served(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve a library that has a long video, a clip of one second and one whose file is gone; ids by file name."""
    directory = tmp_path_factory.mktemp("where")
    library = Path(shutil.copytree(pristine, directory / "library"))
    clips = [
        write_video(directory / "long.mp4", LONG_S, frame_rate_hz=5, samples=tone(LONG_S, 44100, 440)),
        write_video(directory / "second.mp4", 1.0, frame_rate_hz=10),
        write_video(directory / "gone.mp4", 7.0, frame_rate_hz=10, samples=tone(7, 44100, 700)),
    ]
    with Service(library) as service:
        with Client(service.port) as client:
            for clip in clips:
                client.wait_for(client.upload(clip))
            ids = {video.file_name: video.video_id for video in client.videos()}
            gone = client.original(ids["gone.mp4"])
        (path,) = [path for path in (library / "media").iterdir() if path.read_bytes() == gone]
        path.unlink()
        yield f"http://127.0.0.1:{service.port}/", ids


@pytest.fixture
def look(served: tuple[str, dict[str, str]], open_page: OpenPage, watched: Watched) -> OpenPage:
    """Return a function that opens a clip of that library: look("long.mp4", "&from=60", phone=True)."""
    url, ids = served

    def opened(name: str, more: str = "", **how: bool) -> Page:
        watched.origin = url
        page: Page = open_page(f"#/localize?video={ids[name]}{more}" if name else "#/localize", url=url, **how)
        if name:
            expect(page.get_by_role("region", name="The answer").get_by_role("heading")).to_be_visible()
        return page

    return opened


def span(one: Locator) -> tuple[float, float]:
    """Return the left and the right edge of what is seen."""
    box = one.bounding_box()
    assert box is not None
    return box["x"], box["x"] + box["width"]


def seek(page: Page, time_s: float) -> None:
    """Move the player as a person does, by its own controls."""
    page.locator(".player video").evaluate(
        """(video, time_s) => new Promise((done) => {
            const go = () => {
                video.addEventListener('seeked', done, { once: true });
                video.currentTime = time_s;
            };
            video.readyState ? go() : video.addEventListener('loadeddata', go, { once: true });
        })""",
        time_s,
    )


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_bars_and_matrix_stand_under_the_lanes(look: OpenPage, phone: bool) -> None:
    """Same edges, same columns: a second is at the same place in lanes, bars and matrix."""
    page = look("red-0.mp4", "&start=1&length=2", phone=phone)
    left, right = span(page.locator(".lane.audio .track"))
    for below in (".lane.visual .track", ".bars", ".matrix"):
        assert span(page.locator(below)) == pytest.approx((left, right), abs=0.6)
    best = span(page.locator(".bars .best"))[0]
    assert best == pytest.approx(span(page.locator(".lane.visual .found"))[0], abs=1.5)
    assert overflowing(page) <= 0


def test_bars_are_reached_by_keyboard(look: OpenPage) -> None:
    """Arrow keys move over the windows, the value is told, the mark on the answering lane moves along, Enter plays."""
    page = look("red-0.mp4", "&start=1&length=2")
    bars = page.get_by_role("slider", name=re.compile("How probable"))
    bars.press("Home")
    expect(bars).to_have_attribute("aria-valuetext", re.compile(r"0:00–0:02.*\d %.*chance 25 %"))
    first = span(page.locator(".lane.visual .found"))[0]
    bars.press("ArrowRight")
    expect(bars).to_have_attribute("aria-valuetext", re.compile("0:01–0:03"))
    column = (lambda edges: (edges[1] - edges[0]) / 5)(span(page.locator(".bars")))
    assert span(page.locator(".lane.visual .found"))[0] - first == pytest.approx(column, abs=1)
    bars.press("End")
    expect(bars).to_have_attribute("aria-valuetext", re.compile("0:03–0:05"))
    bars.press("Enter")
    expect(page.locator(".player video")).to_have_js_property("paused", False)
    assert page.locator(".player video").evaluate("video => video.currentTime") >= 2.9
    assert serious_findings(page) == []


def test_the_matrix_is_reached_by_keyboard(look: OpenPage) -> None:
    """Left and right move over the seconds searched, up and down over those asked; both times and the distance."""
    page = look("red-0.mp4", "&start=1&length=2")
    matrix = page.get_by_role("slider", name=re.compile("s heard against"))
    matrix.press("Home")
    expect(matrix).to_have_attribute("aria-valuetext", re.compile(r"0:01 heard, 0:00 seen: distance \d"))
    matrix.press("ArrowDown")
    expect(matrix).to_have_attribute("aria-valuetext", re.compile("0:02 heard, 0:00 seen"))
    matrix.press("ArrowRight")
    matrix.press("ArrowRight")
    expect(matrix).to_have_attribute("aria-valuetext", re.compile("0:02 heard, 0:02 seen"))
    # The window in which the second asked second meets 0:02 begins at 0:01.
    expect(page.locator(".told-found")).to_have_text("chosen: 0:01–0:03")
    matrix.press("Enter")
    expect(page.locator(".player video")).to_have_js_property("paused", False)


def test_bars_and_matrix_take_a_finger(look: OpenPage) -> None:
    """A tap chooses and plays; what it means stands in words."""
    page = look("red-0.mp4", "&start=1&length=2", phone=True)
    for where, words in ((".bars", "0:02–0:04"), (".matrix-frame", "0:02 seen")):
        box = page.locator(where).bounding_box()
        assert box is not None
        page.locator(where).tap(position={"x": box["width"] * 0.5, "y": 9})
        expect(page.get_by_role("slider").and_(page.locator(where))).to_have_attribute(
            "aria-valuetext", re.compile(words)
        )
        expect(page.locator(".player video")).to_have_js_property("paused", False)
    expect(page.locator(".at-hand").first).to_contain_text("0:02–0:04")


def test_the_found_window_moves_with_the_question(look: OpenPage) -> None:
    """It is drawn on the lane that answers, as wide as what is asked, and named in words."""
    page = look("red-0.mp4", "&start=0&length=2")
    found, lane = page.locator(".lane.visual .found"), page.locator(".lane.visual .track")
    left, right = span(found)
    whole = span(lane)
    assert right - left == pytest.approx((whole[1] - whole[0]) * 2 / 5, abs=1)
    expect(page.locator(".told-found")).to_contain_text(re.compile(r"0:0\d–0:0\d"))
    with page.expect_response("**/localize"):
        page.get_by_role("slider", name=HEARD).press("Shift+ArrowRight")
    expect(page.get_by_role("slider", name=re.compile("How probable"))).to_have_attribute("aria-valuemax", "2")
    left, right = span(found)
    assert right - left == pytest.approx((whole[1] - whole[0]) * 3 / 5, abs=1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("&start=1&length=2.4", "0:01–0:03"),
        ("&start=1.6&length=1", "0:02–0:03"),
        ("&at=2.2&length=1", "0:02–0:03"),
        ("&start=x&length=-4", "1 seconds"),
        ("&from=0.4&start=1&length=99", "0:00–0:05"),
    ],
)
def test_an_address_with_fractions_is_rounded(look: OpenPage, given: str, told: str) -> None:
    """The service takes whole seconds: nothing is refused that a person may have typed or been sent."""
    page = look("red-0.mp4", given)
    expect(page.get_by_role("slider", name=HEARD)).to_have_attribute("aria-valuetext", re.compile(told))
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_fraction_of_a_minute_is_rounded(look: OpenPage) -> None:
    """Of a long video, too."""
    page = look("long.mp4", "&from=1.4&start=20&length=2.5", phone=True)
    assert re.search(r"from=1&start=20&length=3\b", page.url)
    right = span(page.locator(".lane.audio .track"))[1]
    assert all(span(tick)[1] <= right for tick in page.locator(".ticks span").all()), "a time under a lane is cut off"


def test_bars_that_are_alike_do_not_look_certain(look: OpenPage) -> None:
    """Chance is a line at a third of the height at most, unless chance itself is high; equal bars end at it."""
    page = look("red-0.mp4", "&start=1&length=1")
    flat = {"stands_out": False, "fit": "fair", "start_s": 2, "end_s": 3}

    def answer(route) -> None:  # type: ignore[no-untyped-def]
        body = route.fetch().json() | flat
        for window in body["windows"]:
            window["probability"] = 1 / len(body["windows"])
        route.fulfill(json=body)

    page.route("**/localize", answer)
    with page.expect_response("**/localize"):
        page.get_by_role("slider", name=HEARD).press("ArrowRight")
    expect(page.get_by_role("heading", name="No window stands out")).to_be_visible()
    frame, line = page.locator(".bars").bounding_box(), page.locator(".bars .chance").bounding_box()
    assert frame is not None
    assert line is not None
    tops = {round(box["y"]) for bar in page.locator(".bars i").all() if (box := bar.bounding_box())}
    assert len(tops) == 1
    assert tops.pop() == pytest.approx(line["y"], abs=2)
    assert frame["y"] + frame["height"] - line["y"] < 0.7 * frame["height"]
    expect(page.locator(".bars-legend")).to_contain_text("chance")


@pytest.mark.parametrize(
    ("fit", "stands_out", "title"),
    [
        ("strong", True, "What is heard at 0:01–0:02 is seen at 0:02–0:03"),
        ("weak", True, "What is heard at 0:01–0:02 may be seen at 0:02–0:03"),
        ("weak", False, "No window stands out"),
        ("nothing", True, "Nothing here looks like what is heard at 0:01–0:02"),
        (None, True, "What is heard at 0:01–0:02 is seen at 0:02–0:03"),
    ],
)
def test_the_title_says_how_sure_the_answer_is(look: OpenPage, fit: str | None, stands_out: bool, title: str) -> None:
    """By how well the best window fits, and whether it stands out among the others."""
    page = look("red-0.mp4", "&start=0&length=1")
    given = {"fit": fit, "stands_out": stands_out, "start_s": 2, "end_s": 3}
    page.route("**/localize", lambda route: route.fulfill(json=route.fetch().json() | given))
    page.get_by_role("slider", name=HEARD).press("ArrowRight")
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()


def test_a_clip_of_one_second_has_one_place(look: OpenPage) -> None:
    """That no window stands out would be no answer."""
    page = look("second.mp4")
    expect(page.get_by_role("heading", name="There is only one place")).to_be_visible()
    expect(page.get_by_text("No window stands out")).to_have_count(0)
    expect(page.locator(".bars")).to_have_count(0)


def test_a_file_that_is_gone_is_said_and_asked(look: OpenPage, watched: Watched) -> None:
    """No black player without a word; what is stored of it answers all the same."""
    watched.allowed.append("404")
    page = look("gone.mp4", "&start=1&length=2")
    expect(page.locator(".player")).to_contain_text("is no longer where it was")
    expect(page.locator(".player").get_by_role("link", name="To the library")).to_be_visible()
    expect(page.locator(".player video")).to_be_hidden()
    expect(page.get_by_role("heading", name=ANSWERED)).to_be_visible()
    page.get_by_role("slider", name=re.compile("How probable")).press("Enter")
    assert serious_findings(page) == []


@pytest.mark.parametrize("playing", [False, True], ids=["paused", "playing"])
def test_the_minute_follows_where_the_player_is_sought(look: OpenPage, playing: bool) -> None:
    """Who seeks has chosen a place: lanes, question and address go there, the player stays; Back returns."""
    page = look("long.mp4", "&from=0&start=5&length=2")
    if playing:
        page.locator(".player video").evaluate("video => video.play()")
    with page.expect_response("**/localize"):
        seek(page, 101.5)
    window = page.get_by_role("slider", name=HEARD)
    expect(window).to_have_attribute("aria-valuemin", re.compile("^7[12]$"))
    expect(window).to_have_attribute("aria-valuetext", re.compile("1:4[12]–1:4[34]"))
    expect(page.get_by_role("slider", name=OF_THE_WHOLE)).to_have_attribute("aria-valuenow", re.compile("^7[12]$"))
    assert re.search(r"from=7[12]&start=10[12]&length=2", page.url)
    assert page.locator(".player video").evaluate("video => video.currentTime") == pytest.approx(102, abs=5)
    assert page.locator(".player video").evaluate("video => video.paused") is not playing
    page.go_back()
    expect(page.get_by_role("slider", name=HEARD)).to_have_attribute("aria-valuetext", re.compile("0:05–0:07"))


def test_playing_on_offers_the_next_minute(look: OpenPage) -> None:
    """Who listens keeps the question; a button goes along, and a pause does it by itself."""
    page = look("long.mp4", "&from=0&start=55&length=2")
    seek(page, 58.5)
    expect(page.get_by_role("button", name="Look there")).to_be_hidden()
    page.locator(".player video").evaluate("video => video.play()")
    there = page.get_by_role("button", name="Look there")
    expect(there).to_be_visible()
    expect(page.get_by_role("slider", name=HEARD)).to_have_attribute("aria-valuetext", re.compile("0:55–0:57"))
    page.locator(".player video").evaluate("video => video.pause()")
    expect(page.get_by_role("slider", name=HEARD)).to_have_attribute("aria-valuetext", re.compile("1:0[0-9]–"))
    expect(there).to_be_hidden()


def test_the_minute_is_moved_by_keys_without_losing_them(look: OpenPage) -> None:
    """The overview keeps the keyboard while the lanes below it change."""
    page = look("long.mp4", "&from=0&start=5&length=2")
    whole = page.get_by_role("slider", name=OF_THE_WHOLE)
    with page.expect_response("**/localize"):
        whole.press("PageUp")
    expect(page.get_by_role("slider", name=HEARD)).to_have_attribute("aria-valuemin", "10")
    expect(whole).to_be_focused()
    assert "from=10" in page.url


def test_an_own_file_that_is_too_long_is_not_sent(look: OpenPage, tmp_path: Path) -> None:
    """Before anything is sent it is said, with a way on: added to the library, it can be asked."""
    page = look("")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(urlsplit(request.url).path))
    clip = write_video(tmp_path / "own.mp4", 75.0, frame_rate_hz=2, samples=tone(75, 44100, 440))
    page.locator(".start .drop input").set_input_files(clip)
    expect(page.get_by_text(re.compile("lasts 1:15"))).to_be_visible()
    assert "/localize" not in sent
    assert serious_findings(page) == []
    page.get_by_role("button", name="Add it to the library").click()
    expect(page.get_by_role("slider", name=OF_THE_WHOLE)).to_be_visible()
    assert re.search("#/localize.video=", page.url)


def test_an_own_file_of_unknown_length_is_refused_with_the_same_way_on(
    look: OpenPage, watched: Watched, tmp_path: Path
) -> None:
    """Where the browser cannot read it, the service says that it is too long."""
    watched.allowed.append("422")
    page = look("")
    clip = write_video(tmp_path / "own.avi", 75.0, frame_rate_hz=2, samples=tone(75, 44100, 440))
    page.locator(".start .drop input").set_input_files(clip)
    expect(page.get_by_role("button", name="Add it to the library")).to_be_visible()
    expect(page.get_by_text(re.compile("over a minute"))).to_be_visible()


def test_an_own_file_that_the_browser_cannot_read_shows_its_length(look: OpenPage, tmp_path: Path) -> None:
    """The answer tells how long it is; the lanes take that, nothing is sent twice, and why there is no picture."""
    page = look("")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(urlsplit(request.url).path))
    clip = write_video(tmp_path / "own.avi", 9.0, samples=tone(9, 44100, 440))
    page.locator(".start .drop input").set_input_files(clip)
    expect(page.get_by_role("slider", name=HEARD)).to_have_attribute("aria-valuemax", "9")
    assert sent.count("/localize") == 1
    expect(page.locator(".lane.visual")).to_contain_text("cannot show its pictures")
    expect(page.locator(".player")).to_contain_text("cannot play")


def test_an_own_file_shows_its_pictures(look: OpenPage, tmp_path: Path) -> None:
    """They are taken here, from the file itself."""
    page = look("")
    page.locator(".start .drop input").set_input_files(write_video(tmp_path / "own.mp4", 6.0, size=(160, 120)))
    strip = page.locator(".lane.visual canvas.film")
    expect(strip).to_have_attribute("data-frames", re.compile("^[1-9]"))
    drawn = strip.evaluate(
        """(canvas) => {
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return [...new Set(data.filter((_, i) => i % 4 === 0))].length;
        }"""
    )
    assert drawn > 3  # the brightness of this clip changes with time


def test_the_library_s_film_keeps_the_shape_of_its_pictures(look: OpenPage) -> None:
    """Each picture is cut to its column, not squeezed into it."""
    page = look("red-0.mp4", phone=True)
    strip = page.locator(".lane.visual canvas.film")
    expect(strip).to_have_attribute("data-frames", re.compile("^[1-9]"))


def test_sound_without_its_picture_plays_as_an_excerpt(look: OpenPage, tmp_path: Path) -> None:
    """As HEVC does where the browser has no decoder for it: the sound plays and the picture stays black."""
    sound = write_sound(tmp_path / "s.wav", np.asarray(tone(5, 16000)), 16000).read_bytes()
    page = look("")
    page.route("**/original*", lambda route: route.fulfill(status=200, body=sound, content_type="video/mp4"))
    with page.expect_response(re.compile(r"/excerpt\?")):
        page.locator(".cards .shot").first.click()
    page.goto(f"{page.url.partition('#')[0]}#/ask?segment=3&by=audio&find=visual")
    with page.expect_response(re.compile(r"/excerpt\?")):
        page.locator(".hits > li .shot").first.click()
