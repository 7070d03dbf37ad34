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
from contextlib import suppress
from pathlib import Path
from typing import Any

START_S = 120.0
POLL_S = 0.02
GONE = (OSError, http.client.HTTPException)  # what a client sees of a service that was killed
WAITING = ("queued", "running")


class Refused(RuntimeError):
    """The service answered with an error."""


class Client:
    """Ask a service over one connection. Methods raise GONE where it ends, Refused where it answers an error."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        """Return the answer's JSON, None for none."""
        self._connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise Refused(f"{method} {path}: {answer.status} {content.decode(errors='replace')}")
        return json.loads(content) if content else None

    def send(self, path: str, fields: dict[str, Any], file: tuple[str, bytes] | None = None) -> Any:
        """POST a form, `file` as (name, content)."""
        mark = uuid.uuid4().hex
        head = f"--{mark}\r\nContent-Disposition: form-data; name="
        parts = [f'{head}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
        if file is not None:
            parts += [f'{head}"file"; filename="{file[0]}"\r\n\r\n'.encode(), file[1], b"\r\n"]
        body = b"".join([*parts, f"--{mark}--\r\n".encode()])
        return self.ask("POST", path, body, f"multipart/form-data; boundary={mark}")

    def upload(self, file: Path) -> str:
        """POST a file to /videos and return its job's id."""
        return str(self.send("/videos", {}, (file.name, file.read_bytes()))["job_id"])

    def label(self, video_id: str, label: str) -> None:
        """PATCH a video's label."""
        self.ask("PATCH", f"/videos/{video_id}", json.dumps({"label": label}).encode())

    def wait(self, seconds: float, *job_ids: str) -> list[dict[str, Any]]:
        """Return the jobs once these, all for none, have ended. RuntimeError if they do not within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            jobs: list[dict[str, Any]] = self.ask("GET", "/jobs")
            waiting = [job for job in jobs if job["state"] in WAITING and (not job_ids or job["job_id"] in job_ids)]
            if not waiting:
                return jobs
            time.sleep(POLL_S)
        raise RuntimeError(f"{len(waiting)} jobs did not end within {seconds:.0f} s: {waiting[:3]}")


class Service:
    """Run `echolens serve` in a process group of its own, on a free port of the loopback."""

    def __init__(self, library: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        command = [sys.executable, "-m", "app.cli", "serve", "--library", str(library), "--port", str(self.port)]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the service
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, start_new_session=True)

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
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")[-2000:]
        self.kill()
        raise RuntimeError(f"the service did not come up: {said}")

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
