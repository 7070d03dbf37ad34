"""Latency of POST /retrieve with a sound of one second, stage by stage, beside the pipeline without HTTP.

    python -m benchmarks.retrieve --library DIR [--requests 200] [--json OUT]

Starts the service on a free port of the loopback, sends one request after the other, and stops it. To
measure on two cores: taskset -c 0,1 python -m benchmarks.retrieve ...
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.retrieval import Question, retrieve
from app.session import Session
from model.media import Limits
from model.previews import encode_wav

WARM_UP = 10
START_S = 120


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    tones = [
        encode_wav((0.3 * np.sin(np.arange(16_000) * f) + 0.01 * rng.standard_normal(16_000)).astype(np.float32))
        for f in rng.uniform(0.05, 1.0, arguments.requests)
    ]
    report = {
        "cores": len(os.sched_getaffinity(0)),
        "requests": arguments.requests,
        "http": over_http(arguments.library, tones),
        "in_process": in_process(arguments.library, tones),
    }
    report["ratio_p50"] = report["http"]["p50_ms"] / report["in_process"]["p50_ms"]
    print(json.dumps(report, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def over_http(library: Path, sounds: list[bytes]) -> dict[str, Any]:
    """Return percentiles of whole requests, as a client sees them, and medians of the stages in the answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "app.cli", "serve", "--library", str(library), "--port", str(port)]
    service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        client = http.client.HTTPConnection("127.0.0.1", port)
        spent_ms, stages = [], []
        for number, sound in enumerate(sounds[:WARM_UP] + sounds):
            body, headers = _multipart(sound)
            started = time.perf_counter()
            client.request("POST", "/retrieve", body, headers)
            answer = client.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise RuntimeError(content.decode())
            if number >= WARM_UP:
                spent_ms.append(1000 * (time.perf_counter() - started))
                stages.append(json.loads(content)["timings_ms"])
        medians = {name: float(np.median([s[name] for s in stages])) for name in stages[0]}
        return _percentiles(spent_ms) | {"stages_p50_ms": medians}
    finally:
        service.terminate()
        service.wait(30)


def in_process(library: Path, sounds: list[bytes]) -> dict[str, Any]:
    """Return percentiles of the same work without HTTP: the floor."""
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory() as directory, Session.open(library, cpu, create=False) as session:
        spent_ms = []
        for number, sound in enumerate(sounds[:WARM_UP] + sounds):
            path = Path(directory) / "query.wav"
            path.write_bytes(sound)
            started = time.perf_counter()
            retrieve(session, Question(target="visual", file=path), Limits())
            if number >= WARM_UP:
                spent_ms.append(1000 * (time.perf_counter() - started))
        return _percentiles(spent_ms)


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            client.request("GET", "/health/ready")
            if client.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the service was not ready within {START_S} s")


def _multipart(sound: bytes) -> tuple[bytes, dict[str, str]]:
    boundary = uuid.uuid4().hex
    field = f'--{boundary}\r\nContent-Disposition: form-data; name="target"\r\n\r\nvisual\r\n'
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="q.wav"\r\n\r\n'
    body = field.encode() + file.encode() + sound + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def _percentiles(spent_ms: list[float]) -> dict[str, Any]:
    p50, p99 = np.percentile(spent_ms, (50, 99))
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


if __name__ == "__main__":
    main()
