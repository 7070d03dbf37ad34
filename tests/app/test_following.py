"""A running service follows a model or front-end that another process gave its library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from library_samples import other_checkpoint
from service_samples import until

from app.library.features import corpus_of
from app.library.session import Session
from benchmarks.service.live_service import Client, Service, meanwhile
from echolens import Problem
from index.library import Library
from model.training.plan import train
from model.training.recipe import DEFAULT

ROOT = Path(__file__).parents[2]
QUESTION = {"query_modality": "visual", "target": "visual", "k": "1", "at_s": "2"}


def changed(library: Path, *options: object) -> None:
    """Run `library reencode` in a process of its own."""
    command = [sys.executable, "-m", "app.cli", "library", "reencode", "--library", library, *options]
    ran = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@contextmanager
def asking(port: int, clip: Path, found: list[Any]) -> Iterator[None]:
    """Ask by a file and by a second of the library all the while; keep fingerprints, and what else is answered."""

    def ask(stop: Event) -> None:
        with Client(port) as client:
            while not stop.is_set():
                for query in ({"file": clip}, {"segment_id": 1}):
                    at = {"at_s": 2.0} if "file" in query else {}
                    try:
                        answer = client.retrieve("visual", query_modality="visual", k=1, **query, **at)
                        found.append(answer.query.fingerprint)
                    except Problem as problem:
                        found.append(problem)

    with meanwhile(Event(), ask):
        yield


def follows(service: Service, library: Path, clip: Path, *options: object) -> None:
    """Change the library while questions are asked: they are answered by the old model, then by the new one."""
    with Library.open(library, create=False) as opened, service.client() as client:
        before, found = opened.catalogue.fingerprint, []
        with asking(service.port, clip, found):
            until(lambda: before in found)
            changed(library, *options)
            after = opened.catalogue.fingerprint
            assert after != before
            until(lambda: after in found)
        assert client.ready().fingerprint == after
        clips = {"video": (clip.name, clip.read_bytes())}
        asked = {"direction": "a2v", "query_start_s": "0", "query_length_s": "1"}
        located = client.http.post("/localize", files=clips, data=asked)
        assert (located.status_code, located.json()["fingerprint"]) == (200, after), located.text
    problems = [one for one in found if isinstance(one, Problem)]
    assert all(problem.status == 503 and problem.passes for problem in problems), problems
    assert set(found) - set(problems) == {before, after}
    assert found[-1] == after


def test_a_service_follows_a_model_that_another_process_changed(
    own_library: Path, footage: list[Path], tmp_path: Path
) -> None:
    """Another checkpoint: no answer fails but for a moment, and what comes after has the new fingerprint."""
    with Service(own_library) as service:
        follows(service, own_library, footage[4], "--checkpoint", other_checkpoint(tmp_path))


@pytest.fixture
def with_weights(own_library: Path, shared: Path) -> Path:
    """Return a `raw` library that has the weights of `pretrained`."""
    pytest.importorskip("ai_edge_litert")
    shutil.copytree(shared / "frontends", own_library / "frontends", dirs_exist_ok=True)
    return own_library


def answer_of(client: Client, file: Path, fingerprint: str) -> Any:
    """Ask until a model answers: while its galleries are being built, those of the model before answer."""
    answers: list[Any] = []

    def ask() -> bool:
        answers.append(client.http.post("/retrieve", files={"file": file.read_bytes()}, data=QUESTION).json())
        return bool(answers[-1]["query"]["fingerprint"] == fingerprint)

    until(ask)
    return answers[-1]


@pytest.mark.shared
def test_a_service_follows_a_front_end_there_and_back(with_weights: Path, footage: list[Path]) -> None:
    """From `raw` to `pretrained` with its starting model, and back to the shipped one: ready, and answering."""
    with Service(with_weights) as service, service.client() as client:
        first = client.ready().fingerprint
        changed(with_weights, "--frontend", "pretrained")
        with Library.open(with_weights, create=False) as opened:
            frontend, fingerprint = opened.catalogue.identity
        assert frontend == "pretrained"
        assert fingerprint is not None
        answer_of(client, footage[4], fingerprint)
        assert client.ready().fingerprint == fingerprint
        changed(with_weights, "--frontend", "raw")
        answer = answer_of(client, footage[4], first)
        assert client.ready().fingerprint == first
        assert (answer["hits"][0]["file_name"], answer["hits"][0]["start_s"]) == (footage[4].name, 2)


@pytest.mark.shared
def test_a_service_answers_through_a_change_of_the_front_end(
    with_weights: Path, footage: list[Path], tmp_path: Path
) -> None:
    """Between two models of two front-ends questions on their way are answered by the one or the other."""
    other = Path(shutil.copytree(with_weights, tmp_path / "other"))
    with Session.open(other, torch.device("cpu"), create=False) as session:
        front_end = session.front_end_of("pretrained")
        of, recipe = (front_end.name, front_end.identity), replace(DEFAULT, epochs=1, taught_epochs=1)
        trained = train(corpus_of(session, front_end=front_end), recipe, of, 0, session.device)
    model = trained.checkpoint.save(tmp_path / "pretrained")
    with Service(with_weights) as service:
        follows(service, with_weights, footage[4], "--frontend", "pretrained", "--checkpoint", model)
        follows(service, with_weights, footage[4], "--frontend", "raw")
