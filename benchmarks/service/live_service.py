"""The service in a process of its own, and a client over HTTP: what benchmarks start, ask and kill."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 120.0
POLL_S = 0.02
PAGE = 1000  # jobs of an answer
GONE = (OSError, http.client.HTTPException)  # what a client sees of a service that was killed
WAITING = ("queued", "running")


class Refused(RuntimeError):
    """The service answered with an error."""


@dataclass(frozen=True)
class Reply:
    """Hold what came back over HTTP; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem_code(self) -> str | None:
        """Return the code of a problem (RFC 9457), None where this is none or a broken one."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        try:
            code = json.loads(self.body)["code"]
        except (ValueError, KeyError, TypeError):
            return None
        return code if isinstance(code, str) else None


class Client:
    """Ask a service over one connection. Methods raise GONE where it ends, Refused where it answers an error."""

    def __init__(self, port: int, timeout_s: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        """Return the answer's JSON, None for none."""
        reply = self.exchange(method, path, body, kind)
        if reply.status >= 400:
            raise Refused(f"{method} {path}: {reply.status} {reply.body.decode(errors='replace')}")
        return json.loads(reply.body) if reply.body else None

    def exchange(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Reply:
        """Return the answer, whatever it is."""
        self._connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = self._connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, headers, answer.read())

    def send(self, path: str, fields: dict[str, Any], file: tuple[str, bytes] | None = None) -> Any:
        """POST a form, `file` as (name, content)."""
        body, kind = form(fields, {"file": file} if file else {})
        return self.ask("POST", path, body, kind)

    def upload(self, file: Path) -> str:
        """POST a file to /videos and return its job's id."""
        return str(self.send("/videos", {}, (file.name, file.read_bytes()))["job_id"])

    def label(self, video_id: str, label: str) -> None:
        """PATCH a video's label."""
        self.ask("PATCH", f"/videos/{video_id}", json.dumps({"label": label}).encode())

    def jobs(self, state: str | None = None) -> list[dict[str, Any]]:
        """Return all jobs, or those in a state, the latest first."""
        jobs: list[dict[str, Any]] = []
        chosen = f"/jobs?limit={PAGE}" + (f"&state={state}" if state else "")
        while True:
            page = self.ask("GET", chosen + (f"&before={jobs[-1]['job_id']}" if jobs else ""))
            jobs += page
            if len(page) < PAGE:
                return jobs

    def wait(self, seconds: float, *job_ids: str) -> list[dict[str, Any]]:
        """Return these jobs, all for none, once they have ended. RuntimeError if they do not within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            waiting = [job for state in WAITING for job in self.jobs(state)]
            waiting = [job for job in waiting if not job_ids or job["job_id"] in job_ids]
            if not waiting:
                return [self.ask("GET", f"/jobs/{job_id}") for job_id in job_ids] or self.jobs()
            time.sleep(POLL_S)
        raise RuntimeError(f"{len(waiting)} jobs did not end within {seconds:.0f} s: {waiting[:3]}")


def end_tidily() -> None:
    """Let SIGTERM end this program as Ctrl-C does, so that no service is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def form(fields: Mapping[str, Any], files: Mapping[str, tuple[str, bytes]]) -> tuple[bytes, str]:
    """Return a multipart form as (body, content type); files by field, as (file name, content)."""
    mark = uuid.uuid4().hex
    head = f"--{mark}\r\nContent-Disposition: form-data; name="
    parts = [f'{head}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    for name, (file_name, content) in files.items():
        parts += [f'{head}"{name}"; filename="{file_name}"\r\n\r\n'.encode(), content, b"\r\n"]
    return b"".join([*parts, f"--{mark}--\r\n".encode()]), f"multipart/form-data; boundary={mark}"


def free_port() -> int:
    """Return a port of the loopback on which nobody listens now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Service:
    """Run `echolens serve` in a session of its own, on a free port of the loopback.

    `settings` are given by their names in app/settings.py, `temporary` is its directory for temporary files. `module`
    is what is run in place of the command line, with the same options.
    """

    def __init__(
        self,
        library: Path,
        settings: Mapping[str, object] | None = None,
        temporary: Path | None = None,
        module: str = "app.cli",
    ) -> None:
        self.port: int = free_port()
        command = [sys.executable, "-m", module, "serve", "--library", str(library), "--port", str(self.port)]
        environment = dict(os.environ) | {f"ECHOLENS_{k.upper()}": str(v) for k, v in (settings or {}).items()}
        if temporary is not None:
            environment["TMPDIR"] = str(temporary)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the service
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, start_new_session=True, env=environment
        )
        self.pid: int = self._process.pid

    def client(self) -> Client:
        """Return a client once the service answers. RuntimeError if it does not come up."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with Client(self.port) as client:
                    client.ask("GET", "/health/live")
                return Client(self.port)
            except GONE:
                time.sleep(POLL_S)
        said = self.said()
        self.kill()
        raise RuntimeError(f"the service did not come up: {said}")

    def said(self, characters: int = 2000) -> str:
        """Return the end of its log."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-characters:]

    def is_running(self) -> bool:
        """Say whether its process is there; its children are not looked at."""
        return self._process.poll() is None

    def kill_alone(self) -> None:
        """End its process as kill -9 does, and none of its children: those must see to themselves."""
        self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End it as kill -9 does, with all its children."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def stop(self) -> None:
        """End it as SIGTERM does."""
        self._process.terminate()
        self._process.wait(60)
        self._log.close()
