"""The Python client against the service."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from media_samples import tone, write_sound
from service_samples import film, serving
from starlette.testclient import TestClient

from echolens.client import Client, Problem
from echolens.connection import MOST_WAIT_S, TRIES

ROOT = Path(__file__).parents[2]


def test_it_needs_neither_torch_nor_the_service() -> None:
    """Importing the client brings numpy at most: it may run on another machine."""
    heavy = "{'torch', 'librosa', 'av', 'faiss', 'sklearn', 'fastapi', 'starlette', 'scipy'}"
    code = f"import sys, echolens.client; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_library_from_the_first_upload_to_a_search(footage: list[Path], tmp_path: Path) -> None:
    """Footage goes in, is found, is labelled, is played, and goes."""
    clip = film(tmp_path / "clip.mp4", 0, 0, 3.0)
    with serving(tmp_path / "library") as http:
        client = Client(http=http)
        job = client.wait_for(client.upload(clip, label="red", idempotency_key="one"))
        assert job.state == "done"
        again = client.upload(clip, label="red", idempotency_key="one")
        assert again.job_id == job.job_id, "the key makes it one upload"
        (video,) = client.videos()
        assert (video.file_name, video.label) == ("clip.mp4", "red")
        assert client.original(video.video_id) == clip.read_bytes()
        detail = client.video(video.video_id)
        second = detail.segments[1]
        answer = client.retrieve("visual", segment_id=second.segment_id, query_modality="visual", k=1)
        assert answer.hits[0].segment_id == second.segment_id
        assert answer.search.certified
        assert client.frame(second.segment_id).startswith(b"\xff\xd8")
        assert client.sound(second.segment_id).startswith(b"RIFF")
        assert client.annotate(video.video_id, "blue", 0.0, 2.0).event_end_s == 2.0
        assert [v.label for v in client.videos(label="blue", q="CLIP")] == ["blue"]
        assert client.job(job.job_id).state == "done"
        latest = client.wait_for(client.upload(footage[1]))
        assert [j.job_id for j in client.jobs(state="done", limit=1)] == [latest.job_id, job.job_id]
        assert list(client.jobs(state="failed")) == []
        reencoded = client.wait_for(client.reencode(frontend="raw"))
        assert (reencoded.state, reencoded.result["videos"]) == ("done", 2)
        assert client.retrieve("visual", segment_id=second.segment_id, query_modality="visual", k=1).warnings
        client.delete(video.video_id)
        assert [v.file_name for v in client.videos()] == [footage[1].name]


def test_every_question_has_its_answer(client: TestClient, footage: list[Path], tmp_path: Path) -> None:
    """Files as paths or bytes; answers are the models of app.schemas."""
    asking = Client(http=client)
    sound = write_sound(tmp_path / "s.wav", tone(2))
    assert len(asking.retrieve("visual", file=sound, k=3, label="red", merge_adjacent=False).hits) == 3
    assert asking.retrieve("visual", file=sound.read_bytes(), group_by="video", k=2).query.modality == "audio"
    batch = asking.retrieve_batch("audio", files=[sound, b"no medium"], segment_ids=[1, 2], k=2)
    assert [item.problem is None for item in batch.items] == [True, False, True, True]
    found = asking.localize(footage[0], "a2v", query_start_s=1, query_length_s=2)
    assert found.end_s - found.start_s == 2
    stored = next(v for v in asking.videos() if v.file_name == footage[0].name).video_id
    part = asking.localize(video_id=stored, from_s=1, length_s=3, query_start_s=0, query_length_s=2)
    assert (part.from_s, part.length_s, part.query_end_s, len(part.windows)) == (1, 3, 2, 2)
    second = asking.localize(None, "v2a", video_id=stored, query_segment_id=3)
    assert second.end_s - second.start_s == 1
    with pytest.raises(Problem, match="one place"):
        asking.localize(footage[0], video_id=stored, query_start_s=0, query_length_s=1)
    imagined = asking.generate(segment_id=3)
    assert imagined.frame_png is not None
    assert imagined.frame_png.startswith(b"\x89PNG")
    assert len(asking.map("audio", points=20).points.x) == 20
    assert asking.mrr().videos == 6
    assert asking.live().status == "live"
    assert asking.ready().fingerprint == imagined.query.fingerprint
    assert [v.file_name for v in asking.videos(limit=2)] == [path.name for path in footage]


def test_a_problem_is_one_exception(client: TestClient) -> None:
    """Status, code, detail and request id; it survives pickling, as between processes."""
    with pytest.raises(Problem) as raised:
        Client(http=client).retrieve("visual", segment_id=99999)
    problem = raised.value
    assert (problem.status, problem.code) == (404, "not_found")
    assert "99999" in problem.detail
    assert problem.request_id
    assert problem.request_id in str(problem)
    assert str(pickle.loads(pickle.dumps(problem))) == str(problem)


def answering(*answers: httpx2.Response | Exception) -> tuple[Client, list[httpx2.Request]]:
    """Return a client of a service that gives these answers, one after the other, and what it was sent."""
    sent: list[httpx2.Request] = []
    left = list(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        request.read()
        sent.append(request)
        following = left.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    http = httpx2.Client(transport=httpx2.MockTransport(answer), base_url="http://service")
    return Client(api_key="secret", http=http), sent


def refusal(status: int, retry_after: str | None = "2") -> httpx2.Response:
    body = {"type": "/errors#busy", "title": "t", "status": status, "code": "busy", "detail": "d", "request_id": "r"}
    return httpx2.Response(status, json=body, headers={} if retry_after is None else {"Retry-After": retry_after})


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr("echolens.connection.time.sleep", waits.append)
    return waits


def test_what_is_refused_for_now_is_asked_again(slept: list[float]) -> None:
    """429 and 503 with Retry-After are waited for; the key goes along each time."""
    client, sent = answering(refusal(429), refusal(503, "1"), httpx2.Response(200, json={"status": "live"}))
    assert client.live().status == "live"
    assert slept == [2.0, 1.0]
    assert [r.headers["authorization"] for r in sent] == ["Bearer secret"] * 3


def test_asking_again_ends(slept: list[float]) -> None:
    """After so many tries the refusal is the caller's."""
    client, sent = answering(*[refusal(429) for _ in range(TRIES)])
    with pytest.raises(Problem) as raised:
        client.live()
    assert (raised.value.retry_after_s, len(sent), len(slept)) == (2.0, TRIES, TRIES - 1)


