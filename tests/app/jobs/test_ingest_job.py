"""Ingest of a directory of the server: only where a setting allows it, file by file, resumed where it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from media_samples import tone, write_sound
from service_samples import assert_problem, ended_job, film, job_of, location_of, serving, until
from starlette.testclient import TestClient

import app.jobs.ingest_job
from app.library.ingest import Outcome, Source, ingest
from app.library.session import Session
from index.library import Library
from model.errors import LibraryError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a directory with three clips, one of them in a folder, a damaged file, and a text."""
    root = tmp_path / "footage"
    (root / "more").mkdir(parents=True)
    for number in range(2):
        film(root / f"clip-{number}.mp4", number, 2, 1.0)
    film(root / "more" / "clip-2.mp4", 2, 2, 1.0)
    (root / "damaged.mp4").write_bytes(b"no medium at all" * 100)
    (root / "notes.txt").write_text("a text is passed over")
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Make a clip that lies beside the root."""
    return film(tmp_path / "secret.mp4", 1, 3, 1.0)


def serving_root(library: Path, *roots: Path) -> AbstractContextManager[TestClient]:
    return serving(library, ingest_roots=roots)


def asked(client: TestClient, path: object, **more: object) -> Any:
    return client.post("/jobs", json={"kind": "ingest", "path": str(path), **more})


def stepping(monkeypatch: pytest.MonkeyPatch, before: Callable[[Source], None]) -> None:
    """Call `before` when a file is handed out, one at a time: none is decoded ahead."""

    def one_by_one(session: Session, sources: Iterable[Source], limits: Any, done: Any, **rest: Any) -> list[Outcome]:
        outcomes = []
        for source in sources:
            before(source)
            outcomes += ingest(session, [source], limits, done, **rest)
        return outcomes

    monkeypatch.setattr(app.jobs.ingest_job, "ingest", one_by_one)


def test_a_directory_comes_in_with_its_labels_and_errors(own_library: Path, root: Path) -> None:
    """202 and a job, which counts files, names the bad one, notes what a label missed; files stay where they are."""
    (root / "labels.csv").write_text("file,label\nclip-0.mp4,owl\nmore/clip-2.mp4,bell\ngone.mp4,x\n")
    write_sound(root / "quiet.wav", tone(1), 16000)
    with serving_root(own_library, root) as client:
        answer = asked(client, root, labels=str(root / "labels.csv"))
        assert answer.status_code == 202
        assert location_of(answer) == f"/jobs/{answer.json()['job_id']}"
        assert answer.json()["state"] in ("queued", "running")
        job = ended_job(client, answer.json()["job_id"])
        assert (job["state"], job["progress"], job["time_left_s"]) == ("done", 1.0, None)
        assert job["result"] == {"files": 5, "added": 4, "known": 0, "failed": 1}
        (error,) = job["errors"]
        assert (error["file_name"], error["code"], job["error_count"]) == ("damaged.mp4", "not_a_medium", 1)
        assert job["notes"][0].startswith("1 labelled files are not among those found, such as gone.mp4")
        assert any(note.startswith("quiet.wav: no picture") for note in job["notes"])
        videos = {v["file_name"]: v for v in client.get("/videos").json()["videos"]}
        assert (videos["clip-0.mp4"]["label"], videos["clip-2.mp4"]["label"]) == ("owl", "bell")
        client.delete(f"/videos/{videos['clip-0.mp4']['video_id']}")
        assert (root / "clip-0.mp4").is_file()
        again = ended_job(client, asked(client, root / "more").json()["job_id"])
        assert again["result"] == {"files": 1, "added": 0, "known": 1, "failed": 0}
        one = ended_job(client, asked(client, root / "clip-0.mp4").json()["job_id"])
        assert one["result"] == {"files": 1, "added": 1, "known": 0, "failed": 0}
    assert list((own_library / "media").iterdir()) == []


def test_without_the_setting_nothing_of_the_server_is_read(own_library: Path, root: Path) -> None:
    """403, and the detail says which setting allows it."""
    with serving(own_library) as client:
        for path in (root, root / "none", "relative"):
            assert_problem(asked(client, path), 403, "outside_roots", "ECHOLENS_INGEST_ROOTS")
        assert client.get("/jobs").json() == []


def test_there_is_no_way_out_of_the_roots(own_library: Path, root: Path, outside: Path) -> None:
    """Neither by ..., nor by links, nor by a name that begins alike: 403, whether the place exists or not."""
    (root / "link").symlink_to(outside.parent)
    (root / "file-link.mp4").symlink_to(outside)
    (root / "to-link").symlink_to("link")
    shutil.copytree(root, f"{root}-private", symlinks=True)
    with serving_root(own_library, root) as client:
        for path in (
            outside,
            root.parent,
            "/",
            f"{root}/..",
            f"{root}/more/../../{outside.name}",
            f"{root}/../{root.name}-private",
            f"{root}-private",
            root / "link",
            root / "link" / outside.name,
            f"{root}/link/../{outside.name}",
            root / "to-link" / outside.name,
            root / "file-link.mp4",
            root.parent / "absent",
            "/proc/self/root" + str(outside),
            own_library,
        ):
            assert_problem(asked(client, path), 403, "outside_roots", "ECHOLENS_INGEST_ROOTS")
            assert_problem(asked(client, root, labels=str(path)), 403, "outside_roots", "ECHOLENS_INGEST_ROOTS")
        assert client.get("/jobs").json() == []


def test_links_within_a_directory_lead_nowhere_else(own_library: Path, root: Path, outside: Path) -> None:
    """A link out of the roots is an error of the job, to a folder too; what a link leads to is taken once."""
    (root / "out.mp4").symlink_to(outside)
    (root / "in.mp4").symlink_to(root / "more" / "clip-2.mp4")
    (root / "folder").symlink_to(outside.parent)
    with serving_root(own_library, root) as client:
        job = ended_job(client, asked(client, root).json()["job_id"])
        assert job["result"] == {"files": 6, "added": 3, "known": 0, "failed": 3}
        assert {e["file_name"]: e["code"] for e in job["errors"]} == {
            "out.mp4": "outside_roots",
            "folder": "outside_roots",
            "damaged.mp4": "not_a_medium",
        }
        assert outside.name not in {v["file_name"] for v in client.get("/videos").json()["videos"]}


def test_a_link_that_is_turned_after_the_request_is_not_followed(own_library: Path, root: Path, outside: Path) -> None:
    """The path is checked once more when the job begins."""
    (root / "turned").symlink_to(root / "more")
    with Library.open(own_library) as other, serving_root(own_library, root, own_library.parent / "none") as client:
        with other.writer():
            asked(client, root / "more")
            job_id = asked(client, root / "turned").json()["job_id"]
            shutil.move(root / "more", root / "moved")
            (root / "more").symlink_to(outside.parent)
        job = ended_job(client, job_id)
        assert (job["state"], job["result"]["code"]) == ("failed", "outside_roots")


def test_the_library_itself_is_not_ingested(own_library: Path, footage: list[Path]) -> None:
    """A root above it: its own files, uploads and previews, are passed over."""
    shutil.copy(footage[0], own_library.parent / "copy.mp4")
    with serving_root(own_library, own_library.parent) as client:
        job = ended_job(client, asked(client, own_library.parent).json()["job_id"])
        assert job["result"] == {"files": 1, "added": 0, "known": 1, "failed": 0}
        assert_problem(asked(client, own_library / "media"), 403, "outside_roots")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "ingest", "path": "ROOT/none"}, "query"),
        ({"kind": "ingest", "path": "relative"}, "query"),
        ({"kind": "ingest", "path": "ROOT/\x00"}, "query"),
        ({"kind": "ingest", "path": "ROOT/" + "a" * 300}, "query"),
        ({"kind": "ingest", "path": "ROOT/circle"}, "query"),
        ({"kind": "ingest", "path": "ROOT", "labels": "ROOT/notes.txt"}, "query"),
        ({"kind": "ingest", "path": "ROOT", "labels": "ROOT/more"}, "query"),
        ({"kind": "ingest", "path": ""}, "invalid_request"),
        ({"kind": "ingest", "path": "/a" * 3000}, "invalid_request"),
        ({"kind": "ingest"}, "invalid_request"),
        ({"kind": "ingest", "path": "ROOT", "colour": 1}, "invalid_request"),
        ({"kind": "paint"}, "invalid_request"),
        ({}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
def test_what_makes_no_sense_is_refused(own_library: Path, root: Path, body: Any, code: str) -> None:
    """422 at once, and no job."""
    (root / "circle").symlink_to(root / "circle")
    if isinstance(body, dict):
        body = {k: v.replace("ROOT", str(root)) if isinstance(v, str) else v for k, v in body.items()}
    with serving_root(own_library, root) as client:
        assert_problem(client.post("/jobs", json=body), 422, code)
        assert client.get("/jobs").json() == []


def test_an_empty_directory_fails_the_job(own_library: Path, root: Path) -> None:
    """It is looked at when the job runs."""
    (root / "empty").mkdir()
    with serving_root(own_library, root) as client:
        job = ended_job(client, asked(client, root / "empty").json()["job_id"])
        assert (job["state"], job["result"]["code"]) == ("failed", "query")
        assert "empty" in job["result"]["detail"]


def test_a_name_that_is_no_text_is_an_error_of_its_file(own_library: Path, root: Path) -> None:
    """Bytes beyond UTF-8 in a name: the job goes on, and its answer can be written."""
    path = os.fsencode(root / "a") + b"\xff.mp4"
    shutil.copy(root / "clip-0.mp4", path)
    with serving_root(own_library, root) as client:
        job = ended_job(client, asked(client, root).json()["job_id"])
        assert (job["state"], job["result"]["added"], job["result"]["failed"]) == ("done", 3, 2)
        assert "a?.mp4" in {e["file_name"] for e in job["errors"]}


def test_a_running_directory_is_cancelled_at_the_next_file(
    own_library: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it is about to end; the file at hand comes in, no further one does, and what came in stays."""
    with serving_root(own_library, root) as client:

        def cancel(source: Source) -> None:
            if source.file_name == "clip-1.mp4":
                answer = client.delete(f"/jobs/{client.get('/jobs').json()[0]['job_id']}").json()
                assert (answer["state"], answer["cancelling"]) == ("running", True)
                assert 0 < answer["progress"] < 1
                assert answer["time_left_s"] is not None
                assert answer["at_hand"] == "clip-1.mp4"

        stepping(monkeypatch, cancel)
        job = ended_job(client, asked(client, root).json()["job_id"])
        assert (job["state"], job["cancelling"], job["at_hand"]) == ("cancelled", False, None)
        assert job["result"] == {"files": 4, "added": 2, "known": 0, "failed": 0}
        assert client.get("/videos").json()["total"] == 8
        assert_problem(client.post(f"/jobs/{job['job_id']}/retry"), 409, "job_ended")


