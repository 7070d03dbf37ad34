"""A sound track is chosen by its number, over HTTP and by the command line, and the answer says what was left aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from av.stream import Disposition
from media_samples import write_sound, write_tracks
from service_samples import Command, serving
from starlette.testclient import TestClient

NOTE = "sound track 2 of 2 was taken (the default); take another with --audio-track N or audio_track"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a film of 3 s with a commentary, 500 Hz, before its sound, 1 kHz."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    return write_tracks(path, [Disposition.comment, Disposition.default], seconds=3)


def retrieve(client: TestClient, path: Path, **fields: str) -> dict[str, Any]:
    data = {"target": "audio", "query_modality": "audio"} | fields
    answer = client.post("/retrieve", data=data, files={"file": path.read_bytes()})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def distances(answer: dict[str, Any]) -> dict[int, float]:
    return {hit["segment_id"]: round(hit["distance"], 4) for hit in answer["hits"]}


def test_a_query_is_asked_by_the_track_that_was_chosen(client: TestClient, film: Path) -> None:
    """Track 1 answers unlike track 2, which is the default, and only the default is told of."""
    default, second, first = (retrieve(client, film, **f) for f in ({}, {"audio_track": "2"}, {"audio_track": "1"}))
    assert default["notes"] == [NOTE]
    assert (second["notes"], first["notes"]) == ([], [])
    assert distances(default) == distances(second) != distances(first)


def test_a_track_that_is_not_there_is_refused(client: TestClient, film: Path) -> None:
    """The error has a code and says how many there are."""
    data = {"target": "audio", "query_modality": "audio", "audio_track": "3"}
    answer = client.post("/retrieve", data=data, files={"file": film.read_bytes()})
    assert answer.json()["code"] == "no_sound_track"
    assert "has 2 sound tracks, number 3 was asked for: give 1 to 2" in answer.json()["detail"]
    for wrong in ("0", "-1", "two"):
        answer = client.post("/retrieve", data=data | {"audio_track": wrong}, files={"file": film.read_bytes()})
        assert answer.status_code == 422
    answer = client.post("/retrieve", data={"target": "audio", "segment_id": "1", "audio_track": "1"})
    assert "without a file" in answer.json()["detail"]


def test_a_batch_has_one_number_for_all_its_files(client: TestClient, film: Path, tmp_path: Path) -> None:
    """A sound file has track 1 alone, and fails by itself."""
    sound = write_sound(tmp_path / "a.wav")
    data = {"target": "audio", "query_modality": "audio", "audio_track": "2"}
    files = [("files", film.read_bytes()), ("files", sound.read_bytes())]
    one, other = client.post("/retrieve/batch", data=data, files=files).json()["items"]
    assert one["answer"]["hits"]
    assert "has one sound track, number 2 was asked for" in other["problem"]["detail"]


def test_localize_counts_tracks_of_both_files(client: TestClient, film: Path) -> None:
    """`audio_track` is of the clip, `query_audio_track` of the second file."""

    def ask(**fields: str) -> dict[str, Any]:
        files = {"video": film.read_bytes(), "query": film.read_bytes()}
        body: dict[str, Any] = client.post("/localize", data={"direction": "a2v"} | fields, files=files).json()
        return body

    assert ask()["notes"] == [NOTE, NOTE]
    assert ask(query_audio_track="2")["notes"] == [NOTE]
    assert ask(query_audio_track="2")["distances"] == ask()["distances"] != ask(query_audio_track="1")["distances"]
    assert ask(audio_track="3")["code"] == ask(query_audio_track="3")["code"] == "no_sound_track"
    data = {"direction": "a2v", "query_start_s": "0", "query_length_s": "1", "query_audio_track": "1"}
    assert client.post("/localize", data=data, files={"video": film.read_bytes()}).json()["code"] == "query"


def test_an_answer_in_csv_has_its_notes_in_the_head(client: TestClient, film: Path) -> None:
    """As it has its warnings."""
    data, head = {"target": "audio", "query_modality": "audio"}, {"Accept": "text/csv"}
    answer = client.post("/retrieve", data=data, files={"file": film.read_bytes()}, headers=head)
    assert NOTE in answer.headers["warning"]


def test_uploads_and_directories_take_the_track(own_library: Path, film: Path, tmp_path: Path) -> None:
    """The video knows by which track it was read; a track that is not there fails at once."""
    (tmp_path / "films").mkdir()
    other = write_tracks(tmp_path / "films" / "other.mkv", [Disposition.default, Disposition(0)], seconds=2)
    with serving(own_library, ingest_roots=(tmp_path / "films",)) as client:
        refused = client.post("/videos", data={"audio_track": "3"}, files={"file": ("film.mkv", film.read_bytes())})
        assert refused.json()["code"] == "no_sound_track"
        client.post("/videos", data={"audio_track": "1"}, files={"file": ("film.mkv", film.read_bytes())})
        client.post("/jobs", json={"kind": "ingest", "path": str(other.parent), "audio_track": 2})
        jobs = [job["job_id"] for job in client.get("/jobs").json()]
        while any(client.get(f"/jobs/{job}").json()["state"] in ("queued", "running") for job in jobs):
            pass
        videos = {video["file_name"]: video for video in client.get("/videos").json()["videos"]}
        assert videos["film.mkv"]["audio_track"] == 1
        assert videos["other.mkv"]["audio_track"] == 2
        near, far = (retrieve(client, film, audio_track=n, video_id=videos["film.mkv"]["video_id"]) for n in "12")
        assert near["hits"][0]["distance"] < 0.1 < far["hits"][0]["distance"]


def test_the_command_line_takes_the_track(echolens: Command, own_library: Path, film: Path) -> None:
    """`ingest --audio-track`, `retrieve --audio-track`, and notes on standard error."""
    assert echolens("ingest", film, "--library", own_library, "--audio-track", 3).code != 0
    assert echolens("ingest", film, "--library", own_library, "--audio-track", 1).code == 0
    asked = ("retrieve", film, "--query-modality", "audio", "--target", "audio", "--library", own_library)
    assert NOTE in echolens(*asked).err
    assert NOTE not in echolens(*asked, "--audio-track", 1).err
