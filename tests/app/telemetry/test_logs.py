"""The log: one line for each request and problem, tied by the id; no secrets in it, and no line that a client made."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service_samples import ended_job, send, serving, upload
from starlette.testclient import TestClient

from app.server import create_app
from app.settings import Settings
from app.telemetry.logs import LogFormat, configure_logs, event

Configure = Callable[[LogFormat], io.StringIO]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Configure the log into a text; afterwards all is as it was."""
    names = ("", "echolens", "uvicorn.error", "python_multipart")
    root, levels = logging.getLogger(), [logging.getLogger(name).level for name in names]
    handlers = list(root.handlers)

    def into_text(form: LogFormat) -> io.StringIO:
        stream = io.StringIO()
        configure_logs(form, stream)
        return stream

    yield into_text
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)


def written(stream: io.StringIO, name: str | None = None) -> list[dict[str, Any]]:
    """Parse JSON lines, all or those of one kind of event."""
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in lines if name in (None, line["event"])]


def test_a_request_is_one_line(client: TestClient, configure: Configure) -> None:
    """With its id, route template, path, status, time and bytes."""
    stream = configure("json")
    video_id = client.get("/videos").json()["videos"][0]["video_id"]
    answer = client.get(f"/videos/{video_id}", headers={"X-Request-ID": "mine"})
    first, second = written(stream, "request")
    assert first["request_id"] != second["request_id"] == "mine"
    assert (second["method"], second["route"], second["path"]) == ("GET", "/videos/{video_id}", f"/videos/{video_id}")
    assert (second["status"], second["bytes_in"], second["bytes_out"]) == (200, 0, len(answer.content))
    assert second["duration_ms"] > 0
    assert second["level"] == "info"
    assert second["time"].endswith("+00:00")


def test_a_problem_is_a_line_with_the_same_id(client: TestClient, configure: Configure) -> None:
    """Its code is in both lines; what was wrong is in the problem's."""
    stream = configure("json")
    body = client.get("/videos/unknown").json()
    (problem,), (request,) = written(stream, "problem"), written(stream, "request")
    assert problem["request_id"] == request["request_id"] == body["request_id"]
    assert problem["code"] == request["code"] == body["code"] == "not_found"
    assert problem["detail"] == body["detail"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_written(tmp_path: Path, footage: list[Path], configure: Configure, form: LogFormat) -> None:
    """Neither keys nor wrong keys, nor query strings, nor what a file or a field holds."""
    stream, key = configure(form), "key-of-the-house-1234"
    sound = tmp_path / "sound.wav"
    sound.write_bytes(b"contents-of-a-file" * 100)
    with serving(tmp_path / "locked", api_key=key) as client:
        client.get("/videos?token=query-secret", headers={"Authorization": "Bearer wrong-key-5678"})
        client.headers["Authorization"] = f"Bearer {key}"
        client.get("/videos?token=query-secret")
        client.post("/retrieve", data={"target": "field-secret", "k": "field-secret"})
        send(client, sound, target="visual")
    log = stream.getvalue()
    assert log.count("/retrieve") >= 2
    for secret in (key, "wrong-key-5678", "query-secret", "contents-of-a-file", "field-secret"):
        assert secret not in log


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_client_makes_a_line(client: TestClient, footage: list[Path], configure: Configure, form: LogFormat) -> None:
    """Pipeline breaks of every kind in paths and file names are escaped."""
    stream = configure(form)
    breaks = "a\nFORGED b\rFORGED c\u2028FORGED d\x1b[2JFORGED e\x85FORGED"
    client.get("/nowhere/" + "".join(f"%{byte:02x}" for byte in breaks.encode()))
    client.get(f"/videos/{'%0a'.join(('x', 'FORGED'))}")
    send(client, footage[0], "line\nFORGED.mp4", target="visual")
    lines = stream.getvalue().splitlines()
    assert any("FORGED" in line for line in lines)
    assert len(lines) == 6  # a problem and a request each
    for line in lines:
        assert not line.startswith("FORGED")
        assert line.isprintable()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_fault_is_written_with_its_traceback_once(library: Path, configure: Configure, form: LogFormat) -> None:
    """Under the request's id, and forging nothing by its message; the server's copy is dropped."""
    application = create_app(Settings(data=library))

    @application.get("/broken")
    def broken() -> None:
        raise RuntimeError("boom\nFORGED 1")

    with TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        stream = configure(form)
        client.get("/broken", headers={"X-Request-ID": "mine"})
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=RuntimeError("boom"))
    log = stream.getvalue()
    assert log.count("RuntimeError: boom") == 1
    assert "Traceback" in log
    assert not any(line.startswith("FORGED") for line in log.splitlines())
    if form == "json":
        (fault,) = written(stream, "fault")
        assert (fault["request_id"], fault["level"]) == ("mine", "error")


def test_what_is_not_of_a_request_is_written_too(configure: Configure) -> None:
    """A job's event has its particulars; the server's own lines and warnings come through; chatter does not."""
    stream = configure("json")
    logging.getLogger("echolens").info("job %s ended", "j1", extra=event("job", job_id="j1", state="done"))
    logging.getLogger("uvicorn.error").info("Uvicorn running on %s", "http://127.0.0.1:8000")
    logging.getLogger("index.index_cache").warning("the index is built anew")
    logging.getLogger("some.library").info("chatter")
    job, server, index = written(stream)
    assert (job["event"], job["job_id"], job["state"], job["message"]) == ("job", "j1", "done", "job j1 ended")
    assert "request_id" not in job
    assert server["message"] == "Uvicorn running on http://127.0.0.1:8000"
    assert index["level"] == "warning"


def test_a_job_is_followed(own_library: Path, footage: list[Path], configure: Configure) -> None:
    """It runs, then it is done; its lines belong to no request."""
    with serving(own_library) as client:
        stream = configure("json")
        job_id = upload(client, footage[0]).json()["job_id"]
        assert ended_job(client, job_id)["state"] == "done"
    lines = [line for line in written(stream, "job") if line["job_id"] == job_id]
    assert [line["state"] for line in lines] == ["running", "done"]
    assert all("request_id" not in line for line in lines)


def test_a_person_reads_short_lines(client: TestClient, configure: Configure) -> None:
    """Time, level, what was asked and answered, the id."""
    stream = configure("text")
    client.get("/videos?limit=3", headers={"X-Request-ID": "mine"})
    (line,) = stream.getvalue().splitlines()
    assert " INFO GET /videos -> 200, " in line
    assert line.endswith(" ms [mine]")


def test_the_form_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """ECHOLENS_LOG is text or json; text where nothing is said, and nothing else."""
    assert Settings().log == "text"
    monkeypatch.setenv("ECHOLENS_LOG", "json")
    assert Settings().log == "json"
    monkeypatch.setenv("ECHOLENS_LOG", "xml")
    with pytest.raises(ValueError, match="text"):
        Settings()
