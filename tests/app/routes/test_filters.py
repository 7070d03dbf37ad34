"""Filters by file and stretches of a query, through HTTP: name, folder and date of a file, length_s beside at_s."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_samples import stepped_tone, write_sound
from service_samples import assert_problem, ended_job, film, ingest_into, send, serving, upload
from starlette.testclient import TestClient

from app.http import keys
from app.library.source import Source

DAY_S = 86400
CLIPS = {"beach/2024/Sea.mp4": 10, "beach/2025/dunes.mp4": 20, "beach2/sea wall.mp4": 30}  # their days since 1970


@pytest.fixture(scope="module")
def holidays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with clips in folders, last changed on different days, and the library `lib` of them."""
    root = tmp_path_factory.mktemp("holidays")
    for number, (name, day) in enumerate(CLIPS.items()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        film(root / name, number, 0, seconds=3)
        os.utime(root / name, (day * DAY_S, day * DAY_S))
    ingest_into(root / "lib", [Source(root / name, Path(name).name) for name in CLIPS])
    return root


def names(client: TestClient, **fields: object) -> set[str]:
    answer = client.post("/retrieve", data={"segment_id": 1, "target": "visual", "k": 50, **fields})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["search"]["certified"]
    return {hit["file_name"] for hit in body["hits"]}


def test_hits_are_narrowed_by_the_name_folder_and_date_of_their_file(holidays: Path) -> None:
    """Each filter by hand; a folder holds what lies below it, not what lies in one that only begins like it."""
    with serving(holidays / "lib") as client:
        assert names(client, name="SEA") == {"Sea.mp4", "sea wall.mp4"}
        assert names(client, folder=holidays / "beach") == {"Sea.mp4", "dunes.mp4"}
        assert names(client, folder=f"{holidays}/beach/2025/") == {"dunes.mp4"}
        assert names(client, folder="/") == {"Sea.mp4", "dunes.mp4", "sea wall.mp4"}
        assert names(client, folder="/nowhere") == set()
        assert names(client, modified_after="1970-01-21") == {"dunes.mp4", "sea wall.mp4"}
        assert names(client, modified_before="1970-01-21T00:00:00Z") == {"Sea.mp4"}
        assert names(client, modified_after="1970-01-21T02:00:00+02:00", modified_before="1970-01-31") == {"dunes.mp4"}
        assert names(client, name="sea", folder=holidays / "beach2") == {"sea wall.mp4"}
        listed = client.get("/videos", params={"folder": f"{holidays}/beach"}).json()
        assert [video["file_name"] for video in listed["videos"]] == ["Sea.mp4", "dunes.mp4"]
        assert listed["videos"][0]["modified_at"] == "1970-01-11T00:00:00+00:00"
        batch = client.post("/retrieve/batch", data={"segment_ids": [1, 4], "target": "audio", "name": "dunes", "k": 9})
        for item in batch.json()["items"]:
            assert {hit["file_name"] for hit in item["answer"]["hits"]} == {"dunes.mp4"}


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("modified_after", "last week", "2026-05-31"),
        ("modified_before", "2024", "2026-05-31"),
        ("folder", "beach", "whole path"),
    ],
)
def test_what_is_no_date_or_no_whole_path_is_refused(holidays: Path, field: str, value: str, word: str) -> None:
    """The problem says what was given and shows what was expected; a list of videos refuses a folder likewise."""
    with serving(holidays / "lib") as client:
        answer = client.post("/retrieve", data={"segment_id": 1, "target": "visual", field: value})
        assert answer.status_code == 422
        assert word in answer.json()["detail"]
        assert value in answer.json()["detail"]
        if field == "folder":
            assert client.get("/videos", params={field: value}).status_code == 422


def test_who_is_told_no_paths_cannot_find_them_out_by_a_folder(holidays: Path) -> None:
    """A key of scope read is refused a folder, right or wrong, in each question and in the list of videos."""
    data = holidays / "lib"
    admin = {"Authorization": f"Bearer {keys.create(data, 'a', 'admin')[1]}"}
    read = {"Authorization": f"Bearer {keys.create(data, 'r', 'read')[1]}"}
    try:
        with serving(data) as client:
            question = {"segment_id": 1, "target": "visual", "folder": str(holidays)}
            many = {"segment_ids": 1, "target": "visual", "folder": str(holidays)}
            assert client.post("/retrieve", data=question, headers=admin).status_code == 200
            assert_problem(client.post("/retrieve", data=question, headers=read), 403, "paths_hidden", "leave it out")
            assert_problem(client.post("/retrieve/batch", data=many, headers=read), 403, "paths_hidden")
            assert_problem(client.get("/videos?folder=/x", headers=read), 403, "paths_hidden")
            assert client.get("/videos?folder=/x", headers=admin).json()["total"] == 0
    finally:
        (data / "keys.json").unlink()


