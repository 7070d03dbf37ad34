"""The service takes in what comes into a watched directory, by jobs of which none is for nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from service_samples import ended_job, film, job_of, serving, until
from starlette.testclient import TestClient

import app.jobs.ingest_job
import app.jobs.watcher
import app.library.examined
from app.jobs.watcher import Watcher
from app.library.watch import Watch
from app.settings import Settings
from model.errors import QueueFull

SETTLE_S, RESCAN_S = 0.1, 0.3


@pytest.fixture(autouse=True)
def fine_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the times of files that were written just now, and ask often whether jobs are done."""
    monkeypatch.setattr(app.library.examined, "COARSEST_CLOCK_NS", 0)
    monkeypatch.setattr(app.jobs.watcher, "BUSY_RETRY_S", 0.05)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "footage" / "camera").mkdir(parents=True)
    return tmp_path / "footage"


def watching(library: Path, root: Path, **settings: object) -> Any:
    pace = {"watch_settle_s": SETTLE_S, "watch_rescan_s": RESCAN_S}
    return serving(library, **({"ingest_roots": (root,), "watch": (root,)} | pace | settings))


def names(client: TestClient) -> set[str]:
    return {video["file_name"] for video in client.get("/videos").json()["videos"]}


def jobs(client: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/jobs").json()
    return found


def look_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until a watch has looked three times more."""
    looked, look = threading.Semaphore(0), Watch.look

    def counting(watch: Watch) -> Any:
        looked.release()
        return look(watch)

    with monkeypatch.context() as counted:
        counted.setattr(Watch, "look", counting)
        for _ in range(3):
            assert looked.acquire(timeout=30)


def test_what_comes_is_a_job_of_its_folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts and names as others do; where nothing is new there is no job, not even after a restart."""
    film(root / "camera" / "a.mp4", 0, 0, 1.0)
    (root / "camera" / "broken.mp4").write_bytes(b"no medium at all" * 100)
    with watching(tmp_path / "library", root) as client:
        until(lambda: names(client) == {"a.mp4"})
        job = ended_job(client, jobs(client)[0]["job_id"])
        assert (job["kind"], job["subject"], job["state"]) == ("ingest", "camera", "done")
        assert job["result"] == {"files": 2, "added": 1, "known": 0, "failed": 1}
        assert [error["file_name"] for error in job["errors"]] == ["broken.mp4"]
        look_around(monkeypatch)
        assert len(jobs(client)) == 1
    with watching(tmp_path / "library", root) as client:
        look_around(monkeypatch)
        assert len(jobs(client)) == 1
        film(root / "b.mp4", 1, 0, 1.0)
        until(lambda: names(client) == {"a.mp4", "b.mp4"})
        look_around(monkeypatch)
        first, _ = jobs(client)
        assert (first["subject"], first["result"]) == ("footage", {"files": 1, "added": 1, "known": 0, "failed": 0})


def test_what_went_missing_is_a_note_of_a_job(tmp_path: Path, root: Path) -> None:
    """And what is there again, too; the video stays all the while."""
    film(root / "camera" / "a.mp4", 0, 0, 1.0)
    film(root / "camera" / "b.mp4", 1, 0, 1.0)
    with watching(tmp_path / "library", root) as client:
        until(lambda: len(names(client)) == 2)
        ended_job(client, jobs(client)[0]["job_id"])
        (root / "camera" / "a.mp4").rename(tmp_path / "a.mp4")
        until(lambda: len(jobs(client)) == 2)
        note = ended_job(client, jobs(client)[0]["job_id"])["notes"][0]
        assert note == "1 video went missing: a.mp4. They are not searched until their files are back."
        root.rename(tmp_path / "away")
        until(lambda: len(jobs(client)) == 2)
        (tmp_path / "a.mp4").rename(tmp_path / "away" / "camera" / "a.mp4")
        (tmp_path / "away").rename(root)
        until(lambda: client.get("/library").json()["missing"] == 0)
        assert len(names(client)) == 2


def test_a_watched_link_leads_to_its_directory(tmp_path: Path, root: Path) -> None:
    """What comes there is taken in, and what goes there is missing."""
    film(root / "camera" / "a.mp4", 0, 0, 1.0)
    film(root / "camera" / "b.mp4", 1, 0, 1.0)
    (tmp_path / "link").symlink_to(root)
    with watching(tmp_path / "library", root, watch=(tmp_path / "link",)) as client:
        until(lambda: len(names(client)) == 2)
        ended_job(client, jobs(client)[0]["job_id"])
        (root / "camera" / "a.mp4").unlink()
        until(lambda: client.get("/library").json()["missing"] == 1)


def test_a_job_of_a_watch_goes_on_after_a_stop(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service stops within it; the next start ends the same job, and nothing is doubled."""
    for number in range(3):
        film(root / "camera" / f"{number}.mp4", number, 0, 1.0)
    held, ingest = threading.Event(), app.jobs.ingest_job.ingest

    def one(session: Any, sources: Any, limits: Any, done: Any, **rest: Any) -> Any:
        """Take in one file, then none until the service stops."""
        if held.is_set():
            return []
        held.set()
        return ingest(session, [next(iter(sources))], limits, done, **rest)

    with monkeypatch.context() as slow:
        slow.setattr(app.jobs.ingest_job, "ingest", one)
        with watching(tmp_path / "library", root) as client:
            until(lambda: len(names(client)) == 1)
            (job,) = jobs(client)
    with watching(tmp_path / "library", root) as client:
        until(lambda: len(names(client)) == 3)
        assert ended_job(client, job["job_id"])["result"] == {"files": 3, "added": 3, "known": 0, "failed": 0}
        assert len(jobs(client)) == 1


def test_a_cancelled_job_is_not_queued_again_at_once(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it left comes in with the next job of its folder, or once it changes."""
    film(root / "camera" / "a.mp4", 0, 0, 1.0)
    with monkeypatch.context() as slow:
        slow.setattr(app.jobs.ingest_job, "ingest", lambda *_, **__: [])
        with watching(tmp_path / "library", root) as client:
            until(lambda: jobs(client) and jobs(client)[0]["state"] == "running")
            client.delete(f"/jobs/{jobs(client)[0]['job_id']}")
            assert ended_job(client, jobs(client)[0]["job_id"])["state"] == "cancelled"
            look_around(monkeypatch)
            assert len(jobs(client)) == 1
            slow.undo()
            film(root / "camera" / "b.mp4", 1, 0, 1.0)
            until(lambda: names(client) == {"a.mp4", "b.mp4"})


def test_it_waits_for_jobs_of_directories(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is queued or runs it queues none; what that job took in is not news."""
    clip = film(tmp_path / "a.mp4", 0, 0, 1.0)
    with watching(tmp_path / "library", root, watch_settle_s=1.0) as client:
        clip.rename(root / "camera" / "a.mp4")
        answer = client.post("/jobs", json={"kind": "ingest", "path": str(root)})
        assert ended_job(client, answer.json()["job_id"])["result"]["added"] == 1
        look_around(monkeypatch)
        assert [job["job_id"] for job in jobs(client)] == [answer.json()["job_id"]]


def test_a_refused_job_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue is no end of the watch."""
    monkeypatch.setattr("app.jobs.watcher.REFUSED_RETRY_S", 0.01)
    handed, refused = threading.Event(), threading.Event()

    class Full:
        def look(self) -> list[Any]:
            return [type("Find", (), {"folder": Path("/footage")})]

        def hand_over(self, find: object) -> None:
            handed.set()

        def wait(self, stop: threading.Event) -> None:
            stop.wait()

        def close(self) -> None: ...

    def queue(folder: Path) -> None:
        if not refused.is_set():
            refused.set()
            raise QueueFull("1000 jobs wait already")

    watcher = Watcher(Full(), lambda: handed.is_set(), queue)  # type: ignore[arg-type]
    watcher.start()
    assert handed.wait(30)
    assert refused.is_set()
    watcher.stop()
    watcher.join(30)
    assert not watcher.is_alive()


@pytest.mark.parametrize("watch", ["/elsewhere", "footage"])
def test_a_directory_outside_the_roots_is_refused_at_the_start(tmp_path: Path, watch: str) -> None:
    """As is a relative one: the setting says what is expected."""
    with pytest.raises(ValidationError, match="ECHOLENS_INGEST_ROOTS"):
        Settings(data=tmp_path, ingest_roots=(tmp_path,), watch=(Path(watch),))


def test_job_of_a_folder_that_left_ends_quietly(tmp_path: Path, root: Path) -> None:
    """Its disk went while the job waited: nothing is missing, nothing failed."""
    film(root / "camera" / "a.mp4", 0, 0, 1.0)
    with serving(tmp_path / "library", ingest_roots=(root,)) as client:
        service = client.app.state.service  # type: ignore[attr-defined]
        (root / "camera" / "a.mp4").unlink()
        (root / "camera").rmdir()
        (root / "camera").mkdir()
        service.jobs._ingest_watched(root / "camera")
        job = ended_job(client, jobs(client)[0]["job_id"])
        assert (job["state"], job["notes"]) == ("done", [])
        assert job_of(client, job["job_id"])["result"]["files"] == 0
