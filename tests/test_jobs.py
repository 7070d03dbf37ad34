"""Jobs: what was acknowledged is done, across restarts, other writers and failures."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import torch
from media_samples import write_sound
from service_samples import assert_answers, ended_job, film, serving, upload

import app.jobs
from app.ingest import Outcome, Source, ingest
from app.jobs import Jobs
from app.session import Session
from index.catalogue import Catalogue, Job
from index.library import Library
from model.corpus import Annotation
from model.errors import NotFound
from model.media import Limits

NOW = "2026-01-01T00:00:00+00:00"


def stored_job(library: Library, clip: Path, state: str, job_id: str = "j1") -> Path:
    """Leave behind what a service that was killed leaves: an upload and its job."""
    path = library.media / f"upload-{job_id}"
    path.write_bytes(clip.read_bytes())
    payload = {"path": str(path), "file_name": "clip.mp4", "label": "owl", "event_start_s": None, "event_end_s": None}
    library.catalogue.put_job(Job(job_id, "ingest", state, payload, 0.0, {}, NOW, NOW))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_job_that_was_cut_off_is_done_at_the_next_start(own_library: Path, tmp_path: Path, state: str) -> None:
    """Queued or half done when the process ended: the footage is in the library all the same."""
    clip = film(tmp_path / "c.mp4", 1, 2, 2.0)
    with Library.open(own_library) as library:
        stored_job(library, clip, state)
    with serving(own_library) as client:
        job = ended_job(client, "j1")
        assert (job["state"], job["result"]["state"]) == ("done", "added")
        assert client.get(f"/videos/{job['result']['video_id']}").json()["label"] == "owl"


def test_a_job_that_was_cut_off_after_its_commit_keeps_its_file(own_library: Path, tmp_path: Path) -> None:
    """Done again it finds its own video known, and must not take the file from under it."""
    clip = film(tmp_path / "c.mp4", 1, 2, 2.0)
    with Library.open(own_library) as library:
        path = stored_job(library, clip, "queued")
    with serving(own_library) as client:
        video_id = ended_job(client, "j1")["result"]["video_id"]
    with Library.open(own_library) as library:
        library.catalogue.update_job("j1", state="running")
    with serving(own_library) as client:
        job = ended_job(client, "j1")
        assert (job["state"], job["result"]["state"]) == ("done", "known")
        assert client.get(f"/videos/{video_id}/original").content == clip.read_bytes()
    assert path.exists()


def test_jobs_are_done_in_order_and_listed(own_library: Path, tmp_path: Path) -> None:
    """Each upload is a job of its own; the list is that of their coming."""
    clips = [film(tmp_path / f"{n}.mp4", n, 2, 1.0) for n in range(3)]
    with serving(own_library) as client:
        ids = [upload(client, clip).json()["job_id"] for clip in clips]
        jobs = [ended_job(client, job_id) for job_id in ids]
        assert [j["state"] for j in jobs] == ["done"] * 3
        assert [j["job_id"] for j in client.get("/jobs").json()] == ids
        assert client.get("/videos").json()["total"] == 9
        names = [v["file_name"] for v in client.get("/videos").json()["videos"][6:]]
        assert names == [c.name for c in clips]


def test_a_job_waits_while_another_process_writes(
    own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that is busy is no failure: the upload comes in once the writer is done."""
    monkeypatch.setattr(app.jobs, "BUSY_RETRY_S", 0.05)
    clip = film(tmp_path / "c.mp4", 1, 2, 1.0)
    with Library.open(own_library) as other, serving(own_library) as client:
        with other.writer():
            job_id = upload(client, clip).json()["job_id"]
            threading.Event().wait(0.3)
            assert client.get(f"/jobs/{job_id}").json()["state"] in ("queued", "running")
            assert_answers(client)
        assert ended_job(client, job_id)["state"] == "done"


def test_a_service_that_stops_while_a_job_waits_leaves_it_queued(own_library: Path, tmp_path: Path) -> None:
    """Another process writes for as long as this one lives: the next one does the job."""
    clip = film(tmp_path / "c.mp4", 1, 2, 1.0)
    with Library.open(own_library) as other:
        with other.writer(), serving(own_library) as client:
            job_id = upload(client, clip).json()["job_id"]
        assert other.catalogue.job(job_id).state == "queued"
    with serving(own_library) as client:
        assert ended_job(client, job_id)["state"] == "done"