def test_a_file_that_is_ingested_again_tells_its_date(holidays: Path, tmp_path: Path) -> None:
    """Touched, it has the new date; a copy elsewhere changes nothing; without a date it gets the one of its file."""
    directory, clip = tmp_path / "lib", tmp_path / "a.mp4"
    shutil.copy2(holidays / "beach/2024/Sea.mp4", clip)
    (video_id,) = (outcome.video_id for outcome in ingest_into(directory, [Source(clip, "a.mp4")]))
    os.utime(clip, (DAY_S, DAY_S))
    ingest_into(directory, [Source(clip, "a.mp4")])
    shutil.copy(clip, tmp_path / "b.mp4")
    ingest_into(directory, [Source(tmp_path / "b.mp4", "b.mp4")])
    with serving(directory) as client:
        assert client.get(f"/videos/{video_id}").json()["modified_at"] == "1970-01-02T00:00:00+00:00"


def test_an_upload_has_the_date_that_it_is_sent_with(tmp_path: Path) -> None:
    """The browser knows when the file was changed; without a word it is dated when it came."""
    with serving(tmp_path / "lib") as client:
        for number, fields in enumerate(({"modified_at": "2001-02-03T04:05:06+01:00"}, {})):
            sent = upload(client, film(tmp_path / f"{number}.mp4", number, 0, seconds=2), **fields)
            assert ended_job(client, sent.json()["job_id"])["state"] == "done"
        first, second = client.get("/videos").json()["videos"]
        assert first["modified_at"] == "2001-02-03T03:05:06+00:00"
        assert abs(np.datetime64(second["modified_at"][:19]) - np.datetime64(second["added_at"][:19])) < np.timedelta64(
            60
        )
        wrong = upload(client, tmp_path / "0.mp4", modified_at="soon")
        assert (wrong.status_code, "soon" in wrong.json()["detail"]) == (422, True)
        far = upload(client, tmp_path / "0.mp4", modified_at="9999-12-31T23:59:59Z")
        assert far.status_code in (202, 422)


def test_a_stretch_of_a_file_is_asked_as_one(client: TestClient, tmp_path: Path) -> None:
    """The seconds that [at_s, at_s + length_s) touches answer as a file of those seconds alone does."""
    samples = stepped_tone(8, 44100)
    whole = write_sound(tmp_path / "whole.wav", samples, 44100)
    part = write_sound(tmp_path / "part.wav", samples[2 * 44100 : 5 * 44100], 44100)
    asked = {"target": "audio", "k": 5}
    of_part = send(client, part, **asked).json()
    for at_s, length_s in ((2, 3), (2.5, 2.2), (2.0, 2.0001)):
        of_stretch = send(client, whole, at_s=at_s, length_s=length_s, **asked).json()
        found = [(h["segment_id"], pytest.approx(h["distance"], rel=0.01)) for h in of_part["hits"]]
        assert [(h["segment_id"], h["distance"]) for h in of_stretch["hits"]] == found
    head, first = send(client, whole, length_s=1, **asked).json(), send(client, whole, at_s=0, **asked).json()
    assert head["hits"][0]["segment_id"] == first["hits"][0]["segment_id"]
    one, same = send(client, whole, at_s=4.7, length_s=0.3, **asked).json(), send(client, whole, at_s=4, **asked).json()
    assert one["hits"] == same["hits"]
    past = send(client, whole, at_s=6, length_s=10, **asked)
    assert past.status_code == 200


def test_a_stretch_that_cannot_be_is_refused(client: TestClient, tmp_path: Path) -> None:
    """Over ten seconds, of no length, behind the end, or of what is no file."""
    sound = write_sound(tmp_path / "s.wav", stepped_tone(3, 44100), 44100)
    for length_s in (0, -1, 10.1, "nan", "inf"):
        assert send(client, sound, target="audio", at_s=0, length_s=length_s).status_code == 422
    assert_problem(send(client, sound, target="audio", at_s=3, length_s=2), 422, "query", "no such second")
    for query in ({"segment_id": 1}, {"text": "dog"}):
        answer = client.post("/retrieve", data={"target": "audio", "length_s": 2, **query})
        assert_problem(answer, 422, "query", "length_s")
