"""How many requests does the service answer, how fast, and what does it do when there are too many?

    python -m benchmarks.http [--library DIR] [--clients 1 16 64] [--workloads sound picture localize] [--seconds 10]
        [--rounds 3] [--before TREE] [--overload] [--soak SECONDS] [--json OUT]

Clients in a closed loop over the loopback, in a process of their own. Two floors are measured in the same rounds: a
bare route that reads the same upload, started as the service is, and the pipeline in this process on one thread with
as many queries to a batch as there are clients. With `--before`, the service of that checkout takes part in every
round; `to_before` is how many times as many answers this one gives. Figures are medians over the rounds: where others
use the machine too, many rounds of a second tell more than a few long ones. `cpu_ms_per_answer` is what each
process of the service computes for an answer, whatever else the machine does: `service` speaks HTTP, `decode` and
`engine` are named so in `top` too, `ended` are decoders that were renewed meanwhile. `--overload` sends ten times the
clients that saturate the service; `--soak` half of what it can do, while it takes in clips. Without --library, a
demonstration library is made; the one that is given is copied.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.library.demonstration import make_demonstration
from app.library.session import Session
from app.server import PATIENCE_S
from benchmarks.http.load import Body, Load, Met, Retry, run_load
from benchmarks.http.pipeline import Answer, Pipeline
from benchmarks.http.query_media import Query, make_clips, make_pictures, make_sounds
from benchmarks.http.soak import soak
from benchmarks.report import json_parser, tell
from benchmarks.service.live_service import Service, end_tidily
from benchmarks.service.process_tree import CpuTime
from model.frontends.names import OF_DRAWN_CLIPS

FIRST_SEED = 5_000_000
CPU = torch.device("cpu")
LARGEST_BATCH = 64  # that the floor is given at once; the service's own largest may be smaller
SATURATING = (1, 2, 4, 8, 16, 32, 64)
NEAR_BEST = 0.95
LEAST_SHOWN_MS = 0.1  # of the time that a process computes for an answer
TOO_MANY = 10
LEAST_OF_FLOOR = {1: 0.7, 16: 0.6}  # by clients, on two cores
CROWD_S = PATIENCE_S + 2  # of a crowd before it is measured: by then some have waited in vain


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--workloads", nargs="*", default=["sound", "picture", "localize"])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, metavar="TREE", help="a checkout whose service takes part")
    parser.add_argument("--overload", action="store_true")
    parser.add_argument("--soak", type=float, metavar="SECONDS")
    arguments = parser.parse_args()
    end_tidily()
    with tempfile.TemporaryDirectory(prefix="echolens-http-") as directory:
        report = run(Path(directory), arguments)
    tell(report, arguments.json)
    sys.exit(not all(report["goals"].values()))


def run(directory: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Serve a library in an empty directory, measure what was asked for, and say which goals are met."""
    library = directory / "library"
    if arguments.library:
        shutil.copytree(arguments.library, library)
    seconds, rounds = arguments.seconds, arguments.rounds
    report: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "seconds": seconds, "rounds": rounds}
    report["load_average_before"] = os.getloadavg()
    with Session.open(library, CPU, default=OF_DRAWN_CLIPS) as session:
        if not arguments.library:
            make_demonstration(session, 40, FIRST_SEED - 100)
        report["library_seconds"] = len(session.library.catalogue.latents("visual").ids)
        pipeline = Pipeline(session)
        with ExitStack() as serving:
            service = serving.enter_context(Service(library))
            bare = serving.enter_context(Service(library, module="benchmarks.http.bare_route"))
            before = None
            if arguments.before:
                shutil.copytree(arguments.library or library, directory / "before")
                before = serving.enter_context(Service(directory / "before", checkout=arguments.before))
            others = ["sound"] if arguments.overload or arguments.soak else []
            made = workloads(pipeline, {*arguments.workloads, *others})
            asked = [made[name] for name in arguments.workloads]
            measured = Measured(service, bare, before, pipeline)
            report["points"] = points(measured, asked, arguments.clients, seconds, rounds)
            if arguments.overload:
                report["overload"] = overload(service.port, made["sound"], seconds, rounds)
    if arguments.soak:
        with Service(library) as service:
            report["soak"] = soak(service, made["sound"].bodies, arguments.soak, seconds)
    return report | {"goals": goals(report)}


