"""Does a library outlive kill -9? Rounds of uploads, deletions and labels over HTTP, each ended by SIGKILL.

    python -m benchmarks.robustness.crash [--rounds 50] [--seed 0] [--clips 24] [--json OUT]

A ledger holds what the service acknowledged: a 202 (the file is kept, its job will be done), a job that ended, a 204,
a 200. After each kill a copy of the library is opened and compared with the ledger, and with what an undisturbed
ingest of the same files makes; the service goes on with the library itself, as the kill left it. Exit 1 if anything
acknowledged is lost, anything is there twice, anything disagrees or does not open. The plan follows from the seed;
what a kill hits, from the machine's mood as well.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import torch

from app.library.check import check
from app.library.ingest import Source, ingest
from app.library.session import Session
from app.schemas.job import JobAnswer
from benchmarks.report import json_parser, tell
from benchmarks.service.live_service import GONE, POLL_S, Client, Service, wait_for_jobs
from benchmarks.service.short_clips import make_clips
from echolens import Problem
from index.library import Library
from index.records import Video
from model.errors import EcholensError, EmptyLibrary
from model.media.medium import FOOTAGE
from model.modality import MODALITIES

DRAIN_S = 300.0
LATEST = 100  # jobs of a page
WAITING = ("queued", "running")
KINDS = ("lost", "doubled", "disagreements", "unopened")
CPU = torch.device("cpu")
Problems = Iterator[tuple[str, str]]  # (one of KINDS, what)


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=24, help="how many different files are uploaded, again and again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="echolens-crash-") as directory:
        report = run(Path(directory), arguments.rounds, arguments.seed, arguments.clips)
    tell(report, arguments.json)
    sys.exit(any(report[kind] for kind in KINDS))


def run(directory: Path, rounds: int, seed: int, clips: int) -> dict[str, Any]:
    """Kill a service `rounds` times in an empty directory, let it finish its queue, and report what was found."""
    torch.set_num_threads(1)  # as the service does, so that latents agree to the last bit
    files = make_clips(directory / "clips", clips, 1000 * seed)
    ledger = Ledger(make_reference(directory / "reference", files))
    library, copy, rng = directory / "library", directory / "copy", np.random.default_rng(seed)
    problems: list[tuple[str, str]] = []
    kills: Counter[str] = Counter()
    for number in range(rounds):
        unanswered = None
        try:
            unanswered = strike(library, files, ledger, plan_round(rng))
        except (RuntimeError, Problem) as error:
            problems.append(("disagreements" if isinstance(error, Problem) else "unopened", f"round {number}: {error}"))
        shutil.copytree(library, copy)  # the service goes on with what it left, untouched by the check
        problems += [(kind, f"round {number}: {what}") for kind, what in judge(copy, ledger)]
        kills["ingest"] += ledger.running > 0
        kills[f"{unanswered} unanswered" if unanswered else "no request"] += 1
        shutil.rmtree(copy)
    problems += [(kind, f"at the end: {what}") for kind, what in finish(library, ledger)]
    return {
        "rounds": rounds,
        "seed": seed,
        "acknowledged": dict(sorted(ledger.acknowledged.items())),
        "kills_during": dict(sorted(kills.items())),
        "videos_at_the_end": len(ledger.there),
        "files_left_over": left_over(library),
        **{kind: sum(k == kind for k, _ in problems) for kind in KINDS},
        "problems": [f"{kind}: {what}" for kind, what in problems],
    }


# Footage, and what ingest makes of it


@dataclass(frozen=True)
class Made:
    """Hold what an ingest made of a file: seconds as (start_s, heard, seen), latents to the last bit."""

    video_id: str
    seconds: list[tuple[int, bool, bool]]
    latents: list[tuple[list[int], bytes, bytes, bytes]]


def make_reference(directory: Path, files: list[Path]) -> dict[str, Made]:
    """Ingest all files undisturbed; return by file name what comes of each."""
    with Session.open(directory, CPU, "raw") as session:
        ingest(session, [Source(file, file.name) for file in files], FOOTAGE, decoders=1)
        videos = session.library.catalogue.every_video()
        expected = {video.file_name: made_of(session.library, video) for video in videos}
    if set(expected) != {file.name for file in files}:
        raise RuntimeError(f"{len(files)} files given, {len(expected)} videos found: no two may be the same")
    return expected


def made_of(library: Library, video: Video) -> Made:
    """Return what the catalogue holds of a video."""
    rows = library.catalogue.segments_of(video.video_id)
    tables = [library.catalogue.latents_of(video.video_id, modality) for modality in MODALITIES]
    arrays = [
        (table.start_s.tolist(), *(array.tobytes() for array in vars(table.latents[:]).values())) for table in tables
    ]
    return Made(video.video_id, [(row.start_s, row.heard, row.seen) for row in rows], arrays)


# A round, and what was acknowledged in it


@dataclass(frozen=True)
class Round:
    """Do `steps`, each (what, which: in [0, 1)); kill `delay_s` after the step `aimed` begins."""

    steps: tuple[tuple[str, float], ...]
    aimed: int
    delay_s: float


def plan_round(rng: np.random.Generator) -> Round:
    """Draw a round: mostly uploads, and a kill at once after a request begins or while its job is done."""
    whats = rng.choice(["upload", "delete", "label"], int(rng.integers(3, 9)), p=[0.6, 0.25, 0.15])
    aimed = int(rng.integers(len(whats)))
    longest_s = 0.4 if whats[aimed] == "upload" and rng.random() < 0.7 else 0.03
    steps = tuple((str(what), float(rng.random())) for what in whats)
    return Round(steps, aimed, float(rng.uniform(0, longest_s)))


@dataclass
class Ledger:
    """Remember by file name what was acknowledged: videos that are there, with their label; jobs that will be done.

    `expected`: what an undisturbed ingest makes. `unsure`: a deletion or a label that was sent and not answered.
    `jobs`: all that are known of. `running`: how many the last kill cut off.
    """

    expected: dict[str, Made]
    there: dict[str, str | None] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    acknowledged: Counter[str] = field(default_factory=Counter)
    version: int = 0
    running: int = 0

    def hear(self, jobs: Iterable[JobAnswer]) -> None:
        """Note which jobs are said to be done."""
        for job in jobs:
            if job.state == "done" and job.job_id in self.pending:
                self.there.setdefault(self.pending.pop(job.job_id), None)
                self.acknowledged["job done"] += 1

    def take_over(self, library: Library) -> None:
        """Note what is there now: it settles what was not answered, and holds from here on."""
        jobs = library.catalogue.queue.jobs()
        self.there = {video.file_name: video.label for video in library.catalogue.every_video()}
        self.pending = {job.job_id: job.payload["file_name"] for job in jobs if job.state in WAITING}
        self.jobs = {job.job_id for job in jobs}
        self.running = sum(job.state == "running" for job in jobs)
        self.version = library.catalogue.catalogue_version
        self.unsure.clear()


def strike(library: Path, files: list[Path], ledger: Ledger, plan: Round) -> str | None:
    """Serve, do a round's steps, kill; return which step had no answer by then, None if all had one."""
    service = Service(library)
    killer, what = Timer(plan.delay_s, service.kill), None
    try:
        with service.client() as client:
            for number, (step, which) in enumerate(plan.steps):
                ledger.hear(islice(client.jobs(), LATEST))
                if number == plan.aimed:
                    killer.start()
                what = step
                take_step(client, files, ledger, step, which)
                what = None
            while True:  # until the kill, the jobs go on
                ledger.hear(islice(client.jobs(), LATEST))
                time.sleep(POLL_S)
    except GONE:
        if killer.ident is None:
            raise  # nobody killed it
        killer.join()
        return what
    finally:
        killer.cancel()
        service.kill()


