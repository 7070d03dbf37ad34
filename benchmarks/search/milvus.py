"""A library whose latents are in Milvus: what the service holds in memory, how fast it answers, how it starts.

    python -m benchmarks.search.milvus --items 1000000 --library DIR [--uri URI] [--queries 100] [--seed 0] [--narrow]
        [--table] --json OUT

Makes a library of so many seconds in DIR, unless one is there: latents of benchmarks/search/trained_like.py for
pictures, in videos of ten seconds, with as many concepts as `pretrained` knows. Then `echolens serve` with
ECHOLENS_INDEX=milvus fills the collection (`fill_s`), answers questions by seconds of the library over HTTP, k = 10,
one after the other, and is started again, which finds the collection filled (`start_s`). `resident_mib`: of all its
processes together, Milvus apart, after the questions, where pages that they share count once; `each_apart_mib` counts
them in each, and `peaks_mib` is the most that each of them ever held.
`changed_s`: until a video of ten more seconds is found. `recall` is what the answers say. URI is a server's, or a file
for Milvus Lite, which then is one of the processes' own threads. With `--narrow` a second's latents have 64 bytes in
place of 3,072, so that a small Milvus takes many: what the service holds does not depend on it, recall and times do.
`--table` asks no Milvus: it reads alone what the engine holds of the library, and again beside it after a change.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from app.library.default_model import begin
from benchmarks.report import json_parser, tell
from benchmarks.search.trained_like import PAIR, SECONDS, trained_like, trained_like_parts
from benchmarks.service.live_service import Client, Service
from index.changes import count_change
from index.library import Library
from index.records import LatentBatch, Second, Video
from index.rows import STORED_VIDEO
from model.data.latents import Latents
from model.frontends.raw import RawFrontEnd

K = 10
NARROW_PAIR = 8
CONCEPTS = 248  # of `pretrained`
PRESENT_AT_ONCE = 5
LONGEST_S = 6 * 3600.0


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--uri", default="http://localhost:19530")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--narrow", action="store_true")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.library.exists():
        make_library(arguments.library, arguments.items, arguments.seed, narrow=arguments.narrow)
    tell(read_twice(arguments.library) if arguments.table else run(arguments), arguments.json)


def make_library(directory: Path, items: int, seed: int, *, narrow: bool) -> None:
    """Write a library of drawn latents as the catalogue does, but ten thousand seconds in a statement."""
    with Library.open(directory) as library:
        library.catalogue.set_identity("raw", begin(library, RawFrontEnd()))
        first = 0
        for part in trained_like_parts(items, seed, pair=NARROW_PAIR if narrow else PAIR):
            batch = batch_of(narrowed(part) if narrow else part, first)
            videos = [vars(drawn_video(first + start)) for start in range(0, len(part), SECONDS)]
            seconds = [(n + 1, videos[(n - first) // SECONDS]["video_id"], n % SECONDS) for n in batch.start_s.tolist()]
            assert batch.concepts is not None
            with library.catalogue._store.write() as c:
                columns = STORED_VIDEO.split(", ")
                c.executemany(
                    f"INSERT INTO videos ({STORED_VIDEO}) VALUES ({', '.join('?' * len(columns))})",
                    [[video[column] for column in columns] for video in videos],
                )
                c.executemany(
                    "INSERT INTO segments (segment_id, video_id, start_s, heard, seen) VALUES (?, ?, ?, 0, 1)", seconds
                )
                arrays = (*vars(batch.latents).values(), batch.concepts)
                rows = zip((n + 1 for n in batch.start_s.tolist()), *arrays, strict=True)
                c.executemany(
                    "INSERT INTO latents (generation, modality, segment_id, mu, sigma, generated, concepts, stamp) "
                    "VALUES (0, 'visual', ?, ?, ?, ?, ?, 1)",
                    ((segment_id, *(array.tobytes() for array in row)) for segment_id, *row in rows),
                )
                count_change(c, [video["video_id"] for video in videos])
            first += len(part)


def narrowed(latents: Latents) -> Latents:
    """Return a few numbers of each row: 64 bytes of latents in place of 3,072."""
    return Latents(latents.mu[:, :4], latents.sigma[:, :4], latents.generated[:, :NARROW_PAIR])


def drawn_video(number: int) -> Video:
    """Return a video of ten seconds."""
    sha256 = np.random.default_rng((7, number)).bytes(32).hex()
    name = f"clip-{number:09d}.mp4"
    return Video(
        sha256[:16],
        sha256,
        f"/footage/{number // 10_000:05d}/{name}",
        name,
        "video/mp4",
        float(SECONDS),
        False,
        None,
        None,
        None,
        "2026-01-01T00:00:00+00:00",
        10**6,
        modified_s=1.75e9,
    )


def batch_of(latents: Latents, first: int) -> LatentBatch:
    """Return what goes into the catalogue, the seconds numbered from `first` on, with a few concepts of each."""
    concepts = np.zeros((len(latents), CONCEPTS), np.uint8)
    columns = np.random.default_rng((8, first)).integers(CONCEPTS, size=(len(latents), PRESENT_AT_ONCE))
    np.put_along_axis(concepts, columns, 200, axis=1)
    return LatentBatch(np.arange(first, first + len(latents)), latents, concepts)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Serve the library twice, and measure."""
    settings = {"index": "milvus", "milvus_uri": arguments.uri, "device": "cpu"}
    with Library.open(arguments.library) as library:
        seconds = library.catalogue.stats().visual_latents
    report: dict[str, Any] = {"items": seconds, "queries": arguments.queries, "k": K, "seed": arguments.seed}
    report |= {"cores": len(os.sched_getaffinity(0)), "load_average_before": os.getloadavg()}
    for name in ("fill", "start"):
        started = time.perf_counter()
        with Service(arguments.library, settings) as service, Client(service.port, LONGEST_S) as client:
            ask(client, 1)
            report[f"{name}_s"] = time.perf_counter() - started
            report[f"after_{name}"] = questions(client, seconds, arguments) | resident(service.pid)
            if name == "start":
                report["changed_s"] = changed_s(arguments, client, seconds)
                report["after_change"] = resident(service.pid)
    report["load_average_after"] = os.getloadavg()
    return report


