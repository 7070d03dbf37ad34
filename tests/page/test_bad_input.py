"""What a person can give that cannot be used, in the page: each is told in words, and the page goes on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from media_samples import tone, write_picture, write_sound, write_video
from page_samples import OpenPage, Watched, client_of, overflowing
from playwright.sync_api import Browser, Page, expect

from app.http import keys
from benchmarks.service.live_service import Service

HITS = ".hits > li"
MOST_BYTES = 1_000_000
DASHES = re.compile(r"\b(NaN|undefined|null|Infinity|\[object)\b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of the server that may be taken in."""
    return tmp_path_factory.mktemp("may_be_taken_in")


@pytest.fixture(scope="module")
def live(pristine: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a copy of the small library that takes uploads of a megabyte at most."""
    library = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("bad"), dirs_exist_ok=True))
    settings = {"most_upload_bytes": MOST_BYTES, "ingest_roots": f'["{folder}"]'}
    with Service(library, settings) as service:
        yield f"http://127.0.0.1:{service.port}/"


def written(directory: Path, what: str) -> Path:
    """Write a file that a person could give by mistake."""
    if what == "nothing":
        (directory / "empty.mp3").touch()
        return directory / "empty.mp3"
    if what == "text":
        (directory / "letter.mp3").write_text("Dear reader, this is no sound. " * 40)
        return directory / "letter.mp3"
    if what == "archive":
        (directory / "clips.zip").write_bytes(b"PK\x03\x04" + bytes(3000))
        return directory / "clips.zip"
    if what == "no second":
        return write_sound(directory / "short.wav", np.zeros(0, np.float32), 16000)
    if what == "silence":
        return write_sound(directory / "quiet.wav", 0 * tone(3, 16000), 16000)
    whole = write_video(directory / "whole.mp4", 5.0).read_bytes()  # its table of contents is at its end
    (directory / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return directory / "cut.mp4"


def give(page: Page, path: Path) -> None:
    """Choose a file as the question."""
    page.locator(".start .drop input").set_input_files(path)


def drop(page: Page, zone: str, *names: str, texts: bool = False) -> None:
    """Drop files of a few bytes, or text, on a zone."""
    page.locator(zone).evaluate(
        """(zone, { names, texts }) => {
            const dataTransfer = new DataTransfer();
            for (const name of names) dataTransfer.items.add(new File(['no medium'], name));
            if (texts) dataTransfer.setData('text/plain', 'a dog');
            zone.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        {"names": list(names), "texts": texts},
    )


def sound_of_page(page: Page) -> str:
    """Return what is said of the problem; it is no code, no stack and no empty value."""
    alert = page.locator("main [role=alert]:visible").first
    expect(alert).to_be_visible()
    text = alert.inner_text()
    assert len(text) > 20
    assert not re.search(r"Traceback|Error:|errno|\b[45]\d\d\b|/tmp/", text), text
    assert not DASHES.search(text)
    return text


def is_well(page: Page) -> None:
    """Check that the page goes on: a question that can be answered is."""
    page.goto(page.url.partition("#")[0] + "#/ask")
    page.locator(".cards .shot").first.click()
    expect(page.locator(HITS).first).to_be_visible()


@pytest.mark.parametrize("what", ["nothing", "text", "archive", "no second", "silence", "cut"])
def test_a_question_that_is_none(open_page: OpenPage, watched: Watched, tmp_path: Path, what: str) -> None:
    """It is refused in words, and something else can be asked."""
    watched.allowed += ["415", "422"]
    page = open_page("#/ask")
    give(page, written(tmp_path, what))
    text = sound_of_page(page)
    expect(page.locator(".hits")).to_have_count(0)
    assert what != "silence" or "silent" in text
    is_well(page)


@pytest.mark.parametrize("what", ["nothing", "text", "archive", "no second", "cut"])
def test_footage_that_is_none(open_page: OpenPage, watched: Watched, tmp_path: Path, live: str, what: str) -> None:
    """Its line says why it was not taken, and the library holds what it held."""
    watched.allowed += ["415", "422"]
    page = open_page("#/library")
    path = written(tmp_path, what)
    page.locator(".drop input").set_input_files(path)
    line = page.locator(".uploads li", has_text=path.name)
    expect(line.locator(".problem")).to_be_visible()
    assert len(line.locator(".problem").inner_text()) > 20
    with client_of(live) as client:
        assert len(list(client.videos())) == 6


def test_a_black_picture_is_answered(open_page: OpenPage, tmp_path: Path) -> None:
    """It is a picture, though it shows nothing: an answer, and how little it fits."""
    page = open_page("#/ask")
    give(page, write_picture(tmp_path / "black.png", np.zeros((48, 64, 3), np.uint8)))
    expect(page.locator(".answer h2")).to_be_visible()
    assert not DASHES.search(page.locator("main").inner_text())


def test_a_file_that_is_too_large_is_not_sent(open_page: OpenPage, tmp_path: Path) -> None:
    """The page knows how much the service takes, and says so before it sends anything: library, question and clip."""
    large = write_sound(tmp_path / "large.wav", tone(20, 48000), 48000)
    assert large.stat().st_size > MOST_BYTES
    page = open_page("#/library")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.locator(".drop input").set_input_files(large)
    expect(page.locator(".uploads li")).to_contain_text("large.wav has 1.9 MB; the service takes at most 1.0 MB")
    for view in ("#/ask", "#/localize"):
        page.goto(page.url.partition("#")[0] + view)
        page.locator(".start .drop input").set_input_files(large)
        assert "at most 1.0 MB" in sound_of_page(page)
    assert sent == []


@pytest.mark.parametrize(
    "place",
    [
        "#/localize?video=NOPE",
        "#/localize?video=0123456789abcdef",
        "#/localize?file=7",
        "#/ask?segment=NOPE",
        "#/ask?segment=-1",
        "#/ask?segment=999999999999999999999",
        "#/ask?file=x",
        "#/imagine?segment=NOPE",
        "#/ask?segment=3&by=smell&find=taste",
        "#/ask?segment=3&by=audio&find=visual&video=NOPE",
        "#/ask?segment=3&by=audio&find=visual&modified_after=yesterday",
        "#/nope",
        "#/__proto__",
        "#/ask?text=%00%FF",
    ],
)
def test_a_dead_link(open_page: OpenPage, watched: Watched, place: str) -> None:
    """What cannot be shown is said, or the view begins anew; nothing is half drawn, and the page goes on."""
    watched.allowed += ["400", "404", "409", "422"]
    page = open_page(place)
    page.wait_for_load_state("networkidle")
    expect(page.locator(".loading")).to_have_count(0)
    told = page.locator("main [role=alert]:visible, main h1:visible, main h2:visible").all_inner_texts()
    assert any(len(text) > 5 for text in told)
    assert not DASHES.search(page.locator("main").inner_text())
    is_well(page)


@pytest.mark.parametrize("fields", ["at=-5", "at=9e9", "at=abc", "from=-1e3", "start=1.5&length=0.3", "length=-2"])
def test_an_address_with_an_odd_time(open_page: OpenPage, watched: Watched, live: str, fields: str) -> None:
    """The nearest time that there is, is taken: an answer, and no second outside the clip."""
    with client_of(live) as client:
        video = next(iter(client.videos())).video_id
    page = open_page(f"#/localize?video={video}&{fields}")
    expect(page.locator(".matrix")).to_be_visible()
    assert not DASHES.search(page.locator("main").inner_text())
    times = re.findall(r"\b\d+:(\d\d)\b", page.locator("main").inner_text())
    assert max(map(int, times)) <= 5


@pytest.mark.parametrize("fields", ["k=abc", "every=maybe", "nothing=1&nothing=2", "label=&name=&folder="])
def test_an_address_with_odd_fields(open_page: OpenPage, fields: str) -> None:
    """What means nothing changes nothing."""
    page = open_page(f"#/ask?segment=3&by=audio&find=visual&{fields}")
    expect(page.locator(HITS).first).to_be_visible()


def test_text_that_is_pasted_or_dropped_asks_nothing(open_page: OpenPage) -> None:
    """There is no file in it: the view stays as it is."""
    page = open_page("#/ask")
    page.evaluate(
        """() => {
            const clipboardData = new DataTransfer();
            clipboardData.setData('text/plain', 'a dog');
            document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
        }"""
    )
    drop(page, ".start .drop", texts=True)
    page.wait_for_timeout(200)
    assert page.url.endswith("#/ask")
    expect(page.locator(".over")).to_have_count(0)


def test_two_files_at_once_are_said_to_be_one_too_many(open_page: OpenPage) -> None:
    """One is asked at a time: that is said, and none of them is passed over in silence."""
    page = open_page("#/ask")
    drop(page, ".start .drop", "one.wav", "two.wav")
    expect(page.get_by_text("One file at a time: these are 2.")).to_be_visible()


def test_a_folder_that_is_dropped_as_a_question_is_named(open_page: OpenPage) -> None:
    """It comes as a file that cannot be read; the page says that it is a folder, and that the library takes those."""
    page = open_page("#/ask")
    page.locator(".start .drop").evaluate(
        """(zone) => {
            const event = new DragEvent('drop', { bubbles: true, cancelable: true });
            const item = { webkitGetAsEntry: () => ({ isDirectory: true, name: 'Holiday' }) };
            const dataTransfer = { files: [new File([], 'Holiday')], items: [item] };
            Object.defineProperty(event, 'dataTransfer', { value: dataTransfer });
            zone.dispatchEvent(event);
        }"""
    )
    expect(page.locator(".start .drop")).to_contain_text("That is a folder.")


def test_the_service_stops_in_the_middle_of_a_question(
    pristine: Path, open_page: OpenPage, watched: Watched, tmp_path: Path
) -> None:
    """It is said that nothing answers, with a way to try again, which works once it is back."""
    library = Path(shutil.copytree(pristine, tmp_path / "own"))
    watched.allowed.append("ERR_CONNECTION_REFUSED")
    service = Service(library)
    with service:
        watched.origin = f"http://127.0.0.1:{service.port}/"
        page = open_page("#/ask?segment=3&by=audio&find=visual", url=watched.origin)
        expect(page.locator(HITS).first).to_be_visible()
    page.get_by_text("sounds", exact=True).click()
    assert "does not answer" in sound_of_page(page)
    page.get_by_role("link", name="Library", exact=True).click()
    assert "does not answer" in sound_of_page(page)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.close()


def test_a_camera_that_is_refused_says_so(open_page: OpenPage) -> None:
    """Beside the button: that the browser was not allowed to use it."""
    page = open_page("#/ask")
    page.evaluate(
        """() => {
            navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
        }"""
    )
    for name, what in (("Take a picture", "camera"), ("Record a sound", "microphone")):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("alert")).to_contain_text(f"The {what} cannot be used. The browser was not allowed")