def take_step(client: Client, files: list[Path], ledger: Ledger, step: str, which: float) -> None:
    """Upload, delete or label, and note what was acknowledged. Raises GONE."""
    settled = sorted(set(ledger.there) - set(ledger.pending.values()))
    if step == "upload":
        file = files[int(which * len(files))]
        job = client.upload(file)  # if this has no answer, the catalogue tells whether there is a job
        ledger.pending[job.job_id] = file.name
    elif settled:
        name = settled[int(which * len(settled))]
        video_id, label = ledger.expected[name].video_id, f"label {which:.6f}"
        ledger.unsure.add(name)
        if step == "delete":
            client.delete(video_id)
            del ledger.there[name]
        else:
            client.annotate(video_id, label)
            ledger.there[name] = label
        ledger.unsure.discard(name)
    else:
        return
    ledger.acknowledged[step] += 1


def finish(library: Path, ledger: Ledger) -> Problems:
    """Serve once more until no job waits, stop, and judge the library itself."""
    with Service(library) as service, service.client() as client:
        ledger.hear(wait_for_jobs(client, DRAIN_S))
    yield from judge(library, ledger)


# What may be wrong


def judge(directory: Path, ledger: Ledger) -> Problems:
    """Yield what is wrong with a library that a kill left; then the ledger takes over what is there."""
    try:
        with Session.open(directory, CPU, "raw") as session:
            with session.library.writer():  # no stale lock
                yield from _judge_promises(session.library, ledger)
                yield from _judge_contents(session.library, ledger)
                yield from _judge_galleries(session)
            ledger.take_over(session.library)
        for finding in check(directory, media=True):
            if finding.severity == "fault":
                yield "disagreements", finding.detail
    except EcholensError as error:
        yield "unopened", str(error)


