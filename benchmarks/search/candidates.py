"""How many candidates an answer of k hits needs: recall by candidates for each hit, and what galleries reach.

    python -m benchmarks.search.candidates [--items 200000] [--queries 40] [--seed 0] [--json OUT]

`by_p`: the share of the k nearest items that is among the c k items nearest by p, which a flat index on a GPU proposes;
without a filter, and of one item in ten, drawn at random or by whole videos. Null where 2,048 candidates, of which the
filter takes nine in ten, are too few for half of the queries. `galleries`: recall and median milliseconds of the
approximate galleries in main memory, that many items, none of them scanned.
"""

from __future__ import annotations

import time
from typing import Any

import faiss
import numpy as np
from jaxtyping import Bool, Float64, Int64

from benchmarks.report import json_parser, tell
from benchmarks.search.trained_like import SECONDS, WEIGHTS, trained_like
from index.approximate_gallery import ApproximateGallery
from index.gpu_index import MOST
from index.hnsw_gallery import HnswGallery
from index.ivf_gallery import IvfGallery
from index.prefilter import Prefilter
from index.scores import score
from model.data.latents import Latents

PER_HIT = (1.0, 1.5, 2.0, 4.0)
HITS = (10, 100, 500, 1000)
BLOCK_ROWS = 10_000


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    items = trained_like(arguments.items, arguments.seed)
    queries = trained_like(SECONDS * arguments.queries, arguments.seed + 1, query=True)[::SECONDS]
    ids = np.arange(len(items))
    true = np.stack([score(queries[[row]], ids, items, WEIGHTS).distance for row in range(len(queries))])
    random = np.random.default_rng(arguments.seed)
    filters = {"none": None, "random": random.random(len(ids)) < 0.1, "videos": ids // SECONDS % 10 == 0}
    nearest = nearest_by_p(items, queries, max(MOST, int(max(PER_HIT) * max(HITS))))
    facts = {"items": len(items), "queries": len(queries), "seed": arguments.seed}
    by_p = {
        name: {f"{k} hits": {f"{c:g} for each": recall(true, nearest, k, c, allowed) for c in PER_HIT} for k in HITS}
        for name, allowed in filters.items()
    }
    makes: dict[str, Any] = {
        "hnsw": lambda: HnswGallery(ids, items, WEIGHTS, scan=0),
        "ivf": lambda: IvfGallery(ids, items, WEIGHTS, scan=0, compressed=False),
        "ivf-pq": lambda: IvfGallery(ids, items, WEIGHTS, scan=0, compressed=True),
    }
    galleries = {name: measure(make(), queries, true) for name, make in makes.items()}
    tell(facts | {"by_p": by_p, "galleries": galleries}, arguments.json)


def nearest_by_p(items: Latents, queries: Latents, m: int) -> Int64[np.ndarray, "q m"]:
    """Return the rows of the m items nearest by p."""
    prefilter = Prefilter.fit(items, WEIGHTS)
    index = faiss.IndexFlatL2(sum(prefilter.widths))
    for start in range(0, len(items), BLOCK_ROWS):
        index.add(prefilter.project(items[start : start + BLOCK_ROWS]).astype(np.float32))
    rows: Int64[np.ndarray, "q m"] = index.search(prefilter.project(queries).astype(np.float32), min(m, len(items)))[1]
    return rows


def recall(
    true: Float64[np.ndarray, "q n"],
    nearest: Int64[np.ndarray, "q m"],
    k: int,
    per_hit: float,
    allowed: Bool[np.ndarray, "n"] | None,
) -> float | None:
    """Return the mean share of the k nearest allowed items among the first allowed of the rows nearest by p."""
    shares = []
    for distances, rows in zip(true, nearest, strict=True):
        found = rows if allowed is None else rows[:MOST][allowed[rows[:MOST]]]
        found = found[: int(per_hit * k)]
        if len(found) == int(per_hit * k):
            kth = np.partition(distances if allowed is None else distances[allowed], k - 1)[k - 1]
            shares.append(np.count_nonzero(distances[found] <= kth) / k)
    return float(np.mean(shares)) if len(shares) > len(true) / 2 else None


def measure(gallery: ApproximateGallery, queries: Latents, true: Float64[np.ndarray, "q n"]) -> dict[str, Any]:
    """Return what a gallery reaches for each k."""
    report = {}
    for k in HITS:
        shares, spent_ms, examined = [], [], 0
        for row, distances in enumerate(true):
            started = time.perf_counter()
            found = gallery.search(queries[[row]], k)
            spent_ms.append(1000 * (time.perf_counter() - started))
            shares.append(np.count_nonzero(found.distance <= np.partition(distances, k - 1)[k - 1]) / k)
            examined = found.examined
        report[f"{k} hits"] = {
            "recall": float(np.mean(shares)),
            "median_ms": float(np.median(spent_ms)),
            "examined": examined,
        }
    return report


if __name__ == "__main__":
    main()
