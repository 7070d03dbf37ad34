"""Footage among the demonstration's drawn clips is never silently judged by a model that knows these alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from service_samples import Command, ended_job, film, send, serving, upload

from app.library.demonstration import make_demonstration
from app.library.session import Session

CPU = torch.device("cpu")
REMEDY = "echolens library reencode --frontend pretrained"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a demonstration of two clips; only to be copied."""
    directory = tmp_path_factory.mktemp("drawn") / "library"
    with Session.open(directory, CPU, "raw") as session:
        make_demonstration(session, 2, 0)
    return directory


@pytest.fixture
def demonstration(drawn: Path, tmp_path: Path) -> Path:
    """Copy the demonstration for a test that adds to it."""
    return Path(shutil.copytree(drawn, tmp_path / "demonstration"))


def test_the_demonstration_alone_warns_of_nothing(demonstration: Path, footage: list[Path]) -> None:
    """Its model knows its clips; a query of one's own is no footage of the library."""
    with serving(demonstration) as client:
        assert send(client, footage[0], target="visual", query_modality="audio").json()["warnings"] == []


def test_a_real_clip_is_taken_and_every_answer_says_what_is_wrong(demonstration: Path, tmp_path: Path) -> None:
    """The job's notes, /retrieve as JSON and CSV, /localize and /generate: how many, and the command that helps."""
    clip = film(tmp_path / "real.mp4", 0, 0, 2.0)
    with serving(demonstration) as client:
        job = ended_job(client, upload(client, clip).json()["job_id"])
        assert job["result"]["state"] == "added"
        assert [note for note in job["notes"] if REMEDY in note]
        content, ask = {"video": (clip.name, clip.read_bytes())}, {"query_modality": "visual"}
        located = {"direction": "a2v", "query_start_s": "0", "query_length_s": "1"}
        for answer in (
            send(client, clip, target="visual", **ask),
            client.post("/localize", files=content, data=located),
            client.post("/generate", files={"file": clip.read_bytes()}, data=ask),
        ):
            (warning,) = answer.json()["warnings"]
            assert "1 of 3 videos is other footage" in warning
            assert REMEDY in warning
        files = {"file": (clip.name, clip.read_bytes())}
        csv = client.post("/retrieve", files=files, data={**ask, "target": "visual"}, headers={"Accept": "text/csv"})
        assert csv.headers["content-type"].startswith("text/csv")
        assert REMEDY in csv.headers["warning"]
        assert client.delete(f"/videos/{job['result']['video_id']}").status_code == 204
        assert send(client, clip, target="visual", **ask).json()["warnings"] == []


def test_the_command_line_says_it_too(echolens: Command, demonstration: Path, tmp_path: Path) -> None:
    """`ingest` in its report, `retrieve` and `localize` on standard error; standard output is the answer alone."""
    clip, at = film(tmp_path / "real.mp4", 0, 0, 2.0), ("--library", demonstration)
    ran = echolens("ingest", clip, *at, "--json")
    assert ran.code == 0
    assert REMEDY in json.loads(ran.out)["warnings"][0]
    for command in (
        ("ingest", clip),
        ("retrieve", clip, "--query-modality", "visual", "--target", "visual"),
        ("localize", clip, "--direction", "a2v", "--start", 0, "--length", 1),
    ):
        ran = echolens(*command, *at)
        assert (ran.code, REMEDY in ran.err, REMEDY in ran.out) == (0, True, False)


def test_a_model_that_learnt_from_the_footage_warns_of_nothing(own_library: Path) -> None:
    """Any `raw` library: the shipped model warns, one that was trained on a video of it does not."""
    with Session.open(own_library, CPU, create=False) as session:
        (warning,) = session.warnings()
        assert "6 of 6 videos are other footage" in warning
        video = next(session.library.catalogue.every_video())
        shipped = session.encoder.checkpoint
        own = replace(shipped, stored=None, training={**shipped.training, "trained_on": [video.video_id]})
        own.save(session.library.checkpoints / own.fingerprint)
        session.library.catalogue.replace_latents(own.fingerprint, [])
        assert session.encoder.fingerprint == own.fingerprint
        assert session.warnings() == ()
