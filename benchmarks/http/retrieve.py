"""Latency of POST /retrieve with a sound of one second, stage by stage, beside the pipeline without HTTP.

    python -m benchmarks.http.retrieve --library DIR [--requests 200] [--device cpu] [--json OUT]

Starts the service on a free port of the loopback, sends one request after the other, and stops it. Both compute on
`--device`; `device` is what answered. To measure on two cores: taskset -c 0,1 python -m benchmarks.http.retrieve ...
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from app.library.session import Session
from app.queries.engine import answer
from app.queries.query import Query
from app.queries.question import Question
from app.queries.retrieval import Retrieval
from benchmarks.http import query_media
from benchmarks.report import json_parser, tell
from benchmarks.service.live_service import Service
from model.media.encoding import encode_wav
from model.media.medium import Limits
from model.network.device import DeviceName, choose_device, name_of

WARM_UP = 10


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--device", choices=get_args(DeviceName), default="cpu")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    tones = [
        encode_wav((0.3 * np.sin(np.arange(16_000) * f) + 0.01 * rng.standard_normal(16_000)).astype(np.float32))
        for f in rng.uniform(0.05, 1.0, arguments.requests)
    ]
    report = {
        "cores": len(os.sched_getaffinity(0)),
        "requests": arguments.requests,
        "http": over_http(arguments.library, tones, arguments.device),
        "in_process": in_process(arguments.library, tones, arguments.device),
    }
    report["ratio_p50"] = report["http"]["p50_ms"] / report["in_process"]["p50_ms"]
    tell(report, arguments.json)


def over_http(library: Path, sounds: list[bytes], device: DeviceName) -> dict[str, Any]:
    """Return percentiles of whole requests, as a client sees them, and medians of the stages in the answers."""
    bodies = [query_media.Query("q.wav", sound, 0).body("file", {"target": "visual"}) for sound in sounds]
    spent_ms, stages = [], []
    with (
        Service(library, {"device": device}) as service,
        closing(HTTPConnection("127.0.0.1", service.port)) as connection,
    ):
        for number, body in enumerate(bodies[:WARM_UP] + bodies):
            started = time.perf_counter()
            connection.request("POST", "/retrieve", body.content, {"Content-Type": body.kind})
            answered = json.loads(connection.getresponse().read())
            if number >= WARM_UP:
                spent_ms.append(1000 * (time.perf_counter() - started))
                stages.append(answered["timings_ms"])
    medians = {name: float(np.median([s[name] for s in stages])) for name in stages[0]}
    return _percentiles(spent_ms) | {"device": answered["device"], "stages_p50_ms": medians}


def in_process(library: Path, sounds: list[bytes], device: DeviceName) -> dict[str, Any]:
    """Return percentiles of the same work without HTTP: the floor."""
    torch.set_num_threads(1)
    chosen = choose_device(device)
    with tempfile.TemporaryDirectory() as directory, Session.open(library, chosen, create=False) as session:
        spent_ms = []
        for number, sound in enumerate(sounds[:WARM_UP] + sounds):
            path = Path(directory) / "query.wav"
            path.write_bytes(sound)
            started = time.perf_counter()
            answer(session, Retrieval(Question(target="visual"), Query(path)), Limits())
            if number >= WARM_UP:
                spent_ms.append(1000 * (time.perf_counter() - started))
        return _percentiles(spent_ms) | {"device": name_of(chosen)}


def _percentiles(spent_ms: list[float]) -> dict[str, Any]:
    p50, p99 = np.percentile(spent_ms, (50, 99))
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


if __name__ == "__main__":
    main()
