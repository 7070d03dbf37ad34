"""Does a broken file harm the service? Thousands of them, sent by eight clients to the routes that read files.

    python -m benchmarks.robustness.mutations [--files 10000] [--seed 0] [--clips DIR] [--limit 30]
        [--keep DIR] [--json OUT]

Files of twenty formats are generated, those of --clips (up to 3 MB) come beside them; each is broken by byte flips,
cuts, splices, zeroed and repeated blocks, and length fields at extremes. An answer must come within --limit seconds,
be a success or a problem (RFC 9457) with a code that docs/ names, and never a 5xx but a documented 503; the service
must be ready all the time, and its memory must not grow. What becomes footage is deleted before memory is measured:
the service rightly takes more for a larger library. Files that met anything else stay under --keep. Exit 1 then.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np
from httpx2 import Response

from benchmarks.report import json_parser, tell
from benchmarks.robustness.mutants import mutate
from benchmarks.robustness.seeds import Seed, make_seeds, read_seeds
from benchmarks.service.live_service import GONE, Client, Service, code_of, end_tidily, meanwhile, told, wait_for_jobs
from benchmarks.service.process_tree import held_bytes, session_of
from echolens import Problem

DOCS = Path(__file__).parents[2] / "docs"
CLIENTS = 8
MOST_CLIP_BYTES = 3_000_000
CLIP_SHARE = 0.25
DECODE_S = 5.0  # what the service is told to spend on one file at most
MEMORY_EVERY = 1000
MOST_GROWTH = 1.05
READY_EVERY_S, READY_WITHIN_S = 1.0, 10.0
STATUSES = {200, 202, 409, 413, 415, 422}  # and 503 with a documented code; 429 is asked again
SLOWEST = 10
JOBS_S = 1800.0
FIRST_SEED = 7_000_000


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--limit", type=float, default=30.0, help="seconds within which every answer must come")
    parser.add_argument("--keep", type=Path, default=Path("mutants"))
    arguments = parser.parse_args()
    end_tidily()
    with tempfile.TemporaryDirectory(prefix="echolens-mutations-") as directory:
        report = run(Path(directory), arguments)
    tell(report, arguments.json)
    sys.exit(bool(report["problems"]))


def run(directory: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Serve a library of a few clips in an empty directory, send all files, and report."""
    seeds = make_seeds(FIRST_SEED + 1000 * arguments.seed)
    clips = read_seeds(arguments.clips, MOST_CLIP_BYTES) if arguments.clips else []
    (directory / "temporary").mkdir()
    with Service(directory / "library", {"most_decode_s": DECODE_S}, directory / "temporary") as service:
        with service.client() as client:
            for seed in seeds:
                client.http.post("/videos", files={"file": (seed.name, seed.content)}).raise_for_status()
            wait_for_jobs(client, JOBS_S)
        sender = Sender(service, Plan(arguments.seed, seeds, clips), arguments)
        return sender.run() | {"formats": sorted({seed.format for seed in seeds + clips}), "clips": len(clips)}


def documented_codes() -> frozenset[str]:
    """Return what docs/ names as codes of problems."""
    text = "".join((DOCS / name).read_text() for name in ("errors.md", "api.md") if (DOCS / name).exists())
    return frozenset(re.findall(r"`([a-z][a-z0-9_]+)`", text))


# What is sent


@dataclass(frozen=True)
class Request:
    """Hold a form with broken files, by field as (name, content), and how they were broken."""

    number: int
    path: str
    fields: dict[str, object]
    files: dict[str, tuple[str, bytes]]
    broken: str

    def __str__(self) -> str:
        return f"{self.number} {self.path} {self.fields} {[name for name, _ in self.files.values()]} {self.broken}"


