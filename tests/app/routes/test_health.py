"""/health: live is the process, ready is a canary that went through."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from catalogue_samples import ingest
from service_samples import assert_answers, assert_problem, ended_job, send, serving, upload
from starlette.testclient import TestClient

from app.processes.decoder import InWorkers
from index.library import Library
from model.errors import FrontEndError
from model.network.checkpoint import Checkpoint


def test_ready_tells_what_serves(client: TestClient, library: Path) -> None:
    """Fingerprint and version are the catalogue's, and the canary took time."""
    body = client.get("/health/ready").json()
    with Library.open(library, create=False) as opened:
        assert body["fingerprint"] == opened.catalogue.fingerprint
        assert body["catalogue_version"] == opened.catalogue.catalogue_version
    assert body["status"] == "ready"
    assert body["canary_ms"] > 0
    assert body["lacks"] == []
    assert client.get("/health/live").json()["status"] == "live"


def test_an_empty_library_is_ready(tmp_path: Path) -> None:
    """A new service waits for footage; it is not broken, and says what it waits for."""
    with serving(tmp_path / "new") as client:
        body = client.get("/health/ready").json()
    assert body["status"] == "ready"
    (lack,) = body["lacks"]
    assert "no footage" in lack


@pytest.mark.shared
def test_absent_weights_are_fetched_at_the_start(
    tmp_path: Path, shared: Path, footage: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new service needs no command: the page adds footage, and it is found."""
    pytest.importorskip("ai_edge_litert")
    fetched: list[str] = []

    def fetch(name: str, into: Path, report: Callable[[str], None]) -> None:
        fetched.append(name)
        shutil.copytree(shared / "frontends", into, dirs_exist_ok=True)

    monkeypatch.setattr("app.service.pull_absent_weights", fetch)
    with serving(tmp_path / "new", frontend="pretrained") as client:
        assert client.get("/health/ready").json()["status"] == "ready"
        assert ended_job(client, upload(client, footage[0]).json()["job_id"])["result"]["state"] == "added"
    with serving(tmp_path / "new", frontend="pretrained"):
        assert fetched == ["pretrained"]


def test_weights_are_not_fetched_where_a_setting_forbids_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service starts, and says what it lacks."""

    def fetch(name: str, into: Path, report: Callable[[str], None]) -> None:
        raise AssertionError(name)

    monkeypatch.setattr("app.service.pull_absent_weights", fetch)
    with serving(tmp_path / "new", frontend="pretrained", fetch_weights=False) as client:
        (lack,) = client.get("/health/ready").json()["lacks"]
    assert "yamnet.tflite (4.1 MB)" in lack


@pytest.mark.usefixtures("no_network")
def test_without_a_network_the_service_starts_all_the_same(tmp_path: Path) -> None:
    """What it lacks is said when it is asked."""
    with serving(tmp_path / "new", frontend="pretrained") as client:
        (lack,) = client.get("/health/ready").json()["lacks"]
    assert "yamnet.tflite (4.1 MB)" in lack


def test_a_broken_station_is_named(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the canary stumbles over is the detail of a 503, and live stays green: no probe restarts it."""

    def broken(self: InWorkers) -> Future[object]:
        future: Future[object] = Future()
        future.set_exception(FrontEndError("the weights of the front-end are gone: fetch them again"))
        return future

    with monkeypatch.context() as patch:
        patch.setattr(InWorkers, "canary", broken)
        assert_problem(client.get("/health/ready"), 503, "not_ready", "weights of the front-end")
        assert client.get("/health/live").status_code == 200
    assert_answers(client)


def test_a_library_that_no_model_has_encoded_is_ready_and_lacks_one(tmp_path: Path) -> None:
    """Untrained: nothing is broken, a restart mends nothing, and what is lacking is said with what to do."""
    with Library.open(tmp_path) as library:
        library.catalogue.set_identity("raw", None)
        ingest(library.catalogue, 0)
    with serving(tmp_path) as client:
        body = client.get("/health/ready").json()
        assert (body["status"], body["canary_ms"]) == ("ready", None)
        (lack,) = body["lacks"]
        assert "echolens train" in lack
        assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize("change", ["weights", "configuration", "removed", "front-end"])
def test_a_checkpoint_that_does_not_match_serves_nothing(own_library: Path, change: str) -> None:
    """Other bytes, no file, another front-end: 503 by name on /retrieve and /health/ready, and still alive."""
    with Library.open(own_library, create=False) as library:
        stem = library.checkpoints / str(library.catalogue.fingerprint)
    weights, configuration = stem.with_name(f"{stem.name}.safetensors"), stem.with_name(f"{stem.name}.json")
    if change == "weights":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    elif change == "configuration":
        configuration.write_text(configuration.read_text().replace('"dropout": 0.', '"dropout": 0.1'))
    elif change == "removed":
        weights.unlink()
    else:
        other = replace(Checkpoint.load(stem), front_end_identity="raw-2", stored=None)
        stem = other.save(stem.with_name(other.fingerprint)).with_suffix("")
        with Library.open(own_library, create=False) as library:
            library.catalogue.replace_latents(other.fingerprint, [])
    with serving(own_library) as client:
        question = {"segment_id": "1", "target": "visual"}
        assert_problem(client.post("/retrieve", data=question), 503, "checkpoint_mismatch", stem.name, "train")
        assert_problem(client.get("/health/ready"), 503, "not_ready", stem.name)
        assert client.get("/health/live").status_code == 200
        assert len(client.get("/videos").json()["videos"]) == 6


def test_a_service_without_weights_says_so_and_goes_on_when_they_come(
    tmp_path: Path, footage: list[Path], shared: Path
) -> None:
    """A new library is `pretrained`: it names the weights that it lacks; when they come it goes on, no restart."""
    with serving(tmp_path / "new", frontend="pretrained") as client:
        assert client.get("/health/live").status_code == 200
        (lack,) = client.get("/health/ready").json()["lacks"]
        assert "echolens frontends pull" in lack
        assert_problem(upload(client, footage[0]), 503, "front_end", "echolens frontends pull")
        assert_problem(send(client, footage[0], target="visual", query_modality="audio"), 503, "front_end", "pull")
        if not (shared / "frontends").is_dir():
            return
        pytest.importorskip("ai_edge_litert")
        shutil.copytree(shared / "frontends", tmp_path / "new" / "frontends", dirs_exist_ok=True)
        (lack,) = client.get("/health/ready").json()["lacks"]
        assert "no footage" in lack
        job = ended_job(client, upload(client, footage[0]).json()["job_id"])
        assert job["result"]["state"] == "added", job
    with Library.open(tmp_path / "new", create=False) as library:
        assert library.catalogue.frontend == "pretrained"
