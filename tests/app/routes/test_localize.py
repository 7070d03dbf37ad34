"""POST /localize: windows, their distances, the best of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_samples import stepped_tone, tone, write_picture, write_sound, write_video
from service_samples import CLIP_S
from starlette.testclient import TestClient


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
    """A query of three seconds whose middle is silent has two rows and still spans three seconds."""
    quiet = tone(3, 16000) * np.repeat([1, 0, 1], 16000)
    query = write_sound(tmp_path / "q.wav", quiet.astype(np.float32), 16000)
    body = locate(client, write_video(tmp_path / "v.mp4", 5.0), query, direction="a2v")
    matrix = np.array(body["distances"], float)
    assert matrix.shape == (2, 5)
    expected = [(matrix[0, start] + matrix[1, start + 2]) / 2 for start in range(3)]
    assert [w["distance"] for w in body["windows"]] == pytest.approx(expected)
    assert body["end_s"] - body["start_s"] == 3