def _judge_promises(library: Library, ledger: Ledger) -> Problems:
    """Compare what is there with what was acknowledged."""
    catalogue = library.catalogue
    names = Counter(video.file_name for video in catalogue.every_video())
    jobs = {job.job_id: job for job in catalogue.queue.jobs()}
    for name in set(ledger.there) - set(names) - ledger.unsure:
        yield "lost", f"{name} was acknowledged, and is not there"
    for job_id, name in ledger.pending.items():
        state, result = (jobs[job_id].state, jobs[job_id].result) if job_id in jobs else ("gone", {})
        if state == "failed" or (state not in WAITING and name not in names):
            yield (
                "lost",
                f"{name} was accepted; its job is {state} {result}, its video {'' if names[name] else 'not '}there",
            )
    for name in [name for name, count in names.items() if count > 1]:
        yield "doubled", f"{name} is there {names[name]} times"
    accepted = {jobs[job_id].payload["file_name"] for job_id in set(jobs) - ledger.jobs}
    for name in set(names) - set(ledger.there) - set(ledger.pending.values()) - accepted:
        yield "disagreements", f"{name} was deleted, and is there"
    if catalogue.catalogue_version < ledger.version:
        yield "disagreements", f"version {catalogue.catalogue_version} follows {ledger.version}"


def _judge_contents(library: Library, ledger: Ledger) -> Problems:
    """Compare each video with what an undisturbed ingest makes, and its label with the one acknowledged."""
    for video in library.catalogue.every_video():
        name, found = video.file_name, made_of(library, video)
        if found != ledger.expected[name]:
            yield "disagreements", f"{name} is not what an undisturbed ingest makes: {found.seconds}"
        label = ledger.there.get(name, video.label)
        if name not in ledger.unsure and video.label != label:
            yield "disagreements", f"{name} has the label {video.label}, acknowledged was {label}"


def _judge_galleries(session: Session) -> Problems:
    """Compare each gallery with the catalogue's seconds, and let each second find itself."""
    catalogue = session.library.catalogue
    rows = [row for video in catalogue.every_video() for row in catalogue.segments_of(video.video_id)]
    for modality in MODALITIES:
        ids = sorted(row.segment_id for row in rows if (row.heard if modality == "audio" else row.seen))
        try:
            served = session.gallery(modality)
        except EmptyLibrary:
            if ids:
                yield "disagreements", f"{len(ids)} {modality} seconds in the catalogue, none in the gallery"
            continue
        if sorted(served.gallery.ids.tolist()) != ids:
            yield "disagreements", f"the {modality} gallery holds other seconds than the catalogue"
        for row, segment_id in enumerate(served.table.ids):
            found = served.gallery.search(served.table.latents[[row]], 10)
            if segment_id not in found.ids[found.distance == found.distance[0]]:
                yield "disagreements", f"the {modality} of segment {segment_id} does not find itself"


def left_over(directory: Path) -> int:
    """Return how many files kills left that belong to nothing: they cost space and no more."""
    orphans = {item for finding in check(directory, media=False) for item in finding.items if finding.code == "orphans"}
    return len(orphans | {str(path.relative_to(directory)) for path in directory.rglob("*.partial")})


if __name__ == "__main__":
    main()
