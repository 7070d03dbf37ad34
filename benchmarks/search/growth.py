"""A library that grows while it is searched: how long a change takes to be found, and what it costs those who ask.

    python -m benchmarks.search.growth --items 1000000 --library DIR [--changes 50] [--queries 500] --json OUT

Makes a library of so many seconds in DIR, unless one is there: latents of benchmarks/search/trained_like.py for
pictures, in videos of ten seconds. `build` is the first gallery, read from the catalogue; `start` is the next process,
which opens what the first one kept. Then, in a process that only searches, while another one writes:

- `visible`: from the moment when ten more seconds are in the catalogue until a gallery has them, with nobody asking;
  `deleted`, `labelled`: the same for such a change. `cpu_ms` is this process's CPU time.
- `rest`: questions one after the other, k = 10. `growing`: the same while two videos come each second, and one goes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.library.session import Session
from benchmarks.report import json_parser, tell
from benchmarks.search.milvus import batch_of, drawn_video, make_library
from benchmarks.search.trained_like import SECONDS, trained_like
from index.library import Library
from index.records import Second

K = 10
PAUSE_S = 0.5
WRITTEN = 10**9  # the number of the first video that is added


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--step", choices=["build", "start", "write"], help="run one step in this process")
    arguments = parser.parse_args()
    if arguments.step == "write":
        write(arguments.library, arguments.seed)
    elif arguments.step:
        print(json.dumps(STEPS[arguments.step](arguments)))
    else:
        if not arguments.library.exists():
            make_library(arguments.library, arguments.items, arguments.seed, narrow=False)
        report: dict[str, Any] = {"items": arguments.items, "k": K, "seed": arguments.seed}
        for step in STEPS:
            done = subprocess.run(command(arguments, step), stdout=subprocess.PIPE, check=True, text=True)
            report[step] = json.loads(done.stdout)
        tell(report, arguments.json)


def command(arguments: argparse.Namespace, step: str) -> list[str]:
    """Return the command that runs one step."""
    given = {"items": arguments.items, "library": arguments.library, "changes": arguments.changes}
    given |= {"queries": arguments.queries, "seed": arguments.seed, "step": step}
    return [sys.executable, "-m", "benchmarks.search.growth", *(f"--{name}={value}" for name, value in given.items())]


def build(arguments: argparse.Namespace) -> dict[str, Any]:
    """Open the library, and wait for its gallery."""
    started, cpu_s = time.perf_counter(), time.process_time()
    with Session.open(arguments.library, torch.device("cpu"), create=False) as session:
        session.gallery("visual")
        return {"s": time.perf_counter() - started, "cpu_s": time.process_time() - cpu_s} | _memory()


def start(arguments: argparse.Namespace) -> dict[str, Any]:
    """Open it again, then change it, and ask."""
    started, cpu_s = time.perf_counter(), time.process_time()
    with Session.open(arguments.library, torch.device("cpu"), create=False) as session:
        session.gallery("visual")
        report: dict[str, Any] = {"s": time.perf_counter() - started, "cpu_s": time.process_time() - cpu_s} | _memory()
        with Library.open(arguments.library) as library:
            for name, change in changes(library, arguments.seed).items():
                report[name] = followed(session, change, arguments.changes)
        report["rest"] = asked(session, arguments)
        writer = subprocess.Popen(command(arguments, "write"))
        try:
            time.sleep(2 * PAUSE_S)
            report["growing"] = asked(session, arguments)
            assert writer.poll() is None, "the writer has failed"
        finally:
            writer.kill()
            writer.wait()
        return report | {"after": _memory()}


STEPS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"build": build, "start": start}


def changes(library: Library, seed: int) -> dict[str, Callable[[int], object]]:
    """Return what changes a library, each given the number of the change."""
    first = WRITTEN + 10 * int(time.time())
    ids: list[str] = []

    def add(number: int) -> None:
        batch = batch_of(trained_like(SECONDS, seed + 2 + number), 0)
        video = drawn_video(first + number)
        library.catalogue.ingest(video, [Second(s, False, True) for s in range(SECONDS)], None, batch)
        ids.append(video.video_id)

    return {
        "visible": add,
        "labelled": lambda number: library.catalogue.update_labels(ids[number], f"label {number}", None, None),
        "deleted": lambda number: library.catalogue.delete_video(ids[number]),
    }


def followed(session: Session, change: Callable[[int], object], times: int) -> dict[str, float]:
    """Make a change so often, and say how long it takes until a gallery is of the catalogue as it is then."""
    wall_ms, cpu_ms = [], []
    for number in range(times):
        time.sleep(PAUSE_S)  # a change that follows at once waits for its turn
        change(number)
        version = session.library.catalogue.catalogue_version
        started, cpu_s = time.perf_counter(), time.process_time()
        while session.gallery("visual").table.catalogue_version < version:
            time.sleep(0.001)
        wall_ms.append(1000 * (time.perf_counter() - started))
        cpu_ms.append(1000 * (time.process_time() - cpu_s))
    median, p99 = np.percentile(wall_ms, (50, 99))
    return {"median_ms": float(median), "p99_ms": float(p99), "cpu_ms": float(np.median(cpu_ms))}


def asked(session: Session, arguments: argparse.Namespace) -> dict[str, float]:
    """Ask one question after the other."""
    queries = trained_like(SECONDS * arguments.queries, arguments.seed + 1, query=True)[::SECONDS]
    spent_ms, certified, versions = [], [], set()
    for row in range(len(queries)):
        started = time.perf_counter()
        served = session.gallery("visual")
        certified.append(served.gallery.search(queries[[row]], K).certified)
        spent_ms.append(1000 * (time.perf_counter() - started))
        versions.add(served.table.catalogue_version)
        time.sleep(0.01)  # as long as a client takes to ask again
    median, p99 = np.percentile(spent_ms, (50, 99))
    shares = {"certified_share": float(np.mean(certified)), "versions": float(len(versions))}
    return {"median_ms": float(median), "p99_ms": float(p99)} | shares


def write(directory: Path, seed: int) -> None:
    """Add a video each half second, and delete every second one again, until this process is killed."""
    with Library.open(directory) as library:
        change, number = changes(library, seed), 0
        while True:
            change["visible"](number)
            if number % 2:
                change["deleted"](number)
            number += 1
            time.sleep(PAUSE_S)


def _memory() -> dict[str, float]:
    facts = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "resident_gib": int(facts["VmRSS"].split()[0]) / 2**20,
        "anonymous_gib": int(facts["RssAnon"].split()[0]) / 2**20,
        "peak_gib": int(facts["VmHWM"].split()[0]) / 2**20,
    }


if __name__ == "__main__":
    main()
