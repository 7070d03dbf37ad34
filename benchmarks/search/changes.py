"""No false certificate and no torn answer while items come, go and change: galleries that follow each other.

    python -m benchmarks.search.changes [--changes 100000] [--lines 50] [--seed 0] [--json OUT]

Each line of galleries begins with some videos in a folder, and follows changes of every kind: videos added, stretches
deleted, missing and found again, seconds encoded anew; sometimes many at once, and sometimes the process starts again
and opens the folder.
After each change the newest gallery is asked, while other threads ask it and those before it all the time. A certified
answer must equal the oracle's of just that gallery's items, ids and distances bit by bit: `false` counts those that do
not, `uncertified` those without a proof, of which there must be none either.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import json_parser, tell
from benchmarks.search.certificate import KINDS, draw
from index.brute_force import BruteForceGallery
from index.certified_gallery import CertifiedGallery
from model.data.distance import ScoreWeights
from model.data.latents import Latents

PAIR = 24
READERS = 2
MOST_ITEMS = 1500
KEPT = 6  # galleries that the readers go on asking
PARTS = ("mu", "sigma", "generated")


@dataclass
class Count:
    """Count changes and searches, and what came of them."""

    changes: int = 0
    starts: int = 0
    searches: int = 0
    false: int = 0
    uncertified: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, false: bool, certified: bool) -> None:
        """Count a search."""
        with self.lock:
            self.searches += 1
            self.false += false
            self.uncertified += not certified


@dataclass(frozen=True, eq=False)
class Pair:
    """Hold a gallery and the oracle of the same items."""

    gallery: CertifiedGallery
    oracle: BruteForceGallery

    def ask(self, random: np.random.Generator, count: Count) -> None:
        """Ask both, and compare."""
        n = len(self.oracle)
        if random.random() < 0.5:
            query = self.oracle.latents[[int(random.integers(n))]]
        else:
            query = draw(str(random.choice(KINDS)), 1, PAIR, random)
        allowed = None if random.random() < 0.5 else random.random(n) < random.choice([0.05, 0.6])
        k = int(random.choice([1, 3, 10, 30]))
        found, true = (one.search(query, k, allowed) for one in (self.gallery, self.oracle))
        same = np.array_equal(found.ids, true.ids) and np.array_equal(found.distance, true.distance)
        count.add(false=found.certified and not same, certified=found.certified)


class Line:
    """Items that change, and the galleries over them, one after the other."""

    def __init__(self, folder: Path, random: np.random.Generator) -> None:
        self._folder, self._random, self._next = folder, random, 1
        self._weights = ScoreWeights(*10.0 ** random.uniform(-3, 3, 2))
        self._latents = draw("clustered", 0, PAIR, random)
        self._ids, self._stamps, self._videos = (np.empty(0, np.int64) for _ in range(3))
        self._missing: list[tuple[Latents, np.ndarray, np.ndarray, np.ndarray]] = []
        while len(self._ids) < 300:
            self._add()
        self.newest = self._follow(None)

    def change(self) -> None:
        """Make one change, or a few at once, and follow it."""
        for _ in range(1 if self._random.random() < 0.9 else 20):
            n, kind = len(self._ids), self._random.random()
            if n < 200 or (kind < 0.5 and n < MOST_ITEMS):
                self._add()
            elif kind < 0.7:
                first = int(self._random.integers(n - 40))
                gone = np.arange(first, first + int(self._random.integers(1, 40)))
                self._keep(np.delete(np.arange(n), gone))
            elif kind < 0.8 and not self._missing:
                missing = self._videos == self._random.choice(self._videos)
                columns = self._ids, self._stamps, self._videos
                self._missing.append((self._latents[np.flatnonzero(missing)], *(c[missing] for c in columns)))
                self._keep(np.flatnonzero(~missing))
            elif kind < 0.9 and self._missing:
                self._put(*self._missing.pop())
                self._keep(np.argsort(self._ids))
            else:
                self._encode_anew(self._random.choice(n, int(self._random.integers(1, 20)), replace=False))
        self.newest = self._follow(self.newest.gallery)

    def start(self) -> None:
        """Open the folder as a process that starts does. No gallery may be in use: one of them owns the folder."""
        del self.newest
        self.newest = self._follow(None)

    def _follow(self, before: CertifiedGallery | None) -> Pair:
        latents = Latents(*(getattr(self._latents, part).copy() for part in PARTS))
        ids, stamps, videos = (array.copy() for array in (self._ids, self._stamps, self._videos))
        gallery = CertifiedGallery(
            ids, latents, self._weights, stamps=stamps, groups=videos, before=before, folder=self._folder
        )
        return Pair(gallery, BruteForceGallery(ids, latents, self._weights))

    def _add(self) -> None:
        count = int(self._random.integers(1, 30))
        here = draw(str(self._random.choice(KINDS[:5])), 1, PAIR, self._random)[np.zeros(count, np.int64)]
        noise = draw("clustered", count, PAIR, self._random)
        new = Latents(*(getattr(here, part) + np.float32(0.1) * getattr(noise, part) for part in PARTS))
        ids, stamps = np.arange(self._next, self._next + count), self._random.integers(1, 1 << 62, count)
        self._put(new, ids, stamps, np.full(count, self._next))
        self._next += count

    def _put(self, latents: Latents, ids: np.ndarray, stamps: np.ndarray, videos: np.ndarray) -> None:
        self._latents = Latents.concatenate([self._latents, latents])
        self._ids, self._stamps = np.append(self._ids, ids), np.append(self._stamps, stamps)
        self._videos = np.append(self._videos, videos)

    def _keep(self, rows: np.ndarray) -> None:
        self._ids, self._stamps, self._videos = self._ids[rows], self._stamps[rows], self._videos[rows]
        self._latents = self._latents[rows]

    def _encode_anew(self, rows: np.ndarray) -> None:
        new = draw(str(self._random.choice(KINDS)), len(rows), PAIR, self._random)
        for part in PARTS:
            getattr(self._latents, part)[rows] = getattr(new, part)
        self._stamps[rows] = self._random.integers(1, 1 << 62, len(rows))


def main() -> None:
    """Run it; exit 1 if any answer is wrong or without a proof."""
    parser = json_parser(__doc__)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    count = Count()
    for number in range(arguments.lines):
        with tempfile.TemporaryDirectory() as folder:
            random = np.random.default_rng((arguments.seed, number))
            run(Line(Path(folder), random), -(-arguments.changes // arguments.lines), random, count)
    report: dict[str, Any] = {name: value for name, value in vars(count).items() if name != "lock"}
    tell(report | {"lines": arguments.lines, "seed": arguments.seed}, arguments.json)
    sys.exit(1 if count.false or count.uncertified else 0)


def run(line: Line, changes: int, random: np.random.Generator, count: Count) -> None:
    """Change a line so often, with readers beside; between stretches the readers pause and the process starts anew."""
    done = 0
    while done < changes:
        stretch = min(changes - done, int(random.integers(20, 200)))
        pairs, end = [line.newest], threading.Event()
        readers = [
            threading.Thread(
                target=read, args=(pairs, end, np.random.default_rng(int(random.integers(1 << 30))), count)
            )
            for _ in range(READERS)
        ]
        for reader in readers:
            reader.start()
        for _ in range(stretch):
            line.change()
            count.changes += 1
            line.newest.ask(random, count)
            pairs[:] = [*pairs[-KEPT + 1 :], line.newest]
        end.set()
        for reader in readers:
            reader.join()
        pairs.clear()
        done += stretch
        if random.random() < 0.5:
            line.start()
            count.starts += 1


def read(pairs: list[Pair], end: threading.Event, random: np.random.Generator, count: Count) -> None:
    """Ask galleries, new and old, until the end."""
    while not end.is_set():
        pairs[int(random.integers(len(pairs)))].ask(random, count)


if __name__ == "__main__":
    main()
