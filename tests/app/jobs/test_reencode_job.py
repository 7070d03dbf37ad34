"""Re-encoding as a job: a change of front-end or model, cancelled, gone on with, and refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from library_samples import other_checkpoint, state
from service_samples import assert_answers, assert_problem, ended_job, film, serving, until, upload
from starlette.testclient import TestClient

import app.jobs.reencode_job
from index.library import Library
from index.records import Job

NOW = "2026-01-01T00:00:00+00:00"


def ordered(client: TestClient, **order: object) -> dict[str, Any]:
    """Order a re-encoding and wait for its end."""
    answer = client.post("/jobs", json={"kind": "reencode", **order})
    assert answer.status_code == 202, answer.text
    return ended_job(client, answer.json()["job_id"])


def known_checkpoint(library: Path, directory: Path) -> str:
    """Put another model among the library's own; return its fingerprint."""
    from model.network.checkpoint import Checkpoint

    path = other_checkpoint(directory)
    fingerprint = Checkpoint.load(path).fingerprint
    for suffix in (".safetensors", ".json"):
        shutil.copyfile(path.with_name(path.name + suffix), library / "checkpoints" / f"{fingerprint}{suffix}")
    return fingerprint


@pytest.fixture
def with_weights(own_library: Path, shared: Path) -> Path:
    """Return a `raw` library that has the weights of `pretrained`."""
    pytest.importorskip("ai_edge_litert")
    shutil.copytree(shared / "frontends", own_library / "frontends", dirs_exist_ok=True)
    return own_library


def test_another_model_of_the_library(own_library: Path, tmp_path: Path) -> None:
    """By its fingerprint: before, after and count are the result, and it answers at once; without one it stays."""
    before, other = state(own_library), known_checkpoint(own_library, tmp_path)
    with serving(own_library) as client:
        job = ordered(client, checkpoint=other)
        assert (job["state"], job["progress"]) == ("done", 1.0), job
        expected = {"before": before[0], "after": other, "frontend": "raw", "videos": 6, "left_out": []}
        assert job["result"] == expected
        assert client.get("/health/ready").json()["fingerprint"] == other
        assert_answers(client)
        assert ordered(client)["result"] == expected | {"before": other}
        assert ordered(client, frontend="raw")["result"] == expected | {"before": other}


@pytest.mark.parametrize(
    "order", [{"frontend": "papers"}, {"checkpoint": "../x"}, {"leave_out": "yes"}, {"front_end": "raw"}]
)
def test_an_order_that_makes_no_sense_is_refused(client: TestClient, order: dict[str, object]) -> None:
    """An unknown front-end, a path for a fingerprint, no boolean, an unknown field: 422, and no job."""
    assert_problem(client.post("/jobs", json={"kind": "reencode", **order}), 422, "invalid_request")


@pytest.mark.usefixtures("no_network")
def test_without_weights_the_job_fails_and_the_library_serves_on(own_library: Path) -> None:
    """Its code and detail say what to fetch."""
    before = state(own_library)
    with serving(own_library) as client:
        job = ordered(client, frontend="pretrained")
        assert (job["state"], job["result"]["code"]) == ("failed", "front_end")
        assert "frontends pull" in job["result"]["detail"]
        assert_answers(client)
    assert state(own_library) == before


@pytest.mark.shared
def test_originals_that_are_gone_are_named_before_anything_is_done(with_weights: Path) -> None:
    """The job fails at once with an error for each; with leave_out the others are read and it notes what is missing."""
    with Library.open(with_weights, create=False) as library:
        gone, *_ = library.catalogue.every_video()
        library.catalogue.relocate(gone.video_id, "/absent.mp4")
    before = state(with_weights)
    with serving(with_weights) as client:
        job = ordered(client, frontend="pretrained")
        assert (job["state"], job["result"]["code"]) == ("failed", "originals_gone")
        assert '"leave_out": true' in job["result"]["detail"]
        assert [(e["file_name"], e["code"]) for e in job["errors"]] == [(gone.file_name, "originals_gone")]
        assert state(with_weights) == before
        assert not list(with_weights.glob("cache/features/pretrained-*/*"))
        job = ordered(client, frontend="pretrained", leave_out=True)
        assert (job["state"], job["result"]["left_out"], job["result"]["videos"]) == ("done", [gone.file_name], 5)
        assert [note for note in job["notes"] if gone.file_name in note]
    with Library.open(with_weights, create=False) as library:
        assert library.catalogue.frontend == "pretrained"


@pytest.mark.shared
def test_footage_that_comes_in_after_the_change_is_read_by_the_new_front_end(
    with_weights: Path, tmp_path: Path
) -> None:
    """The service's own decoders follow: what is uploaded next has the features of `pretrained`."""
    with serving(with_weights) as client:
        assert ordered(client, frontend="pretrained")["state"] == "done"
        job = ended_job(client, upload(client, film(tmp_path / "new.mp4", 1, 3, 2.0)).json()["job_id"])
        assert job["result"]["state"] == "added", job
        video = client.get(f"/videos/{job['result']['video_id']}").json()
    with Library.open(with_weights, create=False) as library:
        sha256 = library.catalogue.video(video["video_id"]).sha256
    assert len(list(with_weights.glob(f"cache/features/pretrained-*/{sha256}.npz"))) == 1


def test_a_running_job_is_cancelled_at_its_next_video(
    own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old model stays, and no latents are left over."""
    before, other, encode = state(own_library), known_checkpoint(own_library, tmp_path), app.jobs.reencode_job.reencode
    at_work: list[str] = []

    def slow(session: Any, path: Any, leave_out: Any, step: Any, front_end: Any) -> Any:
        def stepped() -> None:
            at_work.append("video")
            until(lambda: client.get("/jobs").json()[0]["cancelling"])
            step()

        return encode(session, path, leave_out, stepped, front_end)

    monkeypatch.setattr(app.jobs.reencode_job, "reencode", slow)
    with serving(own_library) as client:
        job_id = client.post("/jobs", json={"kind": "reencode", "checkpoint": other}).json()["job_id"]
        until(lambda: at_work)
        assert client.delete(f"/jobs/{job_id}").json()["cancelling"]
        assert ended_job(client, job_id)["state"] == "cancelled"
        assert_answers(client)
    assert at_work == ["video"]
    assert state(own_library) == before


def test_a_job_that_was_cut_off_is_done_at_the_next_start(own_library: Path, tmp_path: Path) -> None:
    """Running when the service was killed: it is queued and done again."""
    other = known_checkpoint(own_library, tmp_path)
    payload = {"frontend": None, "checkpoint": other, "leave_out": False}
    with Library.open(own_library) as library:
        library.catalogue.queue.accept(Job("r", "reencode", "running", payload, 0.5, {}, NOW, NOW), 100)
    with serving(own_library) as client:
        assert ended_job(client, "r")["result"]["after"] == other


def test_it_waits_for_another_writer(own_library: Path, tmp_path: Path) -> None:
    """While another process writes the job runs on, and is done once that has ended."""
    other = known_checkpoint(own_library, tmp_path)
    with Library.open(own_library) as second, serving(own_library) as client:
        with second.writer():
            job_id = client.post("/jobs", json={"kind": "reencode", "checkpoint": other}).json()["job_id"]
            until(lambda: client.get(f"/jobs/{job_id}").json()["state"] == "running")
            assert second.catalogue.fingerprint != other
        assert ended_job(client, job_id)["result"]["after"] == other
