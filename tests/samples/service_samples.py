"""A small library, the service over it, and what every answer and every problem of it must satisfy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import numpy as np
import torch
from media_samples import gradient, tone, write_video
from starlette.testclient import TestClient

from app.library.ingest import Outcome, Source, ingest
from app.library.session import Session
from app.server import create_app
from app.settings import Settings
from model.data.corpus import Annotation
from model.media.medium import Limits

KINDS = ("red", "green", "blue")
CLIPS_OF_A_KIND = 2
CLIP_S = 5
EVENT_S = (1, 3)
PROBLEM = {"type", "title", "status", "code", "detail", "request_id"}
MOST_WAIT_S = 120.0


@dataclass(frozen=True)
class Ran:
    """Hold what a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


def film_footage(directory: Path) -> list[Path]:
    """Write clips of which no two share a second's look or sound; named KIND-NUMBER.mp4."""
    return [
        film(directory / f"{kind}-{number}.mp4", channel, number)
        for channel, kind in enumerate(KINDS)
        for number in range(CLIPS_OF_A_KIND)
    ]


def film(path: Path, channel: int, number: int, seconds: float = CLIP_S) -> Path:
    """Write a clip in which a spot of one colour moves over a gradient while a tone's level rises."""

    def frame_at(time_s: float) -> np.ndarray:
        frame = gradient() // 3
        left = 4 + 10 * int(time_s)
        frame[8 + 12 * number : 24 + 12 * number, left : left + 12, channel] = 250
        return frame

    sound = tone(seconds, 44100, 300.0 * (1 + channel) + 70 * number)
    rising = np.linspace(0.2, 1.0, len(sound), dtype=np.float32)
    return write_video(path, seconds, frame_rate_hz=10, frame_at=frame_at, samples=sound * rising)


def make_library(directory: Path, files: list[Path]) -> Path:
    """Ingest files, each labelled by its name up to the dash and with the same event."""
    sources = [
        Source(path, path.name, Annotation("", path.stem.partition("-")[0], *map(float, EVENT_S))) for path in files
    ]
    outcomes = ingest_into(directory, sources)
    assert {o.state for o in outcomes} == {"added"}, outcomes
    return directory


def ingest_into(directory: Path, sources: list[Source]) -> list[Outcome]:
    """Ingest in this process, into a new library as `raw`."""
    with Session.open(directory, torch.device("cpu"), default="raw") as session:
        return ingest(session, sources, Limits())


@contextmanager
def serving(directory: Path, **settings: Any) -> Iterator[TestClient]:
    """Serve a library with its lifespan, a new one as `raw`. A 500 reaches the test as the exception behind it."""
    with TestClient(
        create_app(Settings(data=directory, **{"frontend": "raw", **settings})), base_url="http://127.0.0.1"
    ) as client:
        yield client


def assert_problem(answer: httpx2.Response, status: int, code: str, *words: str) -> None:
    """Check an error: problem+json, of this status and code, with a detail that names `words`."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == PROBLEM
    assert (body["status"], body["code"]) == (status, code), body
    assert body["request_id"] == answer.headers["x-request-id"]
    assert len(body["detail"]) > 15, "a detail says what was given, what was expected, what to do"
    for word in words:
        assert word in body["detail"], f"{word!r} is not in {body['detail']!r}"


def assert_answers(client: TestClient, **headers: str) -> None:
    """Check that the service goes on: it is alive, and a good question gets a good answer."""
    assert client.get("/health/live").status_code == 200
    segment_id = client.get("/videos", headers=headers).json()["videos"][0]["video_id"]
    segment = client.get(f"/videos/{segment_id}", headers=headers).json()["segments"][0]
    question = {"segment_id": segment["segment_id"], "query_modality": "visual", "target": "visual", "k": 1}
    answer = client.post("/retrieve", data=question, headers=headers)
    assert answer.status_code == 200, answer.text
    (hit,) = answer.json()["hits"]
    assert hit["segment_id"] == segment["segment_id"]


def send(client: TestClient, path: Path, name: str | None = None, **fields: object) -> httpx2.Response:
    """POST a file to /retrieve."""
    files = {"file": (path.name if name is None else name, path.read_bytes())}
    return client.post("/retrieve", files=files, data={k: str(v) for k, v in fields.items()})


def upload(client: TestClient, path: Path, name: str | None = None, **fields: object) -> httpx2.Response:
    """POST a file to /videos."""
    files = {"file": (path.name if name is None else name, path.read_bytes())}
    return client.post("/videos", files=files, data={k: str(v) for k, v in fields.items()})


def until(holds: Callable[[], object], seconds: float = MOST_WAIT_S) -> None:
    """Wait for something to hold."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.02)


def location_of(answer: httpx2.Response) -> str:
    """Return the path that the header Location leads to, as a client resolves it."""
    return urlsplit(urljoin(str(answer.request.url), answer.headers["location"])).path


def job_of(client: TestClient, job_id: str) -> dict[str, Any]:
    """Return a job as it is."""
    job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
    return job


def ended_job(client: TestClient, job_id: str) -> dict[str, Any]:
    """Wait for a job's end and return it."""
    deadline = time.monotonic() + MOST_WAIT_S
    while time.monotonic() < deadline:
        job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"job {job_id} did not end: {job}")