# What is asked


@dataclass(frozen=True, eq=False)
class Workload:
    """Hold what is asked over HTTP, and what answers it in this process."""

    name: str
    path: str
    queries: list[Query]
    bodies: tuple[Body, ...]
    answer: Answer


def workloads(pipeline: Pipeline, names: set[str]) -> dict[str, Workload]:
    """Make the queries of the workloads that are named. KeyError for an unknown one."""
    sounds = partial(pipeline.retrieve, "audio", "visual")
    pictures = partial(pipeline.retrieve, "visual", "audio")
    window = {"direction": "a2v", "query_start_s": 3, "query_length_s": 2}
    known: dict[str, tuple[str, str, dict[str, Any], Callable[[int, int], list[Query]], int, Answer]] = {
        "sound": ("/retrieve", "file", {"target": "visual"}, make_sounds, 200, sounds),
        "picture": ("/retrieve", "file", {"target": "audio"}, make_pictures, 40, pictures),
        "localize": ("/localize", "video", window, make_clips, 10, pipeline.localize),
    }
    made = {}
    for name in sorted(names):
        path, field, fields, make, count, answer = known[name]
        queries = make(count, FIRST_SEED)
        made[name] = Workload(name, path, queries, tuple(query.body(field, fields) for query in queries), answer)
    return made


# Points: workload x clients


@dataclass(frozen=True)
class Measured:
    """Hold what is measured side by side: the service, its floors, and the service of another checkout, if any."""

    service: Service
    bare: Service
    before: Service | None
    pipeline: Pipeline


@dataclass(frozen=True)
class Round:
    """Hold what one round of a point met; `cpu_ms`: what each process of the service computed for an answer."""

    service: Met
    cpu_ms: dict[str, float]
    bare: Met
    before: Met | None
    pipeline_hz: float


def points(
    measured: Measured, asked: list[Workload], clients: list[int], seconds: float, rounds: int
) -> list[dict[str, Any]]:
    """Measure every point, round after round, so that a noisy minute harms no point alone."""
    every = [(workload, count) for workload in asked for count in clients]
    met: dict[tuple[str, int], list[Round]] = {(workload.name, count): [] for workload, count in every}
    for number in range(rounds):
        for workload, count in every:
            met[workload.name, count].append(one_round(measured, workload, count, seconds, number))
    return [{"workload": name, "clients": count} | point(seen) for (name, count), seen in met.items()]


def one_round(measured: Measured, workload: Workload, clients: int, seconds: float, seed: int) -> Round:
    """Measure the service, its floors and the other checkout, one after the other."""
    load = Load(measured.service.port, workload.path, workload.bodies, clients, seconds, seed=seed)
    before = CpuTime.of(measured.service.pid)
    met = run_load(load)
    spent = CpuTime.of(measured.service.pid).since(before)
    return Round(
        met,
        {name: ms / max(1, met.answered) for name, ms in spent.items()},
        run_load(replace(load, port=measured.bare.port, path="/read")),
        None if measured.before is None else run_load(replace(load, port=measured.before.port)),
        measured.pipeline.rate_hz(workload.answer, workload.queries, min(clients, LARGEST_BATCH), seconds / 2),
    )


def point(seen: list[Round]) -> dict[str, Any]:
    """Return the medians over the rounds of one point, and the ratio to the lower floor of the same round."""
    ratios = [one.service.rate_hz / min(one.bare.rate_hz, one.pipeline_hz) for one in seen]
    floors = {
        "bare_rate_hz": _median([one.bare.rate_hz for one in seen]),
        "bare_p99_ms": _median([one.bare.percentile_ms(99) for one in seen]),
        "pipeline_rate_hz": _median([one.pipeline_hz for one in seen]),
        "ratio_to_lower_floor": _median(ratios),
        "ratios": ratios,
    }
    return summary([one.service for one in seen]) | floors | {"cpu_ms_per_answer": cpu(seen)} | beside(seen)


