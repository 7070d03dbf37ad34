"""Does an ingest that is killed again and again make what one makes that is left alone? With Ray, nodes die as well.

    python -m benchmarks.robustness.ingest_kills [--clips 1000] [--kills 10] [--ray] [--seed 0] [--json OUT]

The command `echolens ingest` gets a SIGKILL at random numbers of clips that are in, and is run again. With `--ray` it
works on a cluster of two nodes on this machine, and each kill hits, in turn, the command, a node (another joins), a
process that decodes and its parent. Compared item by item, to the last bit: video, seconds, features, latents and
previews. Exit 1 on any difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from app.library.check import check
from benchmarks.report import json_parser, tell
from benchmarks.service.contents import contents_of, differences
from benchmarks.service.short_clips import make_clips
from index.library import CATALOGUE, Library
from model.errors import LibraryError

POLL_S = 0.2
MOST_S = 3600.0
Kill = Callable[[subprocess.Popen[bytes]], None]


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="echolens-kills-") as directory:
        report = run(Path(directory), arguments.clips, arguments.kills, arguments.ray, arguments.seed)
    tell(report, arguments.json)
    sys.exit(bool(report["differences"] or report["faults"]))


def run(directory: Path, clips: int, kills: int, ray: bool, seed: int) -> dict[str, Any]:
    """Ingest generated clips twice in an empty directory, once with kills, and report in what the libraries differ."""
    make_clips(directory / "clips", clips, 1_000_000 * (seed + 1))
    began_s = time.monotonic()
    _ingest(directory, "clean", []).wait(MOST_S)
    clean_s = time.monotonic() - began_s
    rng = np.random.default_rng(seed)
    after = sorted(rng.choice(np.arange(1, clips), kills, replace=False).tolist())
    began_s = time.monotonic()
    with _cluster() if ray else _no_cluster() as (more, ways):
        hits = _strike(directory, more, after, ways)
    killed_s = time.monotonic() - began_s
    library = directory / "killed"
    found = differences(contents_of(library), contents_of(directory / "clean"))
    return {
        "clips": clips,
        "seed": seed,
        "ray": ray,
        "kills_after_clips": after,
        "kills": hits,
        "clean_s": round(clean_s, 1),
        "killed_s": round(killed_s, 1),
        "differences": found,
        "faults": [finding.detail for finding in check(library, media=True) if finding.severity == "fault"],
    }


def _strike(directory: Path, more: list[str], after: list[int], ways: Iterator[tuple[str, Kill]]) -> dict[str, int]:
    """Ingest to the end, killing something each time that so many clips are in; return how often what was killed."""
    hits: Counter[str] = Counter()
    deadline_s = time.monotonic() + MOST_S
    command = _ingest(directory, "killed", more)
    try:
        for threshold in after:
            while _count(directory / "killed") < threshold and command.poll() is None:
                if time.monotonic() > deadline_s:
                    raise RuntimeError(f"{_count(directory / 'killed')} clips are in after {MOST_S} s: it stands still")
                time.sleep(POLL_S)
            what, kill = next(ways)
            kill(command)
            hits[what] += 1
            if command.poll() is not None:
                command = _ingest(directory, "killed", more)
        command.wait(MOST_S)
    finally:
        command.kill()
        command.wait()
    return dict(hits)


def _ingest(directory: Path, library: str, more: list[str]) -> subprocess.Popen[bytes]:
    """Start the command. One thread, as on the workers of a cluster, so that all agrees to the last bit."""
    paths = [str(directory / "clips"), "--library", str(directory / library), "--frontend", "raw"]
    command = [sys.executable, "-m", "app.cli", "ingest", *paths, *more]
    with (directory / f"{library}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})


def _count(directory: Path) -> int:
    """Return how many videos are in."""
    if not (directory / CATALOGUE).is_file():
        return 0
    try:
        with Library.inspect(directory) as library:
            return library.catalogue.stats().videos
    except LibraryError:  # it is just being made
        return 0


@contextmanager
def _no_cluster() -> Iterator[tuple[list[str], Iterator[tuple[str, Kill]]]]:
    """Yield no further option, and the one way to kill."""
    yield [], cycle([("command", _kill)])


@contextmanager
def _cluster() -> Iterator[tuple[list[str], Iterator[tuple[str, Kill]]]]:
    """Start two nodes; yield the option to work on them, and the ways to kill, in turn."""
    from benchmarks.service.ray_cluster import READS, working

    with working(1, 1) as nodes:

        def kill_node(_: subprocess.Popen[bytes]) -> None:
            nodes.kill()
            nodes.add()

        def kill_worker(_: subprocess.Popen[bytes]) -> None:
            nodes.kill_worker(READS)

        yield ["--ray", nodes.address], cycle([("command", _kill), ("node", kill_node), ("worker", kill_worker)])


def _kill(command: subprocess.Popen[bytes]) -> None:
    command.kill()
    command.wait()


if __name__ == "__main__":
    main()
