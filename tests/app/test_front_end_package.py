"""docs/front-ends.md as written: its example is built, installed, and used by the commands and by the service."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from front_end_samples import documented_commands, documented_package, install_documented_package, write_package
from service_samples import Command, assert_problem, ended_job, film_footage, send, serving, upload
from starlette.testclient import TestClient

from app.http.error_codes import ERROR_CODES
from index.library import Library
from model.errors import FrontEndError

ROOT = Path(__file__).parents[2]
MOST_LINES = 40
MOST_DECODE_S = 2.0
COLOURS = """
import os
import time

import numpy as np
from model.errors import QueryError
from model.frontends.frontend import FrontEnd

WORDS = ("red", "green", "blue")
BROKEN = {
    "too wide": lambda: np.zeros(5, np.float32),
    "too exact": lambda: np.zeros(4),
    "no array": lambda: [1.0, 0.0, 0.0, 0.0],
    "nothing": lambda: None,
    "no number": lambda: np.full(4, np.nan, np.float32),
    "crash": lambda: os._exit(3),
    "stall": lambda: time.sleep(60),
    "swell": lambda: bytearray(1 << 40),
}

def unit(row):
    return (row / np.linalg.norm(row)).astype(np.float32)

class Colours(FrontEnd):
    name, identity = "colours", "colours-1"
    audio_shape = visual_shape = (4,)
    shares_space = True

    def __init__(self, directory):
        pass

    def audio(self, sound):
        return unit(np.array([1, np.abs(sound).mean(), np.abs(sound).max(), 0]))

    def visual(self, frame):
        return unit(np.append(frame.max((0, 1)) + 1e-3, 0))

    def text(self, words, target):
        if words == "dog":
            raise QueryError(f"the text {words!r} given, a colour expected")
        if words in BROKEN:
            return BROKEN[words]()
        return unit(np.append([(word in words) + 1e-3 for word in WORDS], len(words) / 1000))
"""
USAGE, OTHER = 2, 6


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the documented package is installed; `mine` beside it is the library that its commands made."""
    directory = tmp_path_factory.mktemp("documented")
    (directory / "clips").mkdir()
    film_footage(directory / "clips")
    return install_documented_package(directory)


@pytest.fixture(scope="module")
def answers(site: Path) -> list[str]:
    """Return what the documented commands print, run in their order in processes that find the package."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(site)))}
    printed = []
    for _, *arguments in documented_commands():
        command = [sys.executable, "-m", "app.cli", *arguments]
        done = subprocess.run(command, cwd=site.parent, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        printed.append(done.stdout)
    return printed


def test_the_example_is_short() -> None:
    """Both files together have at most 40 lines of code."""
    files = documented_package()
    assert set(files) == {"pyproject.toml", "echolens_bands.py"}
    assert sum(bool(line.strip()) for text in files.values() for line in text.splitlines()) <= MOST_LINES


def test_the_example_works_as_written(answers: list[str], site: Path) -> None:
    """It is listed, ingests, is untrained at first, trains, and then answers with videos of the library."""
    listed, ingested, trained, retrieved = answers
    assert "bands        ready" in listed
    assert "Files added: 6" in ingested
    assert "Next: echolens train --library mine" in ingested
    assert "The library now uses the new model." in trained
    assert sum(".mp4" in line for line in retrieved.splitlines()) > 1
    with Library.open(site.parent / "mine", create=False) as library:
        assert library.catalogue.frontend == "bands"


def test_the_service_decodes_with_it(answers: list[str], site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker processes find the package too: a question by a file is answered, and the front-end is listed."""
    monkeypatch.syspath_prepend(site)
    with serving(site.parent / "mine", frontend="bands") as client:
        answer = send(client, site.parent / "clips" / "red-0.mp4", query_modality="audio", target="visual")
        assert answer.status_code == 200, answer.text
        assert answer.json()["hits"]
        listed = client.get("/library").json()["front_ends"]
    assert {"name": "bands", "current": True, "ready": True} in listed


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Serve a library of a package that reads text; some texts break it."""
    directory = tmp_path_factory.mktemp("colours")
    write_package(directory / "site", "colour_package", "colours", "echolens_colours:Colours", COLOURS)
    (directory / "clips").mkdir()
    film_footage(directory / "clips")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(directory / "site")
        with serving(directory / "mine", frontend="colours", most_decode_s=MOST_DECODE_S) as client:
            for clip in sorted((directory / "clips").iterdir()):
                assert ended_job(client, upload(client, clip).json()["job_id"])["state"] == "done"
            yield client


def test_a_front_end_that_reads_text_is_asked_in_words(colours: TestClient) -> None:
    """In the service's processes too: a text becomes a second of the target, and finds those that are like it."""
    for text in ("red", "blue"):
        answer = colours.post("/retrieve", data={"text": text, "target": "visual", "k": "10"})
        assert answer.status_code == 200, answer.text
        assert {hit["file_name"].partition("-")[0] for hit in answer.json()["hits"]} == {text}
        assert (answer.json()["query"]["modality"], answer.json()["verdict"]) == ("text", None)
    assert_problem(colours.post("/retrieve", data={"text": "dog", "target": "visual"}), 422, "query", "a colour")
    told = colours.get("/library").json()
    assert (told["can_text"], told["knows_concepts"]) == (True, False)