@dataclass(frozen=True)
class Plan:
    """Say what request of a number is: it follows from the seed and the number alone."""

    seed: int
    seeds: list[Seed]
    clips: list[Seed]

    def request(self, number: int) -> Request:
        """Return the request of a number."""
        rng = np.random.default_rng([self.seed, number])
        name, broken, content = self._file(rng)
        shares = {"/retrieve": 0.5, "/localize": 0.3, "/generate": 0.15, "/videos": 0.05}
        path = str(rng.choice(list(shares), p=list(shares.values())))
        fields: dict[str, object] = {}
        files = {"file": (name, content)}
        if path == "/retrieve":
            fields["target"] = str(rng.choice(["audio", "visual"]))
            fields |= {"query_modality": str(rng.choice(["audio", "visual"]))} if rng.random() < 0.7 else {}
            fields |= {"at_s": int(rng.integers(0, 4))} if rng.random() < 0.3 else {}
        elif path == "/generate":
            fields |= {"query_modality": str(rng.choice(["audio", "visual"]))} if rng.random() < 0.7 else {}
        elif path == "/localize":
            fields["direction"] = str(rng.choice(["a2v", "v2a"]))
            files = {"video": (name, content)}
            if rng.random() < 0.7:
                fields |= {"query_start_s": int(rng.integers(0, 2)), "query_length_s": int(rng.integers(1, 3))}
            else:
                other, broken_too, query = self._file(rng)
                files["query"], broken = (other, query), f"{broken}, {broken_too}"
        return Request(number, path, fields, files, broken)

    def _file(self, rng: np.random.Generator) -> tuple[str, str, bytes]:
        seed, other = (self._seed(rng) for _ in range(2))
        done, content = mutate(rng, seed, other)
        return seed.name, f"{seed.name}: {done}", content

    def _seed(self, rng: np.random.Generator) -> Seed:
        among = self.clips if self.clips and rng.random() < CLIP_SHARE else self.seeds
        return among[rng.integers(len(among))]


# Sending it


@dataclass(frozen=True)
class Sent:
    """Hold what came of a request."""

    request: str
    outcome: str  # status and code
    spent_s: float