def test_a_directory_goes_on_where_the_service_stopped(
    own_library: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is finished, bad files too, is not opened again; counts and errors go on; a file in its order is new."""
    handed: list[str] = []
    with monkeypatch.context() as patched:
        with serving_root(own_library, root) as client:

            def stop(source: Source) -> None:
                handed.append(source.file_name)
                if source.file_name == "damaged.mp4":
                    for runner in client.app.state.service.jobs._runners.values():  # type: ignore[attr-defined]
                        runner.stop()

            stepping(patched, stop)
            job_id = asked(client, root).json()["job_id"]
            until(lambda: job_of(client, job_id)["state"] == "queued" and "damaged.mp4" in handed)
            half = job_of(client, job_id)
        assert half["result"] == {"files": 4, "added": 2, "known": 0, "failed": 1}
        assert half["progress"] == 0.75
    film(root / "late.mp4", 0, 3, 1.0)
    stepping(monkeypatch, lambda source: handed.append(source.file_name))
    with serving_root(own_library, root) as client:
        job = ended_job(client, job_id)
    assert handed == ["clip-0.mp4", "clip-1.mp4", "damaged.mp4", "late.mp4", "clip-2.mp4", "notes.txt"]
    assert job["result"] == {"files": 5, "added": 4, "known": 0, "failed": 1}
    assert (job["state"], job["error_count"], len(job["errors"])) == ("done", 1, 1)


def test_a_directory_that_was_killed_goes_on(own_library: Path, root: Path) -> None:
    """Killed after a file came in, before the job knew of it: it is known then, and nothing is counted twice."""
    with serving_root(own_library, root) as client:
        job_id = ended_job(client, asked(client, root).json()["job_id"])["job_id"]
    with Library.open(own_library) as library:
        job = library.catalogue.queue.job(job_id)
        half = job.payload | {"after": "clip-0.mp4"}
        counts = {"files": 4, "added": 1, "known": 0, "failed": 0}
        library.catalogue.queue.update(job_id, state="running", progress=0.25, result=counts, payload=half)
    with serving_root(own_library, root) as client:
        job_again = ended_job(client, job_id)
    assert job_again["result"] == {"files": 4, "added": 1, "known": 2, "failed": 1}


def test_a_directory_that_a_full_disk_stopped_can_be_tried_again(
    own_library: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job fails with its counts kept, and goes on behind the last finished file."""
    handed: list[str] = []
    full = [True]

    def fill(source: Source) -> None:
        handed.append(source.file_name)
        if source.file_name == "damaged.mp4" and full.pop():
            raise LibraryError("no space is left on this disk: free some")

    stepping(monkeypatch, fill)
    with serving_root(own_library, root) as client:
        job = ended_job(client, asked(client, root).json()["job_id"])
        assert (job["state"], job["result"]["code"], job["result"]["added"]) == ("failed", "library", 2)
        assert job["progress"] == 0.5
        full.append(False)
        assert client.post(f"/jobs/{job['job_id']}/retry").json()["result"].keys() & {"code", "detail"} == set()
        job = ended_job(client, job["job_id"])
        assert job["result"] == {"files": 4, "added": 3, "known": 0, "failed": 1}
    assert handed.count("clip-0.mp4") == 1


def test_a_directory_lets_a_model_be_swapped_in_between_two_files(
    own_library: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a training waits for the library, no file is handed out and its lock is free; then the rest comes in."""
    with serving_root(own_library, root) as client:
        service: Any = client.app.state.service  # type: ignore[attr-defined]
        wanted, handed = service.jobs._ingest._writer_wanted, list[str]()

        def want(source: Source) -> None:
            handed.append(source.file_name)
            if source.file_name == "clip-1.mp4":
                wanted.set()

        def free() -> bool:
            try:
                with service.session.library.writer():
                    return True
            except LibraryError:
                return False

        stepping(monkeypatch, want)
        job_id = asked(client, root).json()["job_id"]
        until(lambda: len(handed) == 2 and free())
        assert job_of(client, job_id)["state"] == "running"
        wanted.clear()
        assert ended_job(client, job_id)["result"]["added"] == 3
        assert handed[-1] == "notes.txt"


def test_what_is_no_medium_is_told_in_one_line(own_library: Path, root: Path) -> None:
    """What systems leave and what turns out to be none are no failures; a linked folder within comes in."""
    (root / "@eaDir").mkdir()
    shutil.copy(root / "clip-0.mp4", root / "@eaDir" / "thumb.mp4")
    (root / "clip-0.nfo").write_text("about it")
    (root / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0\0" * 99)
    film(root / "new.mp4", 1, 3, 1.0).rename(root / "MOV001.MOD")
    (root / "again").symlink_to(root / "more")
    with serving_root(own_library, root) as client:
        job = ended_job(client, asked(client, root).json()["job_id"])
        assert job["result"] == {"files": 5, "added": 4, "known": 0, "failed": 1}
        (line,) = [note for note in job["notes"] if note.startswith("Passed over")]
    assert line == (
        "Passed over: 1 system folders (such as @eaDir), 1 reached twice (such as again), "
        "3 no media (such as Thumbs.db)."
    )


def test_the_line_counts_what_was_passed_over_before_a_stop(
    own_library: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that goes on tells the whole directory, and passes nothing over twice."""
    (root / "a.nfo").write_text("about it")
    with monkeypatch.context() as patched, serving_root(own_library, root) as client:

        def stop(source: Source) -> None:
            if source.file_name == "damaged.mp4":
                for runner in client.app.state.service.jobs._runners.values():  # type: ignore[attr-defined]
                    runner.stop()

        stepping(patched, stop)
        job_id = asked(client, root).json()["job_id"]
        until(lambda: job_of(client, job_id)["state"] == "queued" and job_of(client, job_id)["progress"] > 0.5)
    with serving_root(own_library, root) as client:
        job = ended_job(client, job_id)
    assert job["result"] == {"files": 4, "added": 3, "known": 0, "failed": 1}
    assert "Passed over: 2 no media (such as a.nfo)." in job["notes"]


def test_what_may_not_be_read_is_named_and_the_rest_comes_in(
    own_library: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without rights is an error with what to do, beside those of the files."""
    scandir = os.scandir

    def closed(path: str) -> Any:
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with serving_root(own_library, root) as client:
        job = ended_job(client, asked(client, root).json()["job_id"])
    assert job["result"] == {"files": 4, "added": 2, "known": 0, "failed": 2}
    errors = {error["file_name"]: error for error in job["errors"]}
    assert errors["more"]["code"] == "not_readable"
    assert "right to read" in errors["more"]["detail"]


def test_a_directory_job_tells_what_went_missing_and_finds_it_again(own_library: Path, root: Path) -> None:
    """It is not searched meanwhile; the count is told once."""
    with serving_root(own_library, root) as client:
        ended_job(client, asked(client, root).json()["job_id"])
        (root / "more" / "clip-2.mp4").rename(root.parent / "away.mp4")
        (root / "more" / "other").touch()
        gone = ended_job(client, asked(client, root).json()["job_id"])
        assert [note for note in gone["notes"] if "missing" in note] == [
            "1 video went missing: clip-2.mp4. They are not searched until their files are back."
        ]
        (root.parent / "away.mp4").rename(root / "more" / "clip-2.mp4")
        back = ended_job(client, asked(client, root).json()["job_id"])
        assert "more/clip-2.mp4: it was missing: found again" in back["notes"]