@pytest.mark.parametrize(
    ("text", "status", "code", "found"),
    [
        ("too wide", 503, "front_end", "float32 (5,)"),
        ("too exact", 503, "front_end", "float64 (4,)"),
        ("no array", 503, "front_end", "list"),
        ("nothing", 503, "front_end", "NoneType"),
        ("no number", 422, "not_finite", "this text"),
    ],
)
def test_a_text_that_is_answered_with_no_features_is_refused(
    colours: TestClient, text: str, status: int, code: str, found: str
) -> None:
    """Before any batch: the error names the front-end, and what it gave in place of what."""
    answer = colours.post("/retrieve", data={"text": text, "target": "visual"})
    assert_problem(answer, status, code, "the front-end colours", found)
    assert code == "not_finite" or "a numpy array of float32 (4,) expected" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("text", "code"), [("crash", "decoder_died"), ("stall", "took_too_long"), ("swell", "too_much_memory")]
)
def test_a_text_that_ends_its_process_is_refused_as_a_text(colours: TestClient, text: str, code: str) -> None:
    """The detail and the table of errors speak of texts, not of files alone; the next text is answered."""
    answer = colours.post("/retrieve", data={"text": text, "target": "visual"})
    assert_problem(answer, 422, code, "text")
    assert "text" in ERROR_CODES[code].meaning
    assert colours.post("/retrieve", data={"text": "red", "target": "visual"}).status_code == 200


def test_a_library_says_which_front_end_it_lacks(answers: list[str], site: Path, echolens: Command) -> None:
    """Without the package a question ends with the front-end's name, and no built-in one takes its place."""
    question = (site.parent / "clips" / "red-0.mp4", "--query-modality", "audio", "--target", "visual")
    ran = echolens("retrieve", *question, "--library", site.parent / "mine")
    assert ran.code == OTHER, ran.err
    assert ran.err.startswith(f"{FrontEndError.code}: front-end 'bands' given, one of raw, pretrained, ")


def test_an_unknown_front_end_is_wrong_usage(echolens: Command, tmp_path: Path) -> None:
    """`--frontend` names those that there are, and no library is made."""
    ran = echolens("ingest", tmp_path, "--frontend", "bandz", "--library", tmp_path / "lib")
    assert ran.code == USAGE
    assert not (tmp_path / "lib").exists()


def test_a_package_that_claims_a_built_in_name_is_told(
    echolens: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`frontends list` warns of it by its package."""
    write_package(tmp_path / "site", "greedy_package", "raw", "greedy:Raw", "")
    monkeypatch.syspath_prepend(tmp_path / "site")
    ran = echolens("frontends", "list", "--library", tmp_path)
    assert "the package greedy_package 1.5 (entry point raw = greedy:Raw) is never used" in ran.err
