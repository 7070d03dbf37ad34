"""A table whose latents stay on the disk: what its first reading costs, what following a change, and reading rows.

    python -m benchmarks.search.table --items 1000000 --library DIR [--narrow] [--repeats 9] [--seed 0] --json OUT

Makes a library as `benchmarks.search.milvus` does, unless one is there. `first_s`: the table of the pictures and the
records of their videos, `second_s`: another one beside it, which shares these. `change_ms`: the next table after a
video of ten seconds was added, relabelled, written anew, and so on, and after a thousand went missing at once.
`row_us`: for each of so many rows at random. All are medians of the processor's time of this process, not of the
writers'. The library is changed, and at the end holds as many videos as before.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import json_parser, tell
from benchmarks.search.milvus import batch_of, drawn_video, make_library, narrowed
from benchmarks.search.trained_like import SECONDS, trained_like
from index.catalogue import Catalogue
from index.library import Library
from index.records import LatentTable, Second
from index.seconds import Stretch

ROWS = (64, 4096)
MANY = 1000


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--narrow", action="store_true")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not arguments.library.exists():
        make_library(arguments.library, arguments.items, arguments.seed, narrow=arguments.narrow)
    with Library.open(arguments.library) as library:
        tell(measured(library.catalogue, arguments), arguments.json)


def measured(catalogue: Catalogue, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the readings took."""
    report: dict[str, Any] = {"seed": arguments.seed, "load_average": os.getloadavg()}
    table, report["first_s"] = timed_s(lambda: catalogue.table_on_disk("visual"))
    _, report["second_s"] = timed_s(lambda: catalogue.table_on_disk("visual", None, table))
    spent_ms: dict[str, list[float]] = defaultdict(list)
    random = np.random.default_rng((9, arguments.seed))
    for _ in range(arguments.repeats):
        for name, change in changes(catalogue, table, random, narrow=arguments.narrow).items():
            change()
            table, spent_s = timed_s(partial(catalogue.table_on_disk, "visual", table))
            spent_ms[name].append(1000 * spent_s)
    report |= {"items": len(table.ids), "videos": len(table.videos)}
    report["change_ms"] = {name: float(np.median(spent)) for name, spent in spent_ms.items()}
    report["row_us"] = {count: row_us(table, count, random) for count in ROWS}
    return report


def changes(
    catalogue: Catalogue, table: LatentTable, random: np.random.Generator, *, narrow: bool
) -> dict[str, Callable[[], object]]:
    """Return changes by name, which are made in this order and leave as many videos as there were."""
    latents = trained_like(SECONDS, 2)
    batch = batch_of(narrowed(latents) if narrow else latents, 0)
    rows = [Second(s, False, True) for s in range(SECONDS)]
    video, ids = drawn_video(10**9 + catalogue.catalogue_version), list(table.videos)
    one, other, *many = (ids[row] for row in random.choice(len(ids), min(MANY + 2, len(ids)), replace=False))
    return {
        "added": lambda: catalogue.ingest(video, rows, None, batch),
        "written_anew": lambda: catalogue.rewrite(video, Stretch(0), rows, None, batch),
        "relabelled": lambda: catalogue.update_labels(one, video.video_id, None, None),
        "missing": lambda: catalogue.mark_missing([other]),
        "found_again": lambda: catalogue.mark_missing([other], missing=False),
        "thousand_missing": lambda: catalogue.mark_missing(many),
        "thousand_found": lambda: catalogue.mark_missing(many, missing=False),
        "deleted": lambda: catalogue.delete_video(one),
    }


def row_us(table: LatentTable, count: int, random: np.random.Generator) -> float:
    """Return how long a row takes where `count` at random are read at once."""
    chosen = [np.sort(random.choice(len(table.ids), min(count, len(table.ids)), replace=False)) for _ in range(20)]
    return float(np.median([1e6 * timed_s(partial(table.latents.__getitem__, rows))[1] / len(rows) for rows in chosen]))


def timed_s(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what some work returns, and the processor's time that it took."""
    started_s = time.process_time()
    done = work()
    return done, time.process_time() - started_s


if __name__ == "__main__":
    main()