def test_a_job_that_fails_ends_no_other(own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that nobody foresaw is the failure of one job; the thread goes on with the next."""
    good = film(tmp_path / "c.mp4", 1, 2, 1.0)

    def faulty(session: Session, sources: list[Source], limits: Limits, decoders: int) -> list[Outcome]:
        if sources[0].file_name == "bad.wav":
            raise RuntimeError("nobody foresaw this")
        return ingest(session, sources, limits, decoders=decoders)

    monkeypatch.setattr(app.jobs, "ingest", faulty)
    with serving(own_library) as client:
        first = upload(client, write_sound(tmp_path / "bad.wav")).json()["job_id"]
        second = upload(client, good).json()["job_id"]
        failed = ended_job(client, first)
        assert (failed["state"], failed["result"]["code"]) == ("failed", "internal")
        assert "nobody" not in failed["result"]["detail"]
        assert ended_job(client, second)["state"] == "done"
        assert_answers(client)
    assert len(list((own_library / "media").iterdir())) == 2, "a fault of ours throws no footage away"


def test_a_job_whose_file_is_gone_fails_by_name(own_library: Path, tmp_path: Path) -> None:
    """Somebody emptied media/: the job says so, and the service starts."""
    with Library.open(own_library) as library:
        stored_job(library, film(tmp_path / "c.mp4", 1, 2, 1.0), "queued").unlink()
    with serving(own_library) as client:
        job = ended_job(client, "j1")
        assert (job["state"], job["result"]["state"]) == ("failed", "failed")
        assert "clip.mp4" in job["result"]["detail"]


def test_a_library_that_cannot_encode_fails_the_job(own_library: Path, tmp_path: Path) -> None:
    """With its checkpoint gone an upload cannot come in; the job's code says why, and its file is not thrown away."""
    with Library.open(own_library) as library:
        for path in library.checkpoints.iterdir():
            path.unlink()
    with serving(own_library) as client:
        job = ended_job(client, upload(client, film(tmp_path / "c.mp4", 1, 2, 1.0)).json()["job_id"])
        assert (job["state"], job["result"]["code"]) == ("failed", "checkpoint_mismatch")
    (kept,) = (own_library / "media").iterdir()
    assert kept.read_bytes() == (tmp_path / "c.mp4").read_bytes()


def test_a_job_that_is_none_is_not_found(own_library: Path) -> None:
    """The catalogue raises NotFound by its id."""
    with Library.open(own_library) as library, pytest.raises(NotFound, match="no-such-job"):
        library.catalogue.job("no-such-job")


def test_jobs_can_stop_at_once(own_library: Path) -> None:
    """Nothing waits: stopping takes no time-out, and the thread is gone."""
    before = set(threading.enumerate())
    with serving(own_library):
        (thread,) = [t for t in threading.enumerate() if t.name == "jobs" and t not in before]
    assert not thread.is_alive()


def test_a_copy_s_job_that_was_cut_off_before_its_end_is_done_again(
    own_library: Path, footage: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload that is known already keeps its file until its job has ended: done again, it says so once more."""
    update = Catalogue.update_job

    def cut_off(self: Catalogue, job_id: str, **change: object) -> object:
        if "result" in change:
            raise KeyboardInterrupt  # as if the process had ended here
        return update(self, job_id, **change)  # type: ignore[arg-type]

    with Session.open(own_library, torch.device("cpu"), create=False) as session:
        path = Path(shutil.copy(footage[0], session.library.media / "upload-1"))
        jobs = Jobs(session)
        job = jobs.ingest_upload(path, footage[0].name, Annotation(""))
        with monkeypatch.context() as patched:
            patched.setattr(Catalogue, "update_job", cut_off)
            with pytest.raises(KeyboardInterrupt):
                jobs._do(job)
        assert path.is_file()
        jobs._do(job)
        ended = session.library.catalogue.job(job.job_id)
    assert (ended.state, ended.result["state"]) == ("done", "known")
    assert not path.exists()
