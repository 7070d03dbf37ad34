"""Jobs: what was acknowledged is done, across restarts, other writers and failures."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from media_samples import write_sound
from service_samples import assert_answers, assert_problem, ended_job, film, job_of, location_of, serving, until, upload

import app.jobs.ingest_job
from app.library.ingest import Outcome, Source, ingest
from app.library.session import Session
from index.job_queue import JobQueue
from index.library import Library
from index.records import Job, JobMessage
from model.errors import LibraryError, NotFound

NOW = "2026-01-01T00:00:00+00:00"


def stored_job(library: Library, clip: Path, state: str, job_id: str = "j1") -> Path:
    """Leave behind what a service that was killed leaves: an upload and its job."""
    path = library.media / f"upload-{job_id}"
    path.write_bytes(clip.read_bytes())
    payload = {"path": str(path), "file_name": "clip.mp4", "label": "owl", "event_start_s": None, "event_end_s": None}
    library.catalogue.queue.accept(Job(job_id, "ingest", state, payload, 0.0, {}, NOW, NOW), 100)  # type: ignore[arg-type]
    return path


def clips(directory: Path, count: int) -> list[Path]:
    """Film clips that differ from each other and from the library's."""
    return [film(directory / f"clip-{number}.mp4", number, 2, 1.0) for number in range(count)]


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
        library.catalogue.queue.update("j1", state="running")
    with serving(own_library) as client:
        job = ended_job(client, "j1")
        assert (job["state"], job["result"]["state"]) == ("done", "known")
        assert client.get(f"/videos/{video_id}/original").content == clip.read_bytes()
    assert path.exists()


def test_jobs_are_done_in_order_and_listed(own_library: Path, tmp_path: Path) -> None:
    """Each upload is a job of its own; the list begins with the latest."""
    clips = [film(tmp_path / f"{n}.mp4", n, 2, 1.0) for n in range(3)]
    with serving(own_library) as client:
        ids = [upload(client, clip).json()["job_id"] for clip in clips]
        jobs = [ended_job(client, job_id) for job_id in ids]
        assert [j["state"] for j in jobs] == ["done"] * 3
        assert [j["job_id"] for j in client.get("/jobs").json()] == ids[::-1]
        assert client.get("/videos").json()["total"] == 9
        names = [v["file_name"] for v in client.get("/videos").json()["videos"][6:]]
        assert names == [c.name for c in clips]