def test_a_hit_of_a_video_that_is_deleted_meanwhile(
    pristine: Path, open_page: OpenPage, watched: Watched, tmp_path: Path
) -> None:
    """Its moment, its excerpt and its place in the clip say that it is gone, and nothing hangs."""
    library = Path(shutil.copytree(pristine, tmp_path / "own"))
    watched.allowed.append("404")
    with Service(library) as service, service.client() as client:
        watched.origin = f"http://127.0.0.1:{service.port}/"
        page = open_page("#/ask?segment=3&by=audio&find=visual", url=watched.origin)
        hit = page.locator(HITS).first
        expect(hit).to_be_visible()
        name = hit.locator(".name b").inner_text()
        client.delete(next(one.video_id for one in client.videos() if one.file_name == name))
        hit.locator(".shot").click()
        expect(hit.get_by_text("This moment cannot be played: its file may be gone.")).to_be_visible()
        hit.get_by_role("link", name=re.compile("Where in this clip")).click()
        sound_of_page(page)
        page.close()


def test_a_label_of_ten_thousand_letters(open_page: OpenPage) -> None:
    """The field takes as many as the service does; what it took stands in one line of its row."""
    page = open_page("#/library", phone=True)
    expect(page.get_by_role("heading", name="6 recordings")).to_be_visible()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")  # only the rows in view are there
    page.get_by_role("button", name="Label red-1.mp4").click()
    page.get_by_label("Label", exact=True).fill("")
    page.keyboard.insert_text("x" * 10_000)
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as saved:
        page.get_by_role("button", name="Save").click()
    assert saved.value.status == 200
    label = page.locator(".rows .label", has_text="x" * 200)
    expect(label).to_be_visible()
    assert (label.bounding_box() or {})["height"] < 40
    assert overflowing(page) <= 0


