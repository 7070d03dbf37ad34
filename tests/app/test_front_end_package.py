"""docs/front-ends.md as written: its example is built, installed, and used by the commands and by the service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from front_end_samples import documented_commands, documented_package, install_documented_package, write_package
from service_samples import Command, assert_problem, ended_job, film_footage, send, serving, upload

from index.library import Library
from model.errors import FrontEndError

ROOT = Path(__file__).parents[2]
MOST_LINES = 40
COLOURS = """
import numpy as np
from model.errors import QueryError
from model.frontends.frontend import FrontEnd

WORDS = ("red", "green", "blue")

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


def test_a_front_end_that_reads_text_is_asked_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the service's processes too: a text becomes a second of the target, and finds those that are like it."""
    write_package(tmp_path / "site", "colour_package", "colours", "echolens_colours:Colours", COLOURS)
    monkeypatch.syspath_prepend(tmp_path / "site")
    (tmp_path / "clips").mkdir()
    film_footage(tmp_path / "clips")
    with serving(tmp_path / "mine", frontend="colours") as client:
        for clip in sorted((tmp_path / "clips").iterdir()):
            assert ended_job(client, upload(client, clip).json()["job_id"])["state"] == "done"
        for text in ("red", "blue"):
            answer = client.post("/retrieve", data={"text": text, "target": "visual", "k": "10"})
            assert answer.status_code == 200, answer.text
            assert {hit["file_name"].partition("-")[0] for hit in answer.json()["hits"]} == {text}
            assert (answer.json()["query"]["modality"], answer.json()["verdict"]) == ("text", None)
        assert_problem(client.post("/retrieve", data={"text": "dog", "target": "visual"}), 422, "query", "a colour")
        assert client.get("/library").json()["can_text"]


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
