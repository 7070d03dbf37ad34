"""Idempotency-Key: a request that comes twice is done once, over restarts and at the same moment."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from service_samples import assert_problem, ended_job, film, serving
from starlette.testclient import TestClient

from app.http import keys
from index.library import Library

KEY = "2f9d a printable key ~!"


def sent(client: TestClient, path: Path, key: str | bytes | None = KEY, name: str | None = None, **fields: str) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    files = {"file": (name or path.name, path.read_bytes())}
    return client.post("/videos", files=files, data=fields, headers=headers)  # type: ignore[arg-type]


def ordered(client: TestClient, body: dict[str, Any], key: str = KEY) -> Any:
    return client.post("/jobs", json=body, headers={"Idempotency-Key": key})


def uploads(library: Path) -> int:
    return len(list((library / "media").iterdir()))


def jobs(client: TestClient) -> int:
    return len(client.get("/jobs").json())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return film(tmp_path / "clip.mp4", 1, 2, 1.0)


def test_the_same_upload_answers_the_same_job(own_library: Path, clip: Path) -> None:
    """202 again with the job as it is by now, said to be replayed; nothing is stored or taken in twice."""
    with serving(own_library) as client:
        first = sent(client, clip, label="owl")
        assert "idempotency-replayed" not in first.headers
        ended_job(client, first.json()["job_id"])
        again = sent(client, clip, label="owl")
        assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
        assert again.headers["location"] == first.headers["location"]
        assert (again.json()["job_id"], again.json()["state"]) == (first.json()["job_id"], "done")
        assert (jobs(client), uploads(own_library)) == (1, 1)
        without = sent(client, clip, key=None)
        assert without.json()["job_id"] != first.json()["job_id"]
        assert "idempotency-replayed" not in without.headers


def test_the_same_key_with_other_content_is_refused(own_library: Path, clip: Path, tmp_path: Path) -> None:
    """422 for another file, name, label or route; the first job stands, and nothing is stored."""
    other = film(tmp_path / "other.mp4", 2, 2, 1.0)
    with serving(own_library, ingest_roots=(tmp_path,)) as client:
        first = sent(client, clip).json()["job_id"]
        ended_job(client, first)
        for answer in (
            sent(client, other),
            sent(client, other, name=clip.name),
            sent(client, clip, name="renamed.mp4"),
            sent(client, clip, label="owl"),
            ordered(client, {"kind": "ingest", "path": str(clip)}),
        ):
            assert_problem(answer, 422, "idempotency_key_reused", KEY)
        assert (jobs(client), uploads(own_library)) == (1, 1)
        assert sent(client, other, key="another").status_code == 202


def test_a_key_outlives_a_restart_and_ends_after_a_day(own_library: Path, clip: Path) -> None:
    """It is in the catalogue, with the job; a day later it is a new request."""
    with serving(own_library) as client:
        first = sent(client, clip).json()["job_id"]
        ended_job(client, first)
    for hours, same in ((23, True), (25, False)):
        with sqlite3.connect(own_library / "catalogue.sqlite") as c:
            at = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
            c.execute("UPDATE idempotency_keys SET at = ?", (at,))
        c.close()
        with serving(own_library) as client:
            again = sent(client, clip)
            assert (again.json()["job_id"] == first, "idempotency-replayed" in again.headers) == (same, same)


def test_two_at_once_make_one_job(own_library: Path, clip: Path) -> None:
    """Eight requests with one key at the same moment: one job, one file, one video more."""
    with serving(own_library) as client:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: sent(client, clip), range(8)))
        assert {a.status_code for a in answers} == {202}
        assert len({a.json()["job_id"] for a in answers}) == 1
        assert sum("idempotency-replayed" in a.headers for a in answers) == 7
        assert ended_job(client, answers[0].json()["job_id"])["result"]["state"] == "added"
        assert (jobs(client), uploads(own_library), client.get("/videos").json()["total"]) == (1, 1, 7)


def test_a_job_of_the_server_s_directory_is_made_once(own_library: Path, clip: Path, tmp_path: Path) -> None:
    """The same body in another order of fields is the same; other fields are other content."""
    with serving(own_library, ingest_roots=(tmp_path,)) as client:
        first = ordered(client, {"kind": "ingest", "path": str(clip)})
        again = ordered(client, {"path": str(clip), "labels": None, "kind": "ingest"})
        assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
        assert again.json()["job_id"] == first.json()["job_id"]
        assert_problem(ordered(client, {"kind": "ingest", "path": str(tmp_path)}), 422, "idempotency_key_reused")
        assert jobs(client) == 1


def test_an_idempotency_key_belongs_to_the_api_key_that_sent_it(own_library: Path, clip: Path, tmp_path: Path) -> None:
    """Another API key neither sees the job nor is refused for other content; each has its own job replayed."""
    contents = {"Ann": clip, "Bob": film(tmp_path / "other.mp4", 2, 2, 1.0)}
    secrets = {name: keys.create(own_library, name, "admin")[1] for name in contents}
    with serving(own_library, ingest_roots=(tmp_path,)) as client:
        for route in ("upload", "order"):
            first: dict[str, str] = {}
            for name in ("Ann", "Bob", "Ann", "Bob"):
                client.headers["Authorization"] = f"Bearer {secrets[name]}"
                body = {"kind": "ingest", "path": str(contents[name])}
                answer = sent(client, contents[name]) if route == "upload" else ordered(client, body, "of the order")
                assert ("idempotency-replayed" in answer.headers) == (name in first)
                assert first.setdefault(name, answer.json()["job_id"]) == answer.json()["job_id"]
            assert first["Ann"] != first["Bob"]
        assert_problem(sent(client, clip), 422, "idempotency_key_reused", f"Idempotency-Key {KEY} given")


def test_a_replay_needs_no_room_in_the_queue(own_library: Path, clip: Path, tmp_path: Path) -> None:
    """A full queue refuses new requests, and still answers one that it has accepted."""
    other = film(tmp_path / "other.mp4", 2, 2, 1.0)
    with (
        Library.open(own_library) as writing,
        serving(own_library, most_queued_jobs=1) as client,
        writing.writer(),
    ):
        while sent(client, other, key=None).status_code == 202:
            pass
        queued = client.get("/jobs", params={"state": "queued"}).json()[0]["job_id"]
        client.delete(f"/jobs/{queued}")
        first = sent(client, clip)
        assert_problem(sent(client, other, key="new"), 429, "queue_full")
        assert sent(client, clip).json()["job_id"] == first.json()["job_id"]


def test_a_refused_request_does_not_use_its_key_up(own_library: Path, clip: Path, tmp_path: Path) -> None:
    """What made no job can be sent again, mended, with the same key."""
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no medium" * 100)
    with serving(own_library) as client:
        assert_problem(sent(client, bad), 415, "not_a_medium", "bad.mp4")
        assert uploads(own_library) == 0
        assert sent(client, clip).status_code == 202


@pytest.mark.parametrize("key", ["", "k" * 129, b"k\xe9y", b"tab\there"])
def test_a_key_that_is_none_is_refused(own_library: Path, clip: Path, key: str | bytes) -> None:
    """1 to 128 printable ASCII characters are expected."""
    with serving(own_library) as client:
        assert_problem(sent(client, clip, key=key), 422, "invalid_request", "Idempotency-Key")
        assert (jobs(client), uploads(own_library)) == (0, 0)