def test_a_directory_that_is_not_allowed(open_page: OpenPage, watched: Watched, folder: Path) -> None:
    """Outside of what the service may take in, and inside but not there: in words, and no list of what is."""
    watched.allowed += ["403", "404", "409", "422"]
    page = open_page("#/library")
    field = page.get_by_label(re.compile("a directory of the server"))
    for path in ("/etc", str(folder / "nowhere"), "../..", "x" * 5000):
        field.fill(path)
        page.get_by_role("button", name="Take it in").click()
        work = page.get_by_role("region", name="Work")
        expect(work.locator(".problem:visible").first).to_be_visible()
        assert "passwd" not in work.inner_text()


def test_a_wrong_key(browser: Browser, own_library: Path) -> None:
    """A browser asks for the key; where a person gives up, what is shown says that a key is needed."""
    keys.create(own_library, "reader", "read")
    with Service(own_library) as service:
        context = browser.new_context()
        page = context.new_page()
        page.route("**/*", lambda route: route.fulfill(response=route.fetch()))  # no browser asks a test
        answer = page.goto(f"http://127.0.0.1:{service.port}/")
        assert answer is not None
        assert answer.status == 401
        assert "key" in page.locator("body").inner_text()
        context.close()


def test_a_key_that_is_taken_away_meanwhile(browser: Browser, own_library: Path) -> None:
    """The view that is opened next says so, and offers to load the page anew, which asks for a key."""
    key, secret = keys.create(own_library, "reader", "read")
    with Service(own_library) as service:
        context = browser.new_context(http_credentials={"username": "any", "password": secret})
        page = context.new_page()
        page.route("**/*", lambda route: route.fulfill(response=route.fetch()))  # no browser asks a test
        page.goto(f"http://127.0.0.1:{service.port}/#/ask")
        expect(page.locator(".cards .shot").first).to_be_visible()
        keys.revoke(own_library, key.key_id)
        page.wait_for_timeout(1200)  # the service looks once a second
        page.get_by_role("link", name="Where in a clip").click()
        expect(page.get_by_role("alert")).to_contain_text("wants a key")
        expect(page.get_by_role("button", name="Reload the page")).to_be_visible()
        context.close()