def test_a_job_waits_while_another_process_writes(
    own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that is busy is no failure: the upload comes in once the writer is done."""
    monkeypatch.setattr(app.jobs.ingest_job, "BUSY_RETRY_S", 0.05)
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
        assert other.catalogue.queue.job(job_id).state == "queued"
    with serving(own_library) as client:
        assert ended_job(client, job_id)["state"] == "done"


def test_a_job_that_fails_ends_no_other(own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that nobody foresaw is the failure of one job; the thread goes on with the next."""
    good = film(tmp_path / "c.mp4", 1, 2, 1.0)

    def faulty(session: Session, sources: Iterable[Source], *rest: Any, **options: Any) -> list[Outcome]:
        sources = list(sources)
        if sources[0].file_name == "bad.wav":
            raise RuntimeError("nobody foresaw this")
        return ingest(session, sources, *rest, **options)

    monkeypatch.setattr(app.jobs.ingest_job, "ingest", faulty)
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
        library.catalogue.queue.job("no-such-job")


def test_jobs_can_stop_at_once(own_library: Path) -> None:
    """Nothing waits: stopping takes no time-out, and the threads are gone."""
    before = set(threading.enumerate())
    with serving(own_library):
        runners = [t for t in threading.enumerate() if t.name in ("ingest jobs", "train jobs") and t not in before]
        assert len(runners) == 2
    assert not any(thread.is_alive() for thread in runners)


def test_a_copy_s_job_whose_end_was_not_written_is_done_again(
    own_library: Path, footage: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload that is known already keeps its file until its job has ended: done again, it says so once more."""
    update = JobQueue.update

    def cut_off(self: JobQueue, job_id: str, **change: object) -> object:
        if change.get("state") == "done":
            raise LibraryError("the disk is full just now")
        return update(self, job_id, **change)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, Library.open(own_library) as library:
        path = stored_job(library, footage[0], "queued")
        patched.setattr(JobQueue, "update", cut_off)
        with serving(own_library) as client:
            until(lambda: job_of(client, "j1")["state"] == "running")
        assert path.is_file()
    with serving(own_library) as client:
        job = ended_job(client, "j1")
    assert (job["state"], job["result"]["state"]) == ("done", "known")
    assert not path.exists()


def test_a_queued_job_is_cancelled_at_once(own_library: Path, tmp_path: Path) -> None:
    """Its upload is gone, it is never begun, and cancelled twice is an error; another job is done."""
    with Library.open(own_library) as other, serving(own_library) as client:
        with other.writer():
            first, second, third = (upload(client, clip).json()["job_id"] for clip in clips(tmp_path, 3))
            until(lambda: job_of(client, first)["state"] == "running")
            kept = set(other.media.iterdir())
            answer = client.delete(f"/jobs/{second}")
            assert (answer.status_code, answer.json()["state"], answer.json()["cancelling"]) == (
                200,
                "cancelled",
                False,
            )
            assert len(kept - set(other.media.iterdir())) == 1
        assert [ended_job(client, job_id)["state"] for job_id in (first, second, third)] == [
            "done",
            "cancelled",
            "done",
        ]
        for job_id in (first, second):
            assert_problem(client.delete(f"/jobs/{job_id}"), 409, "job_ended", job_id)
        assert_problem(client.delete("/jobs/none"), 404, "not_found", "none")
        assert client.get("/videos").json()["total"] == 8


def test_a_job_that_waits_for_the_library_can_be_cancelled(own_library: Path, tmp_path: Path) -> None:
    """It runs, but another process writes: it says that it is about to end, ends, and its upload is gone."""
    with Library.open(own_library) as other, serving(own_library) as client, other.writer():
        job_id = upload(client, *clips(tmp_path, 1)).json()["job_id"]
        until(lambda: job_of(client, job_id)["state"] == "running")
        assert client.delete(f"/jobs/{job_id}").json()["state"] in ("running", "cancelled")
        job = ended_job(client, job_id)
        assert (job["state"], job["cancelling"], list(other.media.iterdir())) == ("cancelled", False, [])


def test_a_job_that_was_about_to_be_cancelled_is_not_taken_up(own_library: Path, footage: list[Path]) -> None:
    """The service was killed between the request and the end: the next one cancels it and removes its upload."""
    with Library.open(own_library) as library:
        path = stored_job(library, footage[0], "running")
        library.catalogue.queue.cancel("j1")
        assert library.catalogue.queue.job("j1").cancelling
    with serving(own_library) as client:
        assert job_of(client, "j1")["state"] == "cancelled"
    assert not path.exists()


def test_a_failed_job_can_be_tried_again(own_library: Path, tmp_path: Path) -> None:
    """Its checkpoint was gone and is back: the upload was kept, and comes in."""
    with Library.open(own_library) as library:
        hidden = library.checkpoints.rename(tmp_path / "hidden")
        library.checkpoints.mkdir()
    with serving(own_library) as client:
        job_id = upload(client, *clips(tmp_path, 1)).json()["job_id"]
        assert ended_job(client, job_id)["result"]["code"] == "checkpoint_mismatch"
    with serving(own_library) as client:
        for path in hidden.iterdir():
            path.rename(own_library / "checkpoints" / path.name)
        answer = client.post(f"/jobs/{job_id}/retry")
        assert (answer.status_code, location_of(answer)) == (202, f"/jobs/{job_id}")
        job = ended_job(client, job_id)
        assert (job["state"], job["result"]["state"], job["progress"]) == ("done", "added", 1.0)
        assert_problem(client.post(f"/jobs/{job_id}/retry"), 409, "job_ended", "done")


def test_a_file_that_cannot_be_used_is_not_kept_and_not_tried_again(own_library: Path, tmp_path: Path) -> None:
    """Its head is sound and the rest is missing: the job says so, its error has the file's own name, and no more."""
    clip = film(tmp_path / "cut.mp4", 1, 2, 2.0)
    with Library.open(own_library) as library:
        path = stored_job(library, clip, "queued")
        path.write_bytes(b"no medium at all" * 100)
    with serving(own_library) as client:
        job = ended_job(client, "j1")
        assert (job["state"], job["error_count"], len(job["errors"])) == ("failed", 1, 1)
        assert (job["errors"][0]["file_name"], job["errors"][0]["code"]) == ("clip.mp4", job["result"]["code"])
        assert not path.exists()
        assert_problem(client.post("/jobs/j1/retry"), 409, "not_retryable", "j1")


def test_the_queue_has_an_end(own_library: Path, tmp_path: Path) -> None:
    """429 with Retry-After where as many jobs wait as may, and the refused upload leaves nothing."""
    with Library.open(own_library) as other, serving(own_library, most_queued_jobs=2) as client, other.writer():
        first = upload(client, *clips(tmp_path, 1))
        until(lambda: job_of(client, first.json()["job_id"])["state"] == "running")
        assert [upload(client, clip).status_code for clip in clips(tmp_path, 2)] == [202, 202]
        refused = upload(client, *clips(tmp_path, 1))
        assert_problem(refused, 429, "queue_full", "2 jobs")
        assert int(refused.headers["retry-after"]) > 0
        assert len(list(other.media.iterdir())) == 3
        client.delete(f"/jobs/{client.get('/jobs', params={'state': 'queued'}).json()[0]['job_id']}")
        assert upload(client, *clips(tmp_path, 1)).status_code == 202


def test_jobs_are_listed_by_state_and_page(own_library: Path, footage: list[Path]) -> None:
    """The latest first; `state` chooses, `limit` and `before` page, and what makes no sense is refused."""
    with Library.open(own_library) as library:
        for number in range(5):
            stored_job(library, footage[0], "done" if number % 2 else "cancelled", f"j{number}")
    with serving(own_library) as client:

        def listed(**asked: object) -> list[str]:
            return [job["job_id"] for job in client.get("/jobs", params=asked).json()]  # type: ignore[arg-type]

        assert listed() == ["j4", "j3", "j2", "j1", "j0"]
        assert listed(state="done") == ["j3", "j1"]
        assert listed(limit=2) == ["j4", "j3"]
        assert (listed(limit=2, before="j3"), listed(before="j0")) == (["j2", "j1"], [])
        for wrong in ({"state": "lost"}, {"limit": 0}, {"limit": 1001}, {"after": "j1"}):
            assert_problem(client.get("/jobs", params=wrong), 422, "invalid_request")  # type: ignore[arg-type]
        assert_problem(client.get("/jobs", params={"before": "none"}), 404, "not_found", "none")


def test_uploads_that_nobody_names_are_removed_at_the_start(own_library: Path, footage: list[Path]) -> None:
    """A kill between writing and queueing left one; those of videos, waiting and failed jobs, and other files, stay."""
    with Library.open(own_library) as library:
        kept = {stored_job(library, footage[0], state, state) for state in ("queued", "failed")}
        owned = Path(shutil.copy(footage[1], library.media / "upload-video"))
        video = list(library.catalogue.every_video())[1]
        library.catalogue.relocate(video.video_id, library.reference(owned))
        other = library.media / "mine.mp4"
        other.write_bytes(b"x")
        stray = library.media / "upload-stray"
        stray.write_bytes(b"x")
        ended = stored_job(library, footage[0], "cancelled", "cancelled")
        halves = [next(library.cache.glob("features/*/*.npz")).with_suffix(f".{age_s}.partial") for age_s in (0, 60)]
        for half, age_s in zip(halves, (0, 60), strict=True):
            half.write_bytes(b"x")
            os.utime(half, (time.time() - age_s, time.time() - age_s))
        with library.writer(), serving(own_library):
            assert set(library.media.iterdir()) == {*kept, owned, other}
        assert [half.exists() for half in halves] == [True, False], "one may be being written by another process"
        assert not stray.exists()
        assert not ended.exists()


def test_messages_are_bounded_and_errors_are_counted(own_library: Path) -> None:
    """1000 errors and 1000 notes are kept, every error is counted."""
    with Library.open(own_library) as library:
        catalogue = library.catalogue
        catalogue.queue.accept(Job("j", "ingest", "running", {}, 0.0, {}, NOW, NOW), 100)
        met = [JobMessage(f"{n}.mp4", code, "x") for n in range(1001) for code in ("damaged", None)]
        assert catalogue.queue.update("j", messages=met).error_count == 1001
        kept = catalogue.queue.messages("j")
        assert [sum((m.code is None) == noted for m in kept) for noted in (True, False)] == [1000, 1000]
        assert kept[0] == JobMessage("0.mp4", "damaged", "x")