def read_twice(directory: Path) -> dict[str, Any]:
    """Read the table of the pictures, and the next one after a label has changed."""
    report: dict[str, Any] = {"empty_mib": _own_mib()}
    with Library.open(directory) as library:
        table = None
        for name in ("first", "second"):
            started_s = time.process_time()
            table = library.catalogue.table_on_disk("visual", table)
            report[name] = {"cpu_s": time.process_time() - started_s} | _own_mib()
            library.catalogue.update_labels(next(iter(table.videos)), name, None, None)
        assert table is not None
        return report | {"items": len(table.ids), "videos": len(table.videos)}


def ask(client: Client, segment_id: int) -> dict[str, Any]:
    """Ask by a picture of the library for pictures; wait for as long as the service is not ready."""
    form = {"target": "visual", "query_modality": "visual", "segment_id": segment_id, "k": K}
    while True:
        reply = client.http.post("/retrieve", data=form)
        if reply.status_code == 200:
            return dict(reply.json())
        if reply.status_code != 503:
            raise RuntimeError(f"{reply.status_code} {reply.text[:500]}")
        time.sleep(1)


def questions(client: Client, seconds: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask by seconds at random, and say how long the answers took."""
    random = np.random.default_rng(arguments.seed)
    spent_ms, answers = [], []
    for segment_id in random.integers(1, seconds + 1, size=arguments.queries).tolist():
        started = time.perf_counter()
        answers.append(ask(client, segment_id))
        spent_ms.append(1000 * (time.perf_counter() - started))
    median, p99 = np.percentile(spent_ms, (50, 99))
    searched = [one["search"] for one in answers]
    return {
        "median_ms": float(median),
        "p99_ms": float(p99),
        "search_ms": float(np.median([one["timings_ms"]["search"] for one in answers])),
        "recall": searched[-1]["recall"],
        "certified": any(one["certified"] for one in searched),
    }


def resident(pid: int) -> dict[str, Any]:
    """Return what the processes of a service hold in memory: together, where what they share counts once, and each."""
    held = [
        {name: int(size.split()[0]) / 1024 for name, size in facts.items() if name in ("Pss", "Rss", "VmHWM")}
        for facts in _processes(pid)
    ]
    return {
        "resident_mib": sum(one["Pss"] for one in held),
        "each_apart_mib": sorted((round(one["Rss"]) for one in held), reverse=True),
        "peaks_mib": sorted((round(one["VmHWM"]) for one in held), reverse=True),
    }


def changed_s(arguments: argparse.Namespace, client: Client, seconds: int) -> float:
    """Add a video of ten seconds, and return how long it takes until it is found."""
    number = 10**8 + seconds
    with Library.open(arguments.library) as library:
        latents = trained_like(SECONDS, arguments.seed + 2)
        batch = batch_of(narrowed(latents) if arguments.narrow else latents, 0)
        rows = [Second(s, False, True) for s in range(SECONDS)]
        started = time.perf_counter()
        video = library.catalogue.ingest(drawn_video(number), rows, None, batch)
        segment_id = library.catalogue.segments_of(video.video_id)[0].segment_id
    while ask(client, segment_id)["hits"][0]["segment_id"] != segment_id:
        time.sleep(0.1)
    return time.perf_counter() - started


def _own_mib() -> dict[str, float]:
    facts = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"resident_mib": int(facts["VmRSS"].split()[0]) / 1024, "peak_mib": int(facts["VmHWM"].split()[0]) / 1024}


def _processes(session: int) -> Iterator[dict[str, str]]:
    """Yield what Linux says of the processes of a session that have memory."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may have ended
            if os.getsid(int(process.name)) == session:
                lines = [*(process / "status").open(), *(process / "smaps_rollup").open()]
                yield dict(line.split(":", 1) for line in lines if ":" in line)


if __name__ == "__main__":
    main()