@dataclass
class Sender:
    """Send a plan's requests and watch the service meanwhile."""

    service: Service
    plan: Plan
    arguments: argparse.Namespace
    sent: list[Sent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    memory: list[dict[str, float]] = field(default_factory=list)
    again: int = 0
    ready: Counter[str] = field(default_factory=Counter)
    slowest_ready_s: float = 0.0

    def run(self) -> dict[str, Any]:
        """Send all, wait for the jobs, and report."""
        self._numbers, self._lock = count(), Lock()
        self._codes = documented_codes()
        self._began_with = _video_ids(self._client())
        self._note_memory()
        with meanwhile(Event(), self._probe):
            started = time.monotonic()
            with meanwhile(Event(), *[self._send_all] * CLIENTS):
                pass
            spent_s = time.monotonic() - started
            jobs = self._jobs()
        self._delete_footage()
        self._note_memory()
        problems = [*self.problems]
        problems += [f"not ready: {times} x {outcome}" for outcome, times in self.ready.items() if outcome != "200"]
        growth = memory_growth(self.memory)
        problems += [f"memory grew to {growth:.2f} times"] if growth is not None and growth > MOST_GROWTH else []
        return {
            "files": len(self.sent),
            "seed": self.arguments.seed,
            "files_per_s": len(self.sent) / spent_s,
            "outcomes": dict(Counter(sent.outcome for sent in self.sent).most_common()),
            "asked_again_after_429": self.again,
            "jobs": jobs,
            "slowest_s": [
                (round(s.spent_s, 2), s.outcome, s.request)
                for s in sorted(self.sent, key=lambda sent: -sent.spent_s)[:SLOWEST]
            ],
            "ready": dict(self.ready),
            "slowest_ready_s": self.slowest_ready_s,
            "memory": self.memory,
            "memory_growth": growth,
            "decoders": self._decoder_metrics(),
            "problems": problems,
        }

    def _send_all(self, _: Event) -> None:
        client = self._client()
        while self.service.is_running():
            with self._lock:
                number = next(self._numbers)
            if number >= self.arguments.files:
                break
            request = self.plan.request(number)
            started = time.monotonic()
            try:
                reply = self._answer(client, request)
                outcome, problem = judge(reply, self._codes)
            except GONE as error:
                outcome = problem = f"no answer: {type(error).__name__}"
                client = self._client()
            self._note(request, outcome, time.monotonic() - started, problem)

    def _client(self) -> Client:
        return Client(self.service.port, 4 * self.arguments.limit)  # a late answer is to be seen, and told

    def _answer(self, client: Client, request: Request) -> Response:
        data, files = request.fields, request.files
        while (reply := client.http.post(request.path, data=data, files=files)).status_code == 429:
            with self._lock:
                self.again += 1
            time.sleep(float(reply.headers.get("retry-after", "1")))
        return reply

    def _note(self, request: Request, outcome: str, spent_s: float, problem: str | None) -> None:
        if problem is None and spent_s > self.arguments.limit:
            problem = f"took {spent_s:.1f} s"
        with self._lock:
            self.sent.append(Sent(str(request), outcome, spent_s))
            if problem is not None:
                self.problems.append(f"{problem}: {request}")
                self._keep(request, problem)
            if len(self.sent) % MEMORY_EVERY == 0:
                self._delete_footage()
                self._note_memory()

    def _keep(self, request: Request, problem: str) -> None:
        directory = self.arguments.keep
        directory.mkdir(parents=True, exist_ok=True)
        for part, (name, content) in request.files.items():
            (directory / f"{request.number}-{part}-{name}").write_bytes(content)
        about = {"problem": problem, "path": request.path, "fields": request.fields, "broken": request.broken}
        (directory / f"{request.number}.json").write_text(json.dumps(about, indent=1))

    def _delete_footage(self) -> None:
        """Bring the library back to what it began with."""
        client = self._client()
        for video_id in _video_ids(client) - self._began_with:
            client.http.delete(f"/videos/{video_id}")

    def _note_memory(self) -> None:
        leader = self.service.pid
        held = {"megabytes": round(held_bytes(leader) / 1e6, 1), "processes": len(session_of(leader))}
        self.memory.append({"files": len(self.sent)} | held)

    def _probe(self, stop: Event) -> None:
        """Ask whether it is ready until `stop`."""
        client = Client(self.service.port, READY_WITHIN_S)
        while not stop.wait(READY_EVERY_S):
            started = time.monotonic()
            try:
                reply = client.http.get("/health/ready")
                self.ready["200" if reply.status_code == 200 else reply.text] += 1
            except GONE as error:
                self.ready[f"no answer: {error!r}"] += 1
                client = Client(self.service.port, READY_WITHIN_S)
            self.slowest_ready_s = max(self.slowest_ready_s, time.monotonic() - started)

    def _jobs(self) -> dict[str, int]:
        """Wait until all uploads are ingested or refused, and return how many ended how."""
        try:
            with self._client() as client:
                jobs = wait_for_jobs(client, JOBS_S)
        except (TimeoutError, Problem) as error:
            self.problems.append(f"the jobs: {error!r}")
            return {}
        ends = Counter(f"{job.state} {job.result.get('code', '')}".strip() for job in jobs)
        self.problems += [
            f"{times} jobs ended as {end}, which no document names"
            for end, times in ends.items()
            if end.startswith("failed") and end.split()[-1] not in self._codes
        ]
        return dict(ends.most_common())

    def _decoder_metrics(self) -> list[str]:
        """Return what /metrics says of decoding processes, where it is there."""
        try:
            with self._client() as client:
                lines = client.http.get("/metrics").text.splitlines()
        except GONE:
            return []
        return [line for line in lines if line.startswith("echolens_workers")]


def _video_ids(client: Client) -> set[str]:
    return {video.video_id for video in client.videos()}


def memory_growth(memory: list[dict[str, float]]) -> float | None:
    """Return the median of the last third of the samples over that of the second third, None for too few."""
    held = [sample["megabytes"] for sample in memory]
    third = len(held) // 3
    return float(np.median(held[-third:]) / np.median(held[third : 2 * third])) if third >= 2 else None


def judge(reply: Response, codes: frozenset[str]) -> tuple[str, str | None]:
    """Return the outcome of an answer, and what is wrong with it, None for nothing."""
    status, code = reply.status_code, code_of(reply)
    if status < 400:
        return str(status), None if status in STATUSES else f"status {status}"
    faults = list(_faults(status, code, codes))
    return f"{status} {code}", f"{code}: {', '.join(faults)} {told(reply)}" if faults else None


def _faults(status: int, code: str | None, codes: frozenset[str]) -> Iterator[str]:
    if status not in STATUSES | {503}:
        yield "not a status for a broken file"
    if code is None:
        yield "no problem+json"
    elif code not in codes:
        yield "a code that docs/ does not name"


if __name__ == "__main__":
    main()
