"""Does the service outlive kill -9 of its parts, and its library kill -9 of the service, at every kind of work?

    python -m benchmarks.robustness.kills [--rounds 3] [--seed 0] [--only WHAT ...] [--json OUT]

What is killed, while what is done: decoding processes (and the one that forks them) during questions and ingest, the
training job's process during training, the service's own process, its children left to themselves, during each kind of
work. All the while it is asked whether it is ready, and where it says so, a question right after must be answered.
After each kill nothing acknowledged may be lost, no process may outlive the service by 10 s, and neither the directory
for temporary files nor the library may hold what belongs to nothing. Exit 1 on any problem.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from app.library.check import check
from app.media.upload import PREFIX as UPLOADS
from app.processes.scratch import LOCK
from benchmarks.report import json_parser, tell
from benchmarks.robustness.kill_work import Ledger, Material, Worker
from benchmarks.service.live_service import GONE, Client, Service, code_of, end_tidily, meanwhile, told, wait_for_jobs
from benchmarks.service.process_tree import Process, session_of
from benchmarks.service.short_clips import make_clips

PARTS = ("decoder", "forkserver")  # that are killed again and again while the service goes on
AIMS = [(part, work) for part in PARTS for work in ("retrieve", "localize", "upload", "directory")]
AIMS += [("training", "train")]
AIMS += [("service", work) for work in ("retrieve", "localize", "upload", "directory", "train", "change")]
FIRST_SEED = 9_000_000
CLIPS = 20
STRIKES, BETWEEN_S = 3, (1.0, 2.0)  # far enough apart that no file meets two of them; training outlives three
BEFORE_S = (0.2, 2.0)
ALONE_S = 10.0  # that a process may outlive the service
READY_S = 60.0
JOBS_S = 600.0
PROBE_EVERY_S = 0.1
SCRATCH = "elscratch-"  # one is of the service that runs, or of the one that was killed just now
CACHE = "torchinductor_"  # PyTorch's, one for all its processes, made when it trains


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of every aim")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=["decoder", "forkserver", "training", "service"])
    arguments = parser.parse_args()
    end_tidily()
    with tempfile.TemporaryDirectory(prefix="echolens-kills-") as directory:
        report = run(Path(directory), [aim for aim in AIMS if aim[0] in arguments.only], arguments)
    tell(report, arguments.json)
    sys.exit(bool(report["problems"]))


def run(directory: Path, aims: list[tuple[str, str]], arguments: argparse.Namespace) -> dict[str, Any]:
    """Kill in rounds over one library in an empty directory; report."""
    bench = Bench(directory, arguments.seed)
    struck: dict[str, Counter[str]] = {}
    try:
        bench.start()
        bench.fill()
        for number in range(arguments.rounds):
            for part, work in aims:
                counts = struck.setdefault(f"{part} during {work}", Counter())
                began = time.monotonic()
                for what, times in bench.strike(f"round {number}, {part} during {work}", part, work).items():
                    counts[what] += times
                spent_s = time.monotonic() - began
                print(f"round {number}: {part} during {work}, {spent_s:.0f} s", file=sys.stderr, flush=True)
    finally:
        bench.finish()
    return {
        "rounds": arguments.rounds,
        "seed": arguments.seed,
        "struck": {aim: dict(counts) for aim, counts in struck.items()},
        "acknowledged": dict(sorted(bench.ledger.acknowledged.items())),
        "jobs_ended": dict(sorted(bench.ledger.ended.items())),
        "ready_answers": dict(bench.answers),
        "longest_to_end_alone_s": max(bench.alone_s, default=None),
        "longest_to_ready_s": max(bench.ready_s, default=None),
        "problems": bench.problems,
    }


@dataclass
class Bench:
    """Hold a library, the service over it, and what was found."""

    directory: Path
    seed: int
    ledger: Ledger = field(default_factory=Ledger)
    answers: Counter[str] = field(default_factory=Counter)
    alone_s: list[float] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._library, self._temporary = self.directory / "library", self.directory / "temporary"
        self._temporary.mkdir(parents=True)
        (self.directory / "given").mkdir()
        self._material = Material(self.directory / "given", FIRST_SEED + 1000 * self.seed)

    def start(self) -> None:
        """Start the service and wait until it is ready."""
        started = time.monotonic()
        roots = json.dumps([str(self.directory / "given")])
        self._service = Service(self._library, {"ingest_roots": roots}, self._temporary)
        with self._service.client() as client:
            while code_of(reply := client.http.get("/health/ready")) == "not_ready":
                if time.monotonic() - started > READY_S:
                    raise RuntimeError(f"not ready after {READY_S:.0f} s: {told(reply)}")
                time.sleep(PROBE_EVERY_S)
        self.ready_s.append(time.monotonic() - started)

    def fill(self) -> None:
        """Take in some clips, so that there is something to find and to learn from."""
        with self._service.client() as client:
            for clip in make_clips(self.directory / "clips", CLIPS, FIRST_SEED + 1000 * self.seed):
                client.upload(clip)
            wait_for_jobs(client, JOBS_S)

    def strike(self, name: str, part: str, work: str) -> Counter[str]:
        """Do some work, kill a part meanwhile, judge; return what was killed and how often."""
        found: list[str] = []
        worker = Worker(self._service.port, self._material, self.ledger)
        self._stop_probing = Event()
        probe = partial(self._probe, self._service.port, found)
        with meanwhile(self._stop_probing, probe), meanwhile(worker.stop, lambda _: worker.run(work)):
            self._wait(BEFORE_S)
            killed = self._kill_service(worker, found) if part == "service" else self._kill_parts(part)
            worker.stop.set()
        if part == "service":
            self.start()
        with self._service.client() as client:
            try:
                wait_for_jobs(client, JOBS_S)
            except TimeoutError as error:
                found.append(str(error))
            found += self.ledger.judge(client)
        found += [*worker.problems, *self._left_over()]
        self.problems += [f"{name}: {problem}" for problem in found]
        return killed

    def finish(self) -> None:
        """Stop the service as SIGTERM does, and judge what is left."""
        self._service.stop()
        left = [path.name for path in self._temporary.iterdir() if not path.name.startswith(CACHE)]
        self.problems += [f"at the end: {name} is left among the temporary files" for name in left]
        self.problems += [
            f"at the end: the library: {finding.code}: {finding.detail}"
            for finding in check(self._library, media=True)
            if finding.severity == "fault" or finding.code == "orphans"
        ]

    def _wait(self, between_s: tuple[float, float]) -> None:
        time.sleep(self._rng.uniform(*between_s))

    def _kill_parts(self, part: str) -> Counter[str]:
        killed: Counter[str] = Counter()
        for _ in range(STRIKES):
            there = [process for process in session_of(self._service.pid) if self._is(process, part)]
            if there:
                with suppress(ProcessLookupError):
                    os.kill(self._material.pick(there).pid, signal.SIGKILL)
                    killed[part] += 1
            else:
                killed["none there"] += 1
            self._wait(BETWEEN_S)
        return killed

    def _is(self, process: Process, part: str) -> bool:
        """Say what a process of the service is: decoders are forked, training is spawned."""
        child, forked = process.parent == self._service.pid, "forkserver" in process.command
        return {
            "decoder": forked and not child,
            "forkserver": forked and child,
            "training": child and "spawn_main" in process.command,
        }[part]

    def _kill_service(self, worker: Worker, found: list[str]) -> Counter[str]:
        worker.stop.set()
        self._stop_probing.set()
        self._service.kill_alone()
        killed, left = time.monotonic(), session_of(self._service.pid)
        while left and time.monotonic() - killed < ALONE_S:
            time.sleep(PROBE_EVERY_S)
            left = session_of(self._service.pid)
        self.alone_s.append(time.monotonic() - killed)
        found += [f"{process.command} outlives the service" for process in left]
        self._service.kill()  # whatever is left
        return Counter({"service": 1})

    def _left_over(self) -> Iterator[str]:
        """Yield what lies among the temporary files and belongs to no service that runs."""
        there = sorted(path.name for path in self._temporary.iterdir())
        others = [name for name in there if name.startswith(SCRATCH)][1:]
        others += [name for name in there if not name.startswith((SCRATCH, CACHE))]
        yield from (f"{name} is left among the temporary files" for name in others)
        found = self._temporary.glob(f"{SCRATCH}*/{SCRATCH}*/**/*")  # a decoder keeps a folder, but nothing in it
        inside = [path for path in found if path.name != LOCK and not path.name.startswith(UPLOADS)]
        yield from (f"{path.name} is left in the service's own folder" for path in inside)

    def _probe(self, port: int, found: list[str], stop: Event) -> None:
        """Ask all the while whether the service is ready, and hold it to that."""
        sound = self._material.sounds[0]
        with Client(port) as client:
            while not stop.wait(PROBE_EVERY_S):
                try:
                    reply = client.http.get("/health/ready")
                    self.answers[f"{reply.status_code} {code_of(reply) or ''}".strip()] += 1
                    if reply.status_code == 200:
                        reply = client.http.post("/retrieve", data={"target": "visual"}, files={"file": sound.content})
                        if reply.status_code not in (200, 429):
                            found.append(f"it said that it is ready, and then {told(reply)}")
                except GONE as error:
                    if not stop.is_set():
                        found.append(f"whoever asked whether it is ready met {error!r}")
                    return


if __name__ == "__main__":
    main()