@pytest.mark.parametrize(
    "answer", [refusal(503, None), refusal(429, str(int(MOST_WAIT_S) + 1)), refusal(500), refusal(422)]
)
def test_what_does_not_pass_is_not_asked_again(slept: list[float], answer: httpx2.Response) -> None:
    """Without Retry-After, with one that is too long, and for any other problem: once."""
    client, sent = answering(answer)
    with pytest.raises(Problem):
        client.ready()
    assert (len(sent), slept) == (1, [])


@pytest.mark.parametrize(
    "change",
    [
        lambda c, path: c.upload(path),
        lambda c, path: c.delete("x"),
        lambda c, path: c.annotate("x"),
        lambda c, path: c.train(),
        lambda c, path: c.reencode(),
        lambda c, path: c.cancel("x"),
    ],
)
def test_a_change_is_not_sent_twice(
    slept: list[float], tmp_path: Path, change: Callable[[Client, Path], object]
) -> None:
    """Whoever changes something decides about doing it again."""
    client, sent = answering(refusal(429))
    with pytest.raises(Problem):
        change(client, write_sound(tmp_path / "s.wav"))
    assert (len(sent), slept) == (1, [])


def test_an_upload_with_a_key_is_sent_again_in_full(slept: list[float], tmp_path: Path) -> None:
    """Each try reads the file from its beginning."""
    path = write_sound(tmp_path / "s.wav")
    client, sent = answering(refusal(429), refusal(429), refusal(422))
    with pytest.raises(Problem):
        client.upload(path, idempotency_key="k")
    assert [r.headers["idempotency-key"] for r in sent] == ["k"] * 3
    assert all(path.read_bytes() in request.content for request in sent)


def test_no_answer_is_a_problem_too() -> None:
    """A service that is not there, and one that is no Echolens."""
    client, _ = answering(
        httpx2.ConnectError("refused"), httpx2.Response(200, text="hello"), httpx2.Response(502, text="<p>")
    )
    for status, code in ((None, "unreachable"), (200, "not_understood"), (502, "not_understood")):
        with pytest.raises(Problem) as raised:
            client.live()
        assert (raised.value.status, raised.value.code) == (status, code)


def test_fields_of_a_later_service_are_passed_over() -> None:
    """A client is not broken by an answer that says more."""
    client, _ = answering(httpx2.Response(200, json={"status": "live", "mood": "good"}))
    assert client.live().status == "live"


def test_waiting_for_a_job_has_an_end(slept: list[float]) -> None:
    """TimeoutError names the job and how far it is."""
    running = {
        "job_id": "j", "kind": "train", "state": "running", "cancelling": False, "progress": 0.25, "time_left_s": None,
        "error_count": 0, "result": {}, "created_at": "", "updated_at": "", "errors": [], "notes": [],
    }  # fmt: skip
    client, sent = answering(*[httpx2.Response(200, json=running) for _ in range(2)])
    with pytest.raises(TimeoutError, match=r"job j is running .* 25%"):
        client.wait_for("j", timeout_s=-1)
    assert len(sent) == 1
