"""The service in a process of its own, and a client over HTTP: what benchmarks start, ask and kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from httpx2 import Client as Http
from httpx2 import Response, TransportError

import echolens
from app.schemas.job import JobAnswer
from echolens.connection import Unreachable

START_S = 120.0
POLL_S = 0.02
GONE = (TransportError, Unreachable)  # what a client sees of a service that was killed


class Client(echolens.Client):
    """Ask a service, each question once; `http` is for what is to be seen as it is answered.

    Raises GONE where the service ends, and from its methods Problem where it answers an error.
    """

    def __init__(self, port: int, timeout_s: float = 60.0) -> None:
        self.http = Http(base_url=f"http://127.0.0.1:{port}", timeout=timeout_s, trust_env=False)
        super().__init__(http=self.http, tries=1)


def wait_for_jobs(client: Client, timeout_s: float) -> list[JobAnswer]:
    """Return all jobs once they have ended. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    for state in ("queued", "running"):
        for job in list(client.jobs(state=state)):
            client.wait_for(job, deadline - time.monotonic())
    return list(client.jobs(limit=1000))


def code_of(reply: Response) -> str | None:
    """Return the code of a problem (RFC 9457), None where this is none or a broken one."""
    if reply.headers.get("content-type") != "application/problem+json":
        return None
    try:
        code = reply.json()["code"]
    except (ValueError, KeyError, TypeError):
        return None
    return code if isinstance(code, str) else None


def told(reply: Response) -> str:
    """Return status and body in short."""
    return f"{reply.status_code} {reply.text[:300]}"


def end_tidily() -> None:
    """Let SIGTERM end this program as Ctrl-C does, so that no service is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def meanwhile(stop: Event, *works: Callable[[Event], None]) -> Iterator[None]:
    """Run functions in threads of their own; at the end of the context set `stop`, and wait until they have ended."""
    threads = [Thread(target=work, args=(stop,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Service:
    """Run `echolens serve` in a session of its own, on a free port of the loopback.

    `with Service(...)` waits until it answers, and stops it at the end. `settings` are given by their names in
    app/settings.py; a new library begins as `raw`, which needs no weights. `temporary` is its directory for temporary
    files. `module` is what is run in place of the command line, with the same options; `checkout` where it is run from,
    this one if None.
    """

    def __init__(
        self,
        library: Path,
        settings: Mapping[str, object] | None = None,
        temporary: Path | None = None,
        module: str = "app.cli",
        checkout: Path | None = None,
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        command = [sys.executable, "-m", module, "serve", "--library", str(library.absolute())]
        command += ["--port", str(self.port)]
        settings = {"frontend": "raw", **(settings or {})}
        environment = dict(os.environ) | {f"ECHOLENS_{k.upper()}": str(v) for k, v in settings.items()}
        if temporary is not None:
            environment["TMPDIR"] = str(temporary)
        if checkout is not None:
            environment["PYTHONPATH"] = str(checkout.absolute())
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the service
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, start_new_session=True, env=environment, cwd=checkout
        )
        self.pid: int = self._process.pid

    def __enter__(self) -> Service:
        self.client().close()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self) -> Client:
        """Return a client once the service answers. RuntimeError if it does not come up."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                client = Client(self.port)
                client.live()
                return client
            except GONE:
                time.sleep(POLL_S)
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")[-2000:]
        self.kill()
        raise RuntimeError(f"the service did not come up: {said}")

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
