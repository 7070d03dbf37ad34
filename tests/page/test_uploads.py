"""Folders that are added: what could be read comes in, what is no recording is left out, and both are told."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from media_samples import write_video
from page_samples import OpenPage, Watched
from playwright.sync_api import Page, expect

from app.library.names import MEDIA, SHARED
from app.routes.page import PAGE

DROP = """([selector, tree]) => {
    const entryOf = (name, value, path = `/${name}`) => ({
        name,
        fullPath: path,
        isFile: typeof value === 'string',
        isDirectory: typeof value !== 'string',
        file: (done, failed) =>
            value === 'locked' ? failed(new DOMException('no', 'NotReadableError')) : done(new File([value], name)),
        createReader: () => {
            let left = Object.entries(value).map(([name, value]) => entryOf(name, value, `${path}/${name}`));
            return {
                readEntries: (done, failed) => {
                    if (value.locked) return failed(new DOMException('no', 'NotReadableError'));
                    done(left.splice(0, 2));
                },
            };
        },
    });
    const items = Object.entries(tree).map(([name, value]) => ({ webkitGetAsEntry: () => entryOf(name, value) }));
    const event = new Event('drop', { bubbles: true, cancelable: true });
    event.dataTransfer = { items, files: [new File([''], 'folder')] };
    document.querySelector(selector).dispatchEvent(event);
}"""


def drop(page: Page, tree: dict[str, object], zone: str = ".drop") -> None:
    """Drop a tree of files, each a text, and folders; what is "locked" cannot be read."""
    page.evaluate(DROP, [zone, tree])


@pytest.fixture
def sent(open_page: OpenPage, watched: Watched) -> tuple[Page, list[str]]:
    """Open the library; return it and the names of what is sent, which goes nowhere."""
    watched.allowed.append("415")
    page = open_page("#/library")
    names: list[str] = []

    def refuse(route) -> None:  # type: ignore[no-untyped-def]
        names.append(re.search(rb'filename="([^"]+)"', route.request.post_data_buffer or b"")[1].decode())  # type: ignore[index]
        route.fulfill(status=415, json={"code": "not_a_medium", "detail": "no medium"})

    page.route(re.compile("/videos$"), refuse)
    return page, names


def test_what_cannot_be_read_is_named_and_the_rest_comes_in(sent: tuple[Page, list[str]]) -> None:
    """A file and a folder without the right to read them; those beside them are sent."""
    page, names = sent
    drop(page, {"holiday": {"a.mp4": "a", "b.mov": "locked", "deeper": {"locked": "x"}, "more": {"c.wav": "c"}}})
    lines = page.locator(".uploads li")
    for name in ("holiday/b.mov", "holiday/deeper"):
        expect(lines.filter(has_text=name).locator(".problem")).to_have_text(re.compile("cannot read it"))
    expect(lines).to_have_count(4)
    expect(page.get_by_text("2 not added")).to_be_visible()
    assert sorted(names) == ["a.mp4", "c.wav"]


def test_what_is_no_recording_is_left_out_in_one_line(sent: tuple[Page, list[str]]) -> None:
    """Texts, labels, what systems leave; but a file that a person drops itself is tried, whatever its name."""
    page, names = sent
    beside = {f"{n}.xmp": "x" for n in range(4)}
    found = {"a.MP4": "a", "notes.txt": "t", ".DS_Store": "d", "._a.mp4": "m", "@eaDir": {"a.jpg": "j"}, **beside}
    drop(page, {"holiday": found, "letter.txt": "own"})
    expect(page.get_by_text("2 not added")).to_be_visible()
    line = page.locator(".uploads li", has_text="8 files left out")
    expect(line).to_contain_text(
        "No recordings, by their names: notes.txt, .DS_Store, ._a.mp4, a.jpg, 0.xmp and 3 more"
    )
    assert sorted(names) == ["a.MP4", "letter.txt"]


def test_an_empty_folder_is_said_to_be_empty(sent: tuple[Page, list[str]]) -> None:
    """Nothing happens silently."""
    page, names = sent
    drop(page, {"holiday": {}})
    expect(page.locator(".uploads li")).to_contain_text("Nothing lies in it")
    assert names == []


def test_a_folder_is_chosen(empty: str, open_page: OpenPage, watched: Watched, tmp_path: Path) -> None:
    """With a real folder of a disk."""
    watched.origin = empty
    (tmp_path / "holiday" / "deeper").mkdir(parents=True)
    clip = write_video(tmp_path / "holiday" / "deeper" / "a.mp4", 3.0)
    shutil.copy(clip, tmp_path / "holiday" / ".hidden.mp4")
    (tmp_path / "holiday" / "labels.csv").write_text("file,label\n")
    page = open_page("#/library", url=empty)
    page.locator("label.file input").set_input_files(tmp_path / "holiday")
    expect(page.locator(".uploads li", has_text="a.mp4").last).to_contain_text("added")
    expect(page.locator(".uploads li", has_text="2 files left out")).to_be_visible()
    expect(page.locator(".rows li")).to_have_count(1)


def test_a_question_is_no_folder(open_page: OpenPage) -> None:
    """It says so, and where folders are added."""
    page = open_page("#/ask")
    drop(page, {"holiday": {"a.mp4": "a"}})
    expect(page.locator(".drop")).to_contain_text("That is a folder. Give one file; folders are added in the library.")


def test_page_and_service_know_the_same_names() -> None:
    """A file that the service would take in from a directory is not left out by the page, nor the other way round."""
    text = (PAGE / "folders.js").read_text()
    written = re.search(r"const ENDINGS =(.+?);", text, re.DOTALL)
    assert written
    endings = "".join(re.findall(r"'(.*?)'", written[1])).split()
    assert {f".{ending}" for ending in endings} == MEDIA | SHARED
