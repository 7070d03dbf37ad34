"""POST /localize: windows, their distances, the best of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_samples import stepped_tone, tone, write_picture, write_sound, write_video
from service_samples import CLIP_S, ingest_into, serving
from starlette.testclient import TestClient

from app.library.ingest import Source


def locate(client: TestClient, video: Path, query: Path | None = None, **fields: object) -> dict[str, Any]:
    files = {"video": (video.name, video.read_bytes())}
    if query is not None:
        files["query"] = (query.name, query.read_bytes())
    answer = client.post("/localize", files=files, data={k: str(v) for k, v in fields.items()})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("direction", ["a2v", "v2a"])
def test_the_answer_is_the_nearest_window(client: TestClient, footage: list[Path], direction: str) -> None:
    """Each window's distance is the mean along its diagonal of the matrix; the least of them is the answer."""
    body = locate(client, footage[0], direction=direction, query_start_s=1, query_length_s=2)
    matrix = np.array(body["distances"], float)
    assert matrix.shape == (2, CLIP_S)
    expected = [(matrix[0, start] + matrix[1, start + 1]) / 2 for start in range(CLIP_S - 1)]
    assert [w["distance"] for w in body["windows"]] == pytest.approx(expected)
    assert [w["start_s"] for w in body["windows"]] == list(range(CLIP_S - 1))
    best = int(np.argmin(expected))
    assert (body["start_s"], body["end_s"]) == (best, best + 2)
    probabilities = [w["probability"] for w in body["windows"]]
    assert sum(probabilities) == pytest.approx(1)
    assert int(np.argmax(probabilities)) == best
    assert body["fingerprint"] == client.get("/health/ready").json()["fingerprint"]


def test_a_query_as_long_as_the_clip_has_one_window(client: TestClient, footage: list[Path]) -> None:
    """There is one place for it."""
    body = locate(client, footage[0], direction="a2v", query_start_s=0, query_length_s=CLIP_S)
    assert [(w["start_s"], w["probability"]) for w in body["windows"]] == [(0, 1.0)]
    assert (body["start_s"], body["end_s"]) == (0, CLIP_S)


def test_a_second_file_asks_as_the_clip_s_own_stretch_does(
    client: TestClient, footage: list[Path], tmp_path: Path
) -> None:
    """The same seconds in another file give the same matrix."""
    samples = stepped_tone(4, 48000)
    video = write_video(tmp_path / "v.mkv", 4.0, samples=samples)
    sound = write_sound(tmp_path / "s.flac", samples[:96_000], 48000)
    own = locate(client, video, direction="a2v", query_start_s=0, query_length_s=2)
    other = locate(client, video, sound, direction="a2v")
    assert np.array(other["distances"]) == pytest.approx(np.array(own["distances"]), rel=2e-2)


def test_a_picture_asks_where_it_is_heard(client: TestClient, footage: list[Path], tmp_path: Path) -> None:
    """A still picture is a query of one second; the target may be a sound alone."""
    picture = write_picture(tmp_path / "p.png")
    sound = write_sound(tmp_path / "s.wav", stepped_tone(6, 16000), 16000)
    body = locate(client, sound, picture, direction="v2a")
    assert len(body["windows"]) == 6
    assert body["end_s"] == body["start_s"] + 1


def test_a_silent_second_of_the_target_has_no_distance(client: TestClient, tmp_path: Path) -> None:
    """Windows that need it are null with probability 0 and are never the answer."""
    samples = tone(5, 44100)
    samples[2 * 44100 : 3 * 44100] = 0
    video = write_video(tmp_path / "v.mov", 5.0, samples=tone(5, 48000) * np.repeat([1, 1, 0, 1, 1], 48000))
    body = locate(client, video, direction="v2a", query_start_s=0, query_length_s=2)
    silent = [w["distance"] is None for w in body["windows"]]
    assert silent == [False, True, True, False]
    assert [w["probability"] for w in body["windows"]][1:3] == [0, 0]
    assert [row[2] for row in body["distances"]] == [None, None]
    assert body["start_s"] in (0, 3)


def test_silence_within_a_query_keeps_its_time(client: TestClient, tmp_path: Path) -> None:
    """A query of three seconds whose middle is silent has a row of nulls there and still spans three seconds."""
    quiet = tone(3, 16000) * np.repeat([1, 0, 1], 16000)
    query = write_sound(tmp_path / "q.wav", quiet.astype(np.float32), 16000)
    body = locate(client, write_video(tmp_path / "v.mp4", 5.0), query, direction="a2v")
    matrix = np.array(body["distances"], float)
    assert matrix.shape == (3, 5)
    assert np.isnan(matrix[1]).all()
    expected = [(matrix[0, start] + matrix[2, start + 2]) / 2 for start in range(3)]
    assert [w["distance"] for w in body["windows"]] == pytest.approx(expected)
    assert body["end_s"] - body["start_s"] == 3


def stored(client: TestClient, status: int = 200, **fields: object) -> dict[str, Any]:
    """Ask about a video of the library."""
    given = {name: (None, str(value)) for name, value in fields.items()}
    answer = client.post("/localize", files=given)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
def video_id(client: TestClient) -> str:
    """Return the first video, of which `footage[0]` is the file."""
    found: str = client.get("/videos").json()["videos"][0]["video_id"]
    return found


