"""Search by the certified cascade, by exhaustive scoring, by flat FAISS on p and by HNSW, each in its own process.

    python -m benchmarks.search --items 1000000 [--queries 100] [--threads 1] [--seed 0] [--before TREE]
        [--without hnsw faiss_flat] --json OUT

The latents are benchmarks/search/trained_like.py's; k = 10; single queries, and batches of 64. `exhaustive` scores
at its best, by blocked matrix products, and scores its 64 best candidates again by direct differences: the
answer that recall is measured against, and `identical` too, which holds certified answers against it by ids and
distances; the first ten are held against index/brute_force.py's formula besides. `faiss_flat` ranks by p
alone: the floor, of another order than the score's. `hnsw` is
index/hnsw_gallery.py. Where FAISS has a GPU, index/gpu_gallery.py takes part, as `flat_gpu` and `ivf_gpu`;
`copy_bound_ms` is how long the GPU takes to read all of p once, as fast as it copies memory, which no flat search can
undercut. Times exclude building. The certified gallery reads its latents from a file, as a service does from the
catalogue; `rss_gib` is the most that its process held, building included, and `start_s` how long it takes to open the
slots that it has kept. With `--before`, a checkout of an earlier commit, that one's certified gallery takes part, as
`before`, with `before_rss_gib`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32, Float64, Int64

from benchmarks.report import json_parser, tell
from benchmarks.search.trained_like import LATENT, PAIR, SECONDS, WEIGHTS, trained_like, trained_like_parts
from index.certified_gallery import CertifiedGallery, nearest_rows
from index.gallery import Gallery
from index.gpu_gallery import GpuGallery
from index.gpu_index import bytes_of, gpus
from index.hnsw_gallery import HnswGallery
from index.latents_on_disk import LatentsOnDisk
from index.prefilter import Prefilter
from index.row_file import RowFile
from index.scores import Scores, score
from model.data.latents import Latents

METHODS = ("certified", "exhaustive", "faiss_flat", "hnsw")
ON_GPU = ("flat_gpu", "ivf_gpu")
K, BATCH, BATCHES, WARM_UP = 10, 64, 7, 3
CANDIDATES = 64  # that exhaustive scoring scores again
ORACLE_QUERIES = 10
COPIED_BYTES, COPIES = 1 << 28, 20  # at a time, to measure how fast a GPU copies memory


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--before", type=Path, help="a checkout whose certified gallery takes part")
    parser.add_argument("--without", nargs="*", choices=("faiss_flat", "hnsw"), default=(), help="methods to leave out")
    parser.add_argument("--method", choices=METHODS + ON_GPU, help="run one method in this process")
    parser.add_argument("--answers", type=Path, help="where that method's answers go")
    arguments = parser.parse_args()
    if arguments.method:
        print(json.dumps(measure(arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        report = compare(arguments, Path(folder))
    tell(report, arguments.json)


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run every method in a process of its own, and hold their answers against the exhaustive ones."""
    methods = tuple(method for method in METHODS if method not in arguments.without)
    methods += (ON_GPU if gpus() > 0 else ()) + (("before",) if arguments.before else ())
    facts, ids, distances = {}, {}, {}
    threads = {name: str(arguments.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    for method in methods:
        run = "certified" if method == "before" else method
        given = {"items": arguments.items, "queries": arguments.queries, "seed": arguments.seed, "method": run}
        options = [f"--{name}={value}" for name, value in given.items()]
        command = [sys.executable, "-m", "benchmarks.search", *options, f"--answers={folder / method}.npz"]
        tree = (arguments.before if method == "before" else Path()).absolute()
        environment = os.environ | threads | {"PYTHONPATH": str(tree)}
        done = subprocess.run(command, env=environment, cwd=tree, stdout=subprocess.PIPE, check=True, text=True)
        facts[method] = json.loads(done.stdout)
        with np.load(folder / f"{method}.npz") as answers:
            ids[method], distances[method] = answers["ids"], answers["distances"]
    true = ids["exhaustive"]
    recall = {m: float(np.mean([np.isin(t, f).mean() for t, f in zip(true, ids[m], strict=True)])) for m in methods}
    proven = facts["certified"]
    report: dict[str, Any] = {
        "items": arguments.items,
        "queries": arguments.queries,
        "threads": arguments.threads,
        "cores": len(os.sched_getaffinity(0)),
        "k": K,
        "seed": arguments.seed,
    }
    for kind in ("single", "batch64"):
        report[kind] = {method: facts[method][kind] | {"recall": recall[method]} for method in methods}
    same = np.array_equal(ids["certified"], ids["exhaustive"])
    bound = {"copy_bound_ms": facts["flat_gpu"]["copy_bound_ms"]} if "flat_gpu" in facts else {}
    return (
        report
        | bound
        | {
            "certified_share": proven["certified_share"],
            "identical": bool(same and np.array_equal(distances["certified"], distances["exhaustive"])),
            "identical_to_oracle": proven["identical_to_oracle"],
            "examined_share": proven["examined_share"],
            "rss_gib": proven["rss_gib"],
            "before_rss_gib": facts["before"]["rss_gib"] if "before" in facts else None,
            "start_s": proven["start_s"],
            "build_s": {method: facts[method]["build_s"] for method in methods},
        }
    )


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Build one method's index, ask it one query after the other, then in batches; keep its answers."""
    with tempfile.TemporaryDirectory() as folder:
        if arguments.method == "certified":
            items = in_file(Path(folder) / "items", arguments.items, arguments.seed)
            build = partial(certified, folder=Path(folder) / "slots")
            return _measured(arguments, items, build) | {"start_s": _start_s(items, Path(folder) / "slots")}
        return _measured(arguments, trained_like(arguments.items, arguments.seed), BUILD[arguments.method])


def _measured(
    arguments: argparse.Namespace, items: Latents | LatentsOnDisk, build: Callable[[Any], Ask]
) -> dict[str, Any]:
    # One second of each video: the seconds of one video ask nearly the same.
    queries = trained_like(10 * max(BATCH, arguments.queries), arguments.seed + 1, query=True)[::10]
    started = time.perf_counter()
    ask = build(items)
    build_s = time.perf_counter() - started
    single_ms, singles = _timed(lambda row: ask(queries[[row]]), arguments.queries)
    batch_ms, _ = _timed(lambda _: ask(queries[:BATCH]), BATCHES)
    answers = [answer for (answer,) in singles]
    on_gpu = arguments.method in ON_GPU
    width = sum(Prefilter.fit(items[:1000], WEIGHTS).widths)
    bound = {"copy_bound_ms": copy_bound_ms(bytes_of(len(items), width, divided=False))} if on_gpu else {}
    np.savez(
        arguments.answers, ids=np.stack([a.ids for a in answers]), distances=np.stack([a.distance for a in answers])
    )
    return bound | {
        "single": _percentiles(single_ms),
        "batch64": _percentiles(batch_ms),
        "build_s": build_s,
        "rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "certified_share": float(np.mean([a.certified for a in answers])),
        "examined_share": float(np.mean([a.examined for a in answers])) / len(items),
        "identical_to_oracle": all(
            np.array_equal(oracle.ids, answer.ids) and np.array_equal(oracle.distance, answer.distance)
            for oracle, answer in zip(_oracle(items, queries[:ORACLE_QUERIES]), answers, strict=False)
        ),
    }


def in_file(path: Path, count: int, seed: int) -> LatentsOnDisk:
    """Draw latents into a file, and return them as a catalogue does: read when they are asked for."""
    file = RowFile(np.float32, 2 * LATENT + PAIR, path)
    for part in trained_like_parts(count, seed):
        file.append(np.concatenate([part.mu, part.sigma, part.generated], axis=1))

    def read(ids: Int64[np.ndarray, "m"]) -> Latents:
        return Latents(*np.split(file.read(ids), [LATENT, 2 * LATENT], axis=1))

    return LatentsOnDisk(np.arange(count), LATENT, PAIR, read)


def certified(items: LatentsOnDisk, folder: Path) -> Ask:
    """Build the certified gallery, or open the one that a folder keeps."""
    ids = np.arange(len(items))
    built = CertifiedGallery(ids, items, WEIGHTS, stamps=ids, groups=ids // SECONDS, folder=folder)
    return _asking(built)


def _start_s(items: LatentsOnDisk, folder: Path) -> float:
    started = time.perf_counter()
    certified(items, folder)
    return time.perf_counter() - started


class Answer(NamedTuple):
    """The K nearest items, and what their search says of itself."""

    ids: Int64[np.ndarray, "k"]
    distance: Float64[np.ndarray, "k"]
    certified: bool = False
    examined: int = 0


Ask = Callable[[Latents], list[Answer]]


def gallery(make: Callable[..., Gallery], items: Latents) -> Ask:
    """Build a gallery, with as many threads as there are cores where FAISS builds it: that is not what is timed."""
    faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
    return _asking(make(np.arange(len(items)), items, WEIGHTS))


def _asking(built: Gallery) -> Ask:
    def ask(queries: Latents) -> list[Answer]:
        return [Answer(r.ids, r.distance, r.certified, r.examined) for r in built.search_batch(queries, K)]

    return ask


def exhaustive(items: Latents) -> Ask:
    """Score all items by blocked matrix products in float32, and the best of them again by direct differences."""
    ids, parts = np.arange(len(items)), _parts(items)
    squares = [np.einsum("nd,nd->n", part, part) for part in parts]

    def ask(queries: Latents) -> list[Answer]:
        total = np.zeros((len(queries), len(items)), np.float32)
        step = max(1, (1 << 19) // len(queries))
        for start in range(0, len(items), step):
            here = slice(start, start + step)
            for weight, part, square, of in zip(astuple(WEIGHTS), parts, squares, _parts(queries), strict=True):
                squared = (-2 * of) @ part[here].T
                squared += square[here]
                squared += np.einsum("qd,qd->q", of, of)[:, None]
                np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
                total[:, here] += np.multiply(squared, np.float32(weight), out=squared)
        best = [
            score(queries[[row]], ids, items, WEIGHTS, nearest_rows(total[row], CANDIDATES)).nearest(K)
            for row in range(len(queries))
        ]
        return [Answer(b.ids, b.distance, examined=len(items)) for b in best]

    return ask


def copy_bound_ms(bytes: int) -> float:
    """Return how long the GPU takes to read so many bytes of its memory: a copy reads and writes as many."""
    import torch  # here alone: the other methods must not hold its memory

    given = torch.empty(COPIED_BYTES, dtype=torch.uint8, device="cuda")
    copy = torch.empty_like(given)
    spent_s = []
    for _ in range(COPIES):
        torch.cuda.synchronize()
        started = time.perf_counter()
        copy.copy_(given)
        torch.cuda.synchronize()
        spent_s.append(time.perf_counter() - started)
    return 1000 * bytes * float(np.median(spent_s)) / (2 * COPIED_BYTES)


def faiss_flat(items: Latents) -> Ask:
    """Rank by p alone."""
    prefilter = Prefilter.fit(items, WEIGHTS)
    index = faiss.IndexFlatL2(sum(prefilter.widths))
    for start in range(0, len(items), 10_000):
        index.add(prefilter.project(items[start : start + 10_000]).astype(np.float32))

    def ask(queries: Latents) -> list[Answer]:
        squared, rows = index.search(prefilter.project(queries).astype(np.float32), K)
        return [Answer(*pair) for pair in zip(rows, np.sqrt(squared).astype(np.float64), strict=True)]

    return ask


BUILD: dict[str, Callable[[Latents], Ask]] = {
    "exhaustive": exhaustive,
    "faiss_flat": faiss_flat,
    "hnsw": partial(gallery, HnswGallery),
    "flat_gpu": partial(gallery, GpuGallery),
    "ivf_gpu": partial(gallery, partial(GpuGallery, divided=True)),
}


def _parts(latents: Latents) -> list[Float32[np.ndarray, "n _"]]:
    return [np.concatenate([latents.mu, latents.sigma], axis=1), latents.generated]


def _oracle(items: Latents | LatentsOnDisk, queries: Latents) -> list[Scores]:
    ids = np.arange(len(items))
    return [score(queries[[row]], ids, items, WEIGHTS).nearest(K) for row in range(len(queries))]


def _timed(work: Callable[[int], list[Answer]], times: int) -> tuple[list[float], list[list[Answer]]]:
    """Return milliseconds and answers of each turn, after some that warm up."""
    for turn in range(WARM_UP):
        work(turn)
    spent_ms, answers = [], []
    for turn in range(times):
        started = time.perf_counter()
        answers.append(work(turn))
        spent_ms.append(1000 * (time.perf_counter() - started))
    return spent_ms, answers


def _percentiles(spent_ms: list[float]) -> dict[str, float]:
    median, p99 = np.percentile(spent_ms, (50, 99))
    return {"median_ms": float(median), "p99_ms": float(p99)}


if __name__ == "__main__":
    main()
