"""/videos and /segments: footage comes in, is listed, labelled, played, and goes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
import soundfile
from media_samples import stepped_tone, write_picture, write_sound, write_video
from PIL import Image
from service_samples import (
    CLIP_S,
    assert_answers,
    assert_problem,
    ended_job,
    film,
    ingest_into,
    location_of,
    serving,
    upload,
)
from starlette.testclient import TestClient

from app.library.ingest import Source
from echolens.client import Client

VIDEO = {
    "video_id",
    "file_name",
    "media_type",
    "duration_s",
    "label",
    "event_start_s",
    "event_end_s",
    "added_at",
    "loss_s",
    "audio_track",
    "complete",
    "missing",
    "modified_at",
    "has_sound",
    "has_picture",
    "original",
    "poster",
}


def add(client: TestClient, path: Path) -> str:
    asking = Client(http=client)
    job = asking.wait_for(asking.upload(path))
    assert job.state == "done", job
    return str(job.result["video_id"])


def first_video(client: TestClient) -> dict[str, Any]:
    video: dict[str, Any] = client.get("/videos").json()["videos"][0]
    return video


def test_footage_that_comes_in_is_found(own_library: Path, tmp_path: Path) -> None:
    """202 with a job; once it is done the video is listed, labelled, and the nearest to its own second."""
    clip = film(tmp_path / "new clip.mp4", 1, 2, 4.0)
    with serving(own_library) as client:
        version = client.get("/health/ready").json()["catalogue_version"]
        answer = upload(client, clip, label="kettle", event_start_s=1, event_end_s=2.5)
        assert answer.status_code == 202
        assert location_of(answer) == f"/jobs/{answer.json()['job_id']}"
        job = ended_job(client, answer.json()["job_id"])
        assert (job["state"], job["progress"], job["result"]["state"]) == ("done", 1.0, "added")
        video = client.get(f"/videos/{job['result']['video_id']}").json()
        assert set(video) == VIDEO | {"segments"}
        assert (video["file_name"], video["label"]) == ("new clip.mp4", "kettle")
        assert (video["event_start_s"], video["event_end_s"]) == (1.0, 2.5)
        assert (video["media_type"], video["duration_s"]) == ("video/mp4", pytest.approx(4, abs=0.1))
        assert [(s["start_s"], s["heard"], s["seen"]) for s in video["segments"]] == [(t, True, True) for t in range(4)]
        assert client.get("/health/ready").json()["catalogue_version"] > version
        question = {"segment_id": str(video["segments"][2]["segment_id"]), "target": "visual"}
        hits = client.post("/retrieve", data=question | {"query_modality": "visual"}).json()["hits"]
        assert hits[0]["video_id"] == video["video_id"]
        assert (video["loss_s"], video["audio_track"], video["complete"], video["missing"]) == (0.0, None, True, False)
        assert all(s["sound_whole"] and s["frame_whole"] for s in video["segments"])
        assert client.get(video["original"]).content == clip.read_bytes()


def test_sounds_and_pictures_are_footage_too(own_library: Path, tmp_path: Path) -> None:
    """A sound has seconds that are heard and not seen, a picture one that is seen; links and previews follow."""
    with serving(own_library) as client:
        sound = add(client, write_sound(tmp_path / "s.flac"))
        picture = add(client, write_picture(tmp_path / "p.jpg"))
        heard = client.get(f"/videos/{sound}").json()["segments"]
        assert [(s["heard"], s["seen"]) for s in heard] == [(True, False)] * 3
        (seen,) = client.get(f"/videos/{picture}").json()["segments"]
        assert (seen["heard"], seen["seen"]) == (False, True)
        assert_problem(client.get(f"/segments/{heard[0]['segment_id']}/frame.jpg"), 404, "not_found", "no picture")
        assert_problem(client.get(f"/segments/{seen['segment_id']}/sound.wav"), 404, "not_found", "no sound")
        question = {"segment_id": str(heard[0]["segment_id"]), "target": "audio", "k": "1"}
        (hit,) = client.post("/retrieve", data=question).json()["hits"]
        assert (hit["links"]["frame"], hit["video_id"]) == (None, sound)
        wrong = client.post("/retrieve", data=question | {"query_modality": "visual"})
        assert_problem(wrong, 422, "query", "no visual latent")


def test_the_same_bytes_come_in_once(own_library: Path, footage: list[Path]) -> None:
    """Footage that is there already is known, under whatever name, and its second copy is not kept."""
    with serving(own_library) as client:
        there = {v["video_id"] for v in client.get("/videos").json()["videos"]}
        answer = upload(client, footage[0], "other name.mp4")
        job = ended_job(client, answer.json()["job_id"])
        assert (job["state"], job["result"]["state"]) == ("done", "known")
        assert job["result"]["video_id"] in there
        assert client.get("/videos").json()["total"] == len(there)
    assert list((own_library / "media").iterdir()) == []


def test_pages_of_videos_make_the_whole_list(client: TestClient) -> None:
    """Following `next` gives each video once, in the order they were added."""
    whole = client.get("/videos").json()
    assert (whole["total"], whole["next"]) == (6, None)
    assert [v["file_name"] for v in whole["videos"]] == [
        f"{kind}-{number}.mp4" for kind in ("red", "green", "blue") for number in (0, 1)
    ]
    pages, cursor = [], None
    while True:
        page = client.get("/videos", params={"limit": 4} | ({"cursor": cursor} if cursor else {})).json()
        pages += page["videos"]
        if (cursor := page["next"]) is None:
            break
    assert pages == whole["videos"]
    assert all(set(v) == VIDEO for v in pages)


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    """404 for videos, their originals and jobs."""
    for path in ("/videos/none", "/videos/none/original", "/jobs/none"):
        assert_problem(client.get(path), 404, "not_found", "none")
    assert_problem(client.patch("/videos/none", json={"label": "x"}), 404, "not_found", "none")
    assert_problem(client.delete("/videos/none"), 404, "not_found", "none")
    for limit in ("0", "501", "x"):
        assert_problem(client.get("/videos", params={"limit": limit}), 422, "invalid_request", "limit")


def test_labels_can_be_changed_and_are_filtered_by_at_once(own_library: Path) -> None:
    """PATCH replaces label and event as a whole, and the next search sees it."""
    with serving(own_library) as client:
        video_id = first_video(client)["video_id"]
        changed = client.patch(f"/videos/{video_id}", json={"label": "owl", "event_start_s": 0, "event_end_s": 2})
        assert changed.status_code == 200
        assert (changed.json()["label"], changed.json()["event_end_s"]) == ("owl", 2)
        question = {"segment_id": "30", "target": "visual", "label": "owl", "k": "99"}
        hits = client.post("/retrieve", data=question).json()["hits"]
        assert {h["video_id"] for h in hits} == {video_id}
        assert len(hits) == CLIP_S
        bare = client.patch(f"/videos/{video_id}", json={}).json()
        assert (bare["label"], bare["event_start_s"], bare["event_end_s"]) == (None, None, None)
        assert client.post("/retrieve", data=question).json()["hits"] == []


@pytest.mark.parametrize(
    "change",
    [
        '{"label": "x", "event_start_s": 1}',
        '{"label": "x", "event_start_s": 3, "event_end_s": 2}',
        '{"label": "x", "event_start_s": -1, "event_end_s": 2}',
        '{"label": "x", "event_start_s": 0, "event_end_s": NaN}',
        '{"label": "x", "event_start_s": 0, "event_end_s": Infinity}',
        '{"event_start_s": 0, "event_end_s": 1}',
        '{"label": 5}',
        '{"label": "\\ud800"}',
        '{"colour": "x"}',
        '["label"]',
        "{",
        "",
    ],
)
def test_a_label_that_makes_no_sense_is_refused(client: TestClient, change: str) -> None:
    """422 with advice, and the label stays."""
    video = first_video(client)
    answer = client.patch(f"/videos/{video['video_id']}", content=change, headers={"Content-Type": "application/json"})
    assert_problem(answer, 422, answer.json()["code"])
    assert first_video(client) == video
    assert_answers(client)


def test_an_upload_s_label_must_make_sense(own_library: Path, footage: list[Path]) -> None:
    """An event without its end, or without a label, is refused before anything is kept."""
    with serving(own_library) as client:
        for fields in ({"label": "x", "event_start_s": 1}, {"event_start_s": 1, "event_end_s": 2}):
            assert_problem(upload(client, footage[0], **fields), 422, "query", "event")
        assert client.get("/jobs").json() == []
    assert list((own_library / "media").iterdir()) == []


def test_a_deleted_video_is_gone(own_library: Path, tmp_path: Path) -> None:
    """204; its seconds are found no more, its own files go, and the same bytes may come in again."""
    with serving(own_library) as client:
        video_id = add(client, film(tmp_path / "c.mp4", 2, 2, 2.0))
        segment_id = client.get(f"/videos/{video_id}").json()["segments"][0]["segment_id"]
        assert client.delete(f"/videos/{video_id}").status_code == 204
        assert_problem(client.get(f"/videos/{video_id}"), 404, "not_found", video_id)
        assert_problem(client.get(f"/segments/{segment_id}/frame.jpg"), 404, "not_found")
        question = {"segment_id": "1", "target": "visual", "k": "999"}
        hits = client.post("/retrieve", data=question).json()["hits"]
        assert len(hits) == 30
        assert video_id not in {h["video_id"] for h in hits}
        assert not list(own_library.rglob(f"*{video_id}*"))
        assert list((own_library / "media").iterdir()) == []
        assert add(client, tmp_path / "c.mp4") == video_id


def test_footage_that_was_ingested_in_place_stays_there(tmp_path: Path, footage: list[Path]) -> None:
    """Deleting a video forgets it; a file that the library only points to is not its own to remove."""
    clip = tmp_path / "mine.mp4"
    clip.write_bytes(footage[0].read_bytes())
    ingest_into(tmp_path / "library", [Source(clip, clip.name)])
    with serving(tmp_path / "library") as client:
        assert client.delete(f"/videos/{first_video(client)['video_id']}").status_code == 204
        assert client.get("/videos").json()["total"] == 0
    assert clip.exists()


def test_an_original_is_sent_whole_or_in_part(client: TestClient, footage: list[Path]) -> None:
    """Range gives the bytes asked for; the type is that of the bytes, and no browser may guess another."""
    video, content = first_video(client), footage[0].read_bytes()
    whole = client.get(video["original"])
    assert whole.content == content
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"] == f'inline; filename="{footage[0].name}"'
    part = client.get(video["original"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    tail = client.get(video["original"], headers={"Range": "bytes=-50"})
    assert (tail.status_code, tail.content) == (206, content[-50:])
    beyond = client.get(video["original"], headers={"Range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416


def test_a_script_that_is_sent_as_footage_never_runs(own_library: Path, tmp_path: Path) -> None:
    """A sound named page.html is sent as the sound that it is."""
    sound = write_sound(tmp_path / "s.wav")
    with serving(own_library) as client:
        answer = upload(client, sound, "page.html")
        video_id = ended_job(client, answer.json()["job_id"])["result"]["video_id"]
        sent = client.get(f"/videos/{video_id}/original")
        assert sent.headers["content-type"] == "audio/wav"
        assert sent.headers["x-content-type-options"] == "nosniff"


def test_previews_are_the_second_s_own(own_library: Path, tmp_path: Path) -> None:
    """The frame has the brightness of second 2 and the sound its frequency, from the disk and made again."""
    clip = write_video(tmp_path / "steps.mkv", 4.0)
    with serving(own_library) as client:
        video_id = add(client, clip)
        segment_id = client.get(f"/videos/{video_id}").json()["segments"][2]["segment_id"]
        kept = [client.get(f"/segments/{segment_id}/{name}").content for name in ("frame.jpg", "sound.wav")]
        frame = np.asarray(Image.open(io.BytesIO(kept[0])).convert("L"), float)
        assert frame.mean() == pytest.approx(20 + 25 * 2.5, abs=8)
        sound, rate_hz = soundfile.read(io.BytesIO(kept[1]))
        assert (len(sound), rate_hz) == (16_000, 16_000)
        assert np.argmax(np.abs(np.fft.rfft(sound))) == pytest.approx(600, abs=2)
        for path in (own_library / "previews" / video_id).iterdir():
            path.unlink()
        again = [client.get(f"/segments/{segment_id}/{name}").content for name in ("frame.jpg", "sound.wav")]
        assert again == kept


def test_an_original_that_was_moved_is_said_to_be(tmp_path: Path, footage: list[Path]) -> None:
    """404 for the file and what would be made from it; search goes on, since latents need no file."""
    clip = tmp_path / "mine.mp4"
    clip.write_bytes(footage[0].read_bytes())
    ingest_into(tmp_path / "library", [Source(clip, clip.name)])
    clip.unlink()
    with serving(tmp_path / "library") as client:
        video = first_video(client)
        assert_problem(client.get(video["original"]), 404, "not_found", "mine.mp4")
        assert client.get("/segments/1/frame.jpg").status_code == 200
        for path in (tmp_path / "library" / "previews" / video["video_id"]).iterdir():
            path.unlink()
        assert_problem(client.get("/segments/1/frame.jpg"), 404, "not_found", "mine.mp4")
        assert_answers(client)


def test_an_original_that_was_replaced_is_no_fault_of_the_service(tmp_path: Path, footage: list[Path]) -> None:
    """A shorter file in its place has no such second: 404, not 500."""
    clip = tmp_path / "mine.mp4"
    clip.write_bytes(footage[0].read_bytes())
    ingest_into(tmp_path / "library", [Source(clip, clip.name)])
    write_sound(tmp_path / "short.wav", stepped_tone(1, 16000), 16000).replace(clip)
    with serving(tmp_path / "library") as client:
        video = client.get(f"/videos/{first_video(client)['video_id']}").json()
        for path in (tmp_path / "library" / "previews" / video["video_id"]).iterdir():
            path.unlink()
        last = video["segments"][-1]["segment_id"]
        assert_problem(client.get(f"/segments/{last}/sound.wav"), 404, "not_found", "mine.mp4")
        assert_problem(client.get("/segments/1/frame.jpg"), 404, "not_found", "mine.mp4")


def test_the_page_is_served(client: TestClient) -> None:
    """GET / is a page of HTML."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_a_second_says_whose_it_is(client: TestClient) -> None:
    """By its id alone: its video, its time, and where it can be seen and heard."""
    hit = client.post("/retrieve", data={"segment_id": "3", "target": "visual", "query_modality": "audio"}).json()[
        "hits"
    ][0]
    second = client.get(f"/segments/{hit['segment_id']}").json()
    assert second == {key: hit[key] for key in second if key != "links"} | {"links": second["links"]}
    assert (
        client.get(f"/videos/{second['video_id']}/seconds/{second['start_s']}").json()["segment_id"]
        == hit["segment_id"]
    )
    for start_s in (-1, 999, 10**30):
        assert_problem(client.get(f"/videos/{second['video_id']}/seconds/{start_s}"), 404, "not_found", "second")
    for kind, place in second["links"].items():
        assert client.get(urljoin("/segments/1", place)).status_code == 200, kind
    assert_problem(client.get("/segments/9999"), 404, "not_found")


def test_a_video_is_described_without_its_seconds(client: TestClient) -> None:
    """A recording of a day has 86,400 of them."""
    video_id = client.get("/videos").json()["videos"][0]["video_id"]
    whole = client.get(f"/videos/{video_id}").json()
    assert client.get(f"/videos/{video_id}?segments=false").json() == whole | {"segments": []}