def beside(seen: list[Round]) -> dict[str, Any]:
    """Return what the other checkout's service did, and this one's rate as times of it: median and quartiles."""
    pairs = [(one.service, one.before) for one in seen if one.before is not None]
    if not pairs:
        return {}
    times = [now.rate_hz / before.rate_hz for now, before in pairs]
    quartiles = np.percentile(times, (25, 75)).tolist()
    return {
        "before": summary([before for _, before in pairs]),
        "to_before": _median(times),
        "to_before_quartiles": quartiles,
    }


def cpu(seen: list[Round]) -> dict[str, float]:
    """Return medians over rounds of what each process computed for an answer, in ms; those of a tenth of a ms or more.

    `total` is of all of them.
    """
    spent = [one.cpu_ms for one in seen]
    names = sorted({name for one in spent for name in one})
    median = {name: float(np.median([one.get(name, 0.0) for one in spent])) for name in names}
    total = float(np.median([sum(one.values()) for one in spent]))
    return {name: ms for name, ms in median.items() if ms >= LEAST_SHOWN_MS} | {"total": total}


def summary(met: list[Met]) -> dict[str, Any]:
    """Return medians of rate and percentiles over rounds, and sums of what was counted."""
    return {
        "rate_hz": _median([one.rate_hz for one in met]),
        "p50_ms": _median([one.percentile_ms(50) for one in met]),
        "p99_ms": _median([one.percentile_ms(99) for one in met]),
        "statuses": dict(sum((one.statuses for one in met), Counter())),
        "codes": dict(sum((one.codes for one in met), Counter())),
        "broken_refusals": dict(sum((one.refusals for one in met), Counter())),
        "errors": dict(sum((one.errors for one in met), Counter())),
    }


def _median(values: list[Any]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.median(there)) if there else None


# Too many clients


def overload(port: int, sound: Workload, seconds: float, rounds: int) -> dict[str, Any]:
    """Find how many clients saturate the service, and send ten times as many, of two kinds."""

    def measure(clients: int, retry: Retry = "never", warm_up_s: float = 1.0) -> dict[str, Any]:
        met = []
        for number in range(rounds):
            load = Load(port, sound.path, sound.bodies, clients, seconds, warm_up_s, retry, seed=number)
            met.append(run_load(load))
        return summary(met)

    sweep = {clients: measure(clients) for clients in SATURATING}
    best = max(seen["rate_hz"] for seen in sweep.values())
    enough = min(clients for clients, seen in sweep.items() if seen["rate_hz"] >= NEAR_BEST * best)
    kinds: dict[str, Retry] = {"honour_retry_after": "honour", "again_after_100_ms": "again"}
    too_many = {name: measure(TOO_MANY * enough, retry, CROWD_S) for name, retry in kinds.items()}
    for seen in too_many.values():
        at_saturation = sweep[enough]["p99_ms"]
        seen["p99_ratio"] = seen["p99_ms"] / at_saturation if seen["p99_ms"] and at_saturation else None
    return {
        "sweep": [{"clients": clients} | seen for clients, seen in sweep.items()],
        "saturating_clients": enough,
        "overloading_clients": TOO_MANY * enough,
    } | too_many


def goals(report: dict[str, Any]) -> dict[str, bool]:
    """Say which goals are met of those that were measured."""
    met = {}
    for seen in report["points"]:
        name = f"{seen['workload']} at {seen['clients']}"
        met[f"{name}: no error"] = not seen["errors"] and max(seen["statuses"], default=0) < 500
        if seen["workload"] in ("sound", "picture") and seen["clients"] in LEAST_OF_FLOOR:
            least = LEAST_OF_FLOOR[seen["clients"]]
            met[f"{name}: >= {least:.0%} of the lower floor"] = seen["ratio_to_lower_floor"] >= least
    for kind in ("honour_retry_after", "again_after_100_ms"):
        if seen := report.get("overload", {}).get(kind):
            met[f"{kind}: p99 <= 3 x that at saturation"] = (seen["p99_ratio"] or 99.0) <= 3.0
            met[f"{kind}: 200 or 429 with Retry-After and code busy"] = (
                set(seen["statuses"]) <= {200, 429} and not seen["broken_refusals"] and not seen["errors"]
            )
    if "soak" in report:
        met["soak: memory growth under 5 %"] = report["soak"]["memory_growth"] < 1.05
        met["soak: no error"] = not report["soak"]["problems"]
    return met


if __name__ == "__main__":
    main()
