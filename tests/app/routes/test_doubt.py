"""Doubt and words over HTTP, in Python and on the command line: verdict, match, text, concept, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import exp
from pathlib import Path

import pytest
import torch
from library_samples import calibrated, encoded_by
from service_samples import Command, assert_problem, send, serving
from starlette.testclient import TestClient

from app.library.default_model import DEFAULT_MODEL
from app.library.ingest import Source, ingest
from app.library.session import Session
from echolens.client import Client, Problem
from index.library import Library
from model.media.medium import Limits
from model.network.checkpoint import Checkpoint

CPU = torch.device("cpu")
SECOND = {"segment_id": "3", "query_modality": "visual", "target": "visual"}


@pytest.fixture(scope="module")
def sure_library(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is sure of what is nearer than 3."""
    return calibrated(pristine, tmp_path_factory.mktemp("sure"), 3.0)


@pytest.fixture(scope="module")
def sure(sure_library: Path) -> Iterator[TestClient]:
    with serving(sure_library) as client:
        yield client


def test_a_hit_says_how_probable_it_is_and_the_answer_how_sure(sure: TestClient) -> None:
    """The calibration's probability of each hit; a second that finds itself is a strong match."""
    body = sure.post("/retrieve", data=SECOND).json()
    for hit in body["hits"]:
        assert hit["match"] == pytest.approx(1 / (1 + exp(hit["distance"] - 3)))
        assert hit["reasons"] == []
    assert (body["verdict"], body["query"]["concepts"]) == ("strong", [])
    assert {hit["fit"] for hit in body["hits"]} == {"strong"}


def test_min_match_leaves_the_probable_hits(sure: TestClient) -> None:
    """Those of the whole list from that probability on; where none is left the verdict is nothing."""
    whole = sure.post("/retrieve", data=SECOND | {"k": "30"}).json()["hits"]
    least = whole[4]["match"]
    cut = sure.post("/retrieve", data=SECOND | {"k": "30", "min_match": str(least)}).json()
    assert [hit["segment_id"] for hit in cut["hits"]] == [h["segment_id"] for h in whole if h["match"] >= least]
    none = sure.post("/retrieve", data=SECOND | {"min_match": "1"}).json()
    assert (none["hits"], none["verdict"]) == ([], "nothing")
    assert_problem(sure.post("/retrieve", data=SECOND | {"min_match": "1.5"}), 422, "invalid_request", "min_match")


def test_nothing_here_matches(pristine: Path, tmp_path: Path, echolens: Command) -> None:
    """A model that believes in no hit: the answer is there, and says first that it is none; no hits say so too."""
    library = calibrated(pristine, tmp_path, -50.0)
    ask = ("retrieve", "--segment-id", 3, "--query-modality", "visual", "--target", "audio", "--library", library)
    ran = echolens(*ask)
    assert ran.code == 0
    first, heads = ran.out.splitlines()[:2]
    assert first == "nothing here matches; the nearest are:"
    assert "match" in heads.split()
    assert "shares" not in heads.split()
    answer = json.loads(echolens(*ask, "--json").out)
    assert answer["verdict"] == "nothing"
    assert {hit["fit"] for hit in answer["hits"]} == {"nothing"}
    assert len(answer["hits"]) == 10
    nothing = echolens(*ask, "--label", "no such label")
    assert nothing.out.splitlines()[0] == "nothing here matches"


def test_the_command_shows_the_match_as_a_percentage(sure_library: Path, echolens: Command) -> None:
    """A second that finds itself: 95 %, as 1 / (1 + exp(-3)) is."""
    ran = echolens(
        "retrieve", "--segment-id", 3, "--query-modality", "visual", "--target", "visual", "--library", sure_library
    )
    assert "95%" in ran.out.splitlines()[1].split()


def test_csv_has_the_match(sure: TestClient) -> None:
    """The same numbers as the JSON has, and an empty cell for no reasons."""
    hits = sure.post("/retrieve", data=SECOND).json()["hits"]
    rows = list(csv.DictReader(io.StringIO(sure.post("/retrieve", data=SECOND, headers={"Accept": "text/csv"}).text)))
    assert [float(row["match"]) for row in rows] == [hit["match"] for hit in hits]
    assert {row["reasons"] for row in rows} == {""}


