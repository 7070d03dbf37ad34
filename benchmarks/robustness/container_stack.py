"""A compose project under a name of its own, and the questions that a check puts to it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLL_S = 0.25
START_S = 180.0
ANSWER_S = 120.0
# What a .env beside the compose file may name: the check has its own volumes, and leaves those of others alone.
OWN = tuple(
    f"ECHOLENS_{what}"
    for what in ("API_KEY_FILE", "UID", "GID", "BIND_ADDRESS", "DATA_PATH", "SNAPSHOTS_PATH", "FOOTAGE_PATH")
)
BOUNDARY = "echolens-check-boundary"


class Broken(Exception):
    """Something does not hold."""


def demand(holds: bool, otherwise: str) -> None:
    """Raise Broken with `otherwise` unless it holds."""
    if not holds:
        raise Broken(otherwise)


def until(holds: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Wait until it holds; Broken after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        demand(time.monotonic() < deadline, f"{otherwise} within {timeout_s:.0f} s")
        time.sleep(POLL_S)


def run(command: list[str], environment: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Return what a command prints; Broken with its last lines where it fails."""
    ended = subprocess.run(command, env=os.environ | (environment or {}), cwd=cwd, capture_output=True, text=True)
    last = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-8:])
    demand(ended.returncode == 0, f"{' '.join(command[:6])} ... ended with {ended.returncode}:\n{last}")
    return ended.stdout


@dataclass(frozen=True)
class Answer:
    """Hold what the service answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Stack:
    """Name a project: its compose file's directory, the command, the image, a port and a key."""

    root: Path
    compose_command: list[str]
    image: str
    project: str
    port: int
    key: str

    @property
    def command(self) -> list[str]:
        """Return the beginning of each Compose command."""
        file = str(self.root / "docker-compose.yml")
        return [*self.compose_command, "--project-name", self.project, "--file", file]

    def compose(self, *arguments: str) -> str:
        """Run a Compose command."""
        ports = {"ECHOLENS_PUBLISHED_PORT": self.port, "PROMETHEUS_PUBLISHED_PORT": 0, "GRAFANA_PUBLISHED_PORT": 0}
        environment = {"ECHOLENS_API_KEY": self.key, "ECHOLENS_FRONTEND": "raw"} | dict.fromkeys(OWN, "")
        environment |= {name: str(port) for name, port in ports.items()}
        return run([*self.command, *arguments], environment, self.root)

    def once(self, *command: str) -> str:
        """Run a command in a new container of the image alone."""
        return run(["docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", self.image, *command])

    def inside(self, *command: str, service: str = "echolens") -> str:
        """Run a command in a service's container."""
        return run(["docker", "exec", self._container(service), *command])

    def inspect(self, form: str, service: str = "echolens") -> str:
        """Return what the engine knows of a service's container."""
        return run(["docker", "inspect", "--format", form, self._container(service)]).strip()

    def up(self) -> float:
        """Bring the service up; return the seconds until the engine calls it healthy."""
        started = time.monotonic()
        self.compose("up", "--detach", "--no-build", "echolens")
        self.healthy()
        return time.monotonic() - started

    def healthy(self, service: str = "echolens") -> float:
        """Wait until the engine calls a service healthy; return the seconds."""
        started = time.monotonic()
        health = "{{.State.Health.Status}}"
        until(lambda: self.inspect(health, service) == "healthy", START_S, f"{service} does not become healthy")
        return time.monotonic() - started

    def listens(self) -> bool:
        """Say whether a new request is taken."""
        try:
            return self.get("/health/live", key=None).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def videos(self) -> int:
        """Return how many videos the library has; at most 500 are counted."""
        return len(self.get("/videos?limit=500").json()["videos"])

    def first_segment(self) -> int:
        """Return the id of a second that has a sound."""
        videos = self.get("/videos?limit=100").json()["videos"]
        rows = (row for v in videos for row in self.get(f"/videos/{v['video_id']}").json()["segments"])
        return next(int(row["segment_id"]) for row in rows if row["heard"])

    def get(self, path: str, key: str | None = "") -> Answer:
        """Ask for a path; with the service's own key unless another, or None, is given."""
        with closing(self._connection()) as connection:
            connection.request("GET", path, headers=self._headers(key))
            return _read(connection)

    def post(self, path: str, fields: dict[str, str], file: bytes) -> Answer:
        """Send a form with a file."""
        with half_sent(self, path, fields, file) as rest:
            return rest()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)

    def _headers(self, key: str | None) -> dict[str, str]:
        return {} if key is None else {"Authorization": f"Bearer {key or self.key}"}

    def _container(self, service: str) -> str:
        label = f"label=com.docker.compose.service={service}"
        project = f"label=com.docker.compose.project={self.project}"
        found = run(["docker", "ps", "--all", "--quiet", "--filter", label, "--filter", project]).split()
        demand(len(found) == 1, f"{len(found)} containers of {service}, one expected")
        return found[0]


@contextmanager
def half_sent(stack: Stack, path: str, fields: dict[str, str], file: bytes) -> Iterator[Callable[[], Answer]]:
    """Send the head of a form and half of its body; what is handed out sends the rest and returns the answer."""
    body = b"".join(_part(name, value.encode()) for name, value in fields.items())
    body += _part("file", file, '; filename="query"') + f"--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Content-Length": str(len(body))}
    with closing(stack._connection()) as connection:

        def rest() -> Answer:
            connection.send(body[len(body) // 2 :])
            return _read(connection)

        connection.putrequest("POST", path)
        for name, value in (headers | stack._headers("")).items():
            connection.putheader(name, value)
        connection.endheaders(body[: len(body) // 2])
        yield rest


def _part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def _read(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    return Answer(response.status, response.read())