@pytest.mark.parametrize("direction", ["a2v", "v2a"])
def test_a_video_of_the_library_answers_as_its_file_does(
    client: TestClient, footage: list[Path], video_id: str, direction: str
) -> None:
    """By its id nothing is sent or decoded, and the distances are the same."""
    asked = {"direction": direction, "query_start_s": 1, "query_length_s": 2}
    own, sent = stored(client, video_id=video_id, **asked), locate(client, footage[0], **asked)
    assert np.array(own["distances"]) == pytest.approx(np.array(sent["distances"]), rel=1e-3)
    same = ("start_s", "end_s", "stands_out", "from_s", "length_s", "query_start_s", "query_end_s", "compared_end_s")
    assert [own[name] for name in same] == [sent[name] for name in same]
    assert "decode" not in own["timings_ms"]


def test_all_times_are_the_video_s_own(client: TestClient, video_id: str) -> None:
    """A stretch is searched: its windows are those of the whole that lie in it."""
    asked = {"video_id": video_id, "direction": "a2v", "query_start_s": 0, "query_length_s": 1}
    whole, part = stored(client, **asked), stored(client, **asked, from_s=2, length_s=3)
    assert (part["from_s"], part["length_s"]) == (2, 3)
    assert [w["start_s"] for w in part["windows"]] == [2, 3, 4]
    assert [w["distance"] for w in part["windows"]] == [w["distance"] for w in whole["windows"]][2:]
    assert part["distances"] == [row[2:] for row in whole["distances"]]
    assert 2 <= part["start_s"] < 5


def test_another_second_or_a_file_may_ask(client: TestClient, footage: list[Path], video_id: str) -> None:
    """The second is one row; the file's own time is told."""
    segment = client.get(f"/videos/{video_id}/seconds/3").json()["segment_id"]
    by_second = stored(client, video_id=video_id, direction="a2v", query_segment_id=segment)
    asked = {"query_start_s": 3, "query_length_s": 1}
    assert by_second["distances"] == stored(client, video_id=video_id, direction="a2v", **asked)["distances"]
    answer = client.post(
        "/localize",
        files={"query": (footage[1].name, footage[1].read_bytes())},
        data={"video_id": video_id, "direction": "a2v"},
    ).json()
    assert (answer["query_start_s"], answer["query_end_s"], len(answer["distances"])) == (0, CLIP_S, CLIP_S)


def test_silent_ends_of_a_query_are_told(client: TestClient, tmp_path: Path) -> None:
    """They have rows of nulls, and are not compared."""
    samples = tone(5, 48000) * np.repeat([0, 1, 1, 0, 1], 48000)
    video = write_video(tmp_path / "v.mov", 5.0, samples=samples.astype(np.float32))
    body = locate(client, video, direction="a2v", query_start_s=0, query_length_s=4)
    assert (body["query_start_s"], body["query_end_s"]) == (0, 4)
    assert (body["compared_start_s"], body["compared_end_s"]) == (1, 3)
    assert [all(d is None for d in row) for row in body["distances"]] == [True, False, False, True]
    assert body["end_s"] - body["start_s"] == 2


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"from_s": 99}, 422, "ends at 5 s"),
        ({"from_s": -1}, 422, "from 0 on"),
        ({"length_s": 0}, 422, "1 to 60 s"),
        ({"length_s": 61}, 422, "1 to 60 s"),
        ({"query_length_s": 9}, 422, "within [0, 5) s"),
        ({"query_start_s": 10**30}, 422, "within [0, 5) s"),
        ({"length_s": 1, "query_length_s": 2}, 422, "no longer than the 1 s"),
        ({"query_segment_id": 1}, 422, "one query expected"),
        ({"audio_track": 1}, 422, "audio_track"),
        ({"video_id": "none"}, 404, "none"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    client: TestClient, video_id: str, fields: dict[str, object], status: int, words: str
) -> None:
    """A stretch outside, two queries, no such video."""
    asked: dict[str, object] = {"direction": "a2v", "query_start_s": 0, "query_length_s": 1, "video_id": video_id}
    assert words in stored(client, status, **(asked | fields))["detail"]


def test_one_place_is_searched(client: TestClient, footage: list[Path], video_id: str) -> None:
    """A file or a video of the library, and fields of the other are refused."""
    asked = {"direction": "a2v", "query_start_s": 0, "query_length_s": 1}
    assert "one place" in stored(client, 422, **asked)["detail"]
    files = {"video": (footage[0].name, footage[0].read_bytes())}
    both = client.post("/localize", files=files, data={k: str(v) for k, v in asked.items()} | {"video_id": video_id})
    assert both.status_code == 422
    part = client.post("/localize", files=files, data={k: str(v) for k, v in asked.items()} | {"from_s": "1"})
    assert "video_id" in part.json()["detail"]


def test_a_video_without_sound_hears_nothing(own_library: Path, tmp_path: Path) -> None:
    """It is said in words; its file need not be there."""
    ingest_into(own_library, [Source(write_video(tmp_path / "quiet.mp4", 3.0, sound=False), "quiet.mp4")])
    (tmp_path / "quiet.mp4").unlink()
    with serving(own_library) as client:
        quiet = client.get("/videos?q=quiet").json()["videos"][0]["video_id"]
        segment = client.get("/videos").json()["videos"][0]["video_id"]
        one = client.get(f"/videos/{segment}/seconds/1").json()["segment_id"]
        found = stored(client, video_id=quiet, direction="a2v", query_segment_id=one)
        assert len(found["windows"]) == 3
        refused = stored(client, 422, video_id=quiet, direction="v2a", query_segment_id=one)
        assert "nothing that can be heard" in refused["detail"]