def test_a_model_without_calibration_says_nothing_of_matches(pristine: Path, tmp_path: Path) -> None:
    """Null, and min_match is refused."""
    model = replace(Checkpoint.load(DEFAULT_MODEL), stored=None, match=None).save(tmp_path / "model")
    with serving(encoded_by(model, pristine, tmp_path)) as client:
        body = client.post("/retrieve", data=SECOND).json()
        assert body["verdict"] is None
        assert all(hit["fit"] is None for hit in body["hits"])
        assert {hit["match"] for hit in body["hits"]} == {None}
        answer = client.post("/retrieve", data=SECOND | {"min_match": "0.5"})
    assert_problem(answer, 422, "query", "min_match=0.5", "no calibration", "max_distance")


def test_a_front_end_without_prior_knows_no_words(client: TestClient, echolens: Command, library: Path) -> None:
    """Text and concept are refused plainly, and the front-end that knows words is named; by the command as well."""
    for fields in ({"text": "red", "target": "visual"}, SECOND | {"concept": "red"}):
        assert_problem(client.post("/retrieve", data=fields), 422, "query", "front-end raw has no prior", "pretrained")
    ran = echolens("retrieve", "--text", "red", "--target", "visual", "--library", library)
    assert ran.code == 6
    assert "front-end raw has no prior" in ran.err


@pytest.mark.parametrize(
    "fields", [{"text": ""}, {"text": "  "}, {"text": "dog", "segment_id": "1"}, {"text": "x" * 1001}]
)
def test_a_text_that_is_no_query_is_refused(client: TestClient, fields: dict[str, str]) -> None:
    """Empty, too long, or beside another query."""
    assert_problem(client.post("/retrieve", data={"target": "visual"} | fields), 422, "query", "text")


def test_a_text_beside_a_file_is_refused(client: TestClient, footage: list[Path]) -> None:
    """One query at a time."""
    answer = send(client, footage[0], target="visual", query_modality="audio", text="dog")
    assert_problem(answer, 422, "query", "one of them only")


@pytest.fixture(scope="module")
def words(shared: Path, footage: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Serve a library of the front-end `pretrained`, encoded by its starting model."""
    directory = tmp_path_factory.mktemp("words")
    with Library.open(directory) as library:
        shutil.copy(shared / "frontends" / "yamnet.tflite", library.frontends)
    sources = [Source(shared / "clips" / name, name) for name in DOGS]
    with Session.open(directory, CPU, "pretrained") as session:
        assert {o.state for o in ingest(session, sources, Limits())} == {"added"}
    with serving(directory) as client:
        yield client


DOGS = ("9bd75eb76bef.mp4", "a57433f470a4.mp4")  # a dog that barks, and a drum


@pytest.mark.shared
def test_words_over_http(words: TestClient) -> None:
    """A text is answered with the concepts that it was understood as; an unknown word with the nearest known ones."""
    asking = Client(http=words)
    assert (asking.library().can_text, asking.library().knows_concepts) == (True, True)
    found = asking.retrieve("audio", text="dog, not rain", k=3)
    assert found.query.modality == "text"
    assert found.query.concepts[0].concept == "dog"
    assert len(found.hits) == 3
    with pytest.raises(Problem) as problem:
        asking.retrieve("audio", text="dgo")
    assert (problem.value.status, problem.value.code) == (422, "unknown_word")
    assert "dog" in problem.value.detail


@pytest.mark.shared
def test_a_barking_dog_is_heard_and_found_by_its_concept(words: TestClient) -> None:
    """A second of its video names the dog and passes the filter, and the reason is the dog, in CSV too."""
    asking = Client(http=words)
    dog, drum = asking.videos()
    seconds = asking.video(dog.video_id).segments
    barks = [s for s in seconds if "dog" in (reason.concept for reason in s.concepts.audio)]
    assert barks
    assert not any("dog" in (r.concept for r in s.concepts.audio) for s in asking.video(drum.video_id).segments)
    found = asking.retrieve("audio", segment_id=barks[0].segment_id, query_modality="audio", concept="dog")
    assert found.hits[0].segment_id == barks[0].segment_id
    assert "dog" in {reason.concept for reason in found.hits[0].reasons}
    fields = {"segment_id": barks[0].segment_id, "query_modality": "audio", "target": "audio", "k": 1}
    answer = words.post("/retrieve", data=fields, headers={"Accept": "text/csv"})
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert "dog " in row["reasons"]
    assert_problem(words.post("/retrieve", data=fields | {"concept": "dgo"}), 422, "unknown_word", "dog")
