"""The features of a recording of any length, in parts, so that none need be held as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from model.data.features import Features

PART_S = 600  # how much is decoded, kept and committed at a time


def part_stop_s(start_s: int) -> int:
    """Return where the part that begins at a second ends: parts end at multiples of PART_S."""
    return (start_s // PART_S + 1) * PART_S


class FeatureParts:
    """Keep the features of one recording by one front-end in files: NAME.npz, then NAME.START.npz.

    The first file of an older release holds a whole recording of any length. Where two files hold the same second, the
    earlier file counts. Reading raises features.UNREADABLE.
    """

    def __init__(self, first: Path) -> None:
        self._first = first

    def path(self, start_s: int) -> Path:
        """Return the file of the part that begins at a second."""
        return self._first if start_s == 0 else self._first.with_suffix(f".{start_s}.npz")

    def starts(self) -> list[int]:
        """Return where the parts that are there begin, in order."""
        further = [int(path.suffixes[-2][1:]) for path in self._first.parent.glob(f"{self._first.stem}.*.npz")]
        return [0] * self._first.is_file() + sorted(further)

    def keep(self, start_s: int, features: Features) -> None:
        """Write a part, whole or not at all."""
        features.save(self.path(start_s))

    def __iter__(self) -> Iterator[Features]:
        """Yield the parts in order, each second once."""
        end_s = 0
        for start_s in self.starts():
            part = Features.load(self.path(start_s))
            part = part if not len(part) or part.start_s[0] >= end_s else part.rows(part.start_s >= end_s)
            if len(part):
                end_s = int(part.start_s[-1]) + 1
                yield part

    def before(self, stop_s: int, seconds: int) -> Features | None:
        """Return the last seconds before a time, and the last one before those that was seen; None if there are none.

        That is what `TemporalContext` looks at.
        """
        found: Features | None = None
        for start_s in reversed([start_s for start_s in self.starts() if start_s < stop_s]):
            part = Features.load(self.path(start_s))
            part = part.rows(part.start_s < stop_s)
            found = context_of(part if found is None else Features.joined([part, found]), stop_s - seconds)
            if len(found) and found.start_s[0] < stop_s - seconds:
                break
        return found if found is not None and len(found) else None

    def between(self, start_s: int, stop_s: int | None) -> Features | None:
        """Return the seconds of a stretch, None if there are none; no first file may be longer than a part."""
        starts = [s for s in self.starts() if stop_s is None or s < stop_s]
        starts = starts[max(0, sum(s <= start_s for s in starts) - 1) :]
        found = []
        for part in (Features.load(self.path(s)) for s in starts):
            chosen = part.start_s >= start_s
            found.append(part.rows(chosen if stop_s is None else chosen & (part.start_s < stop_s)))
        return Features.joined(found) if any(map(len, found)) else None

    def split(self) -> None:
        """Cut a first file that holds more than a part, as an older release wrote it, into parts."""
        whole = Features.load(self._first)
        if not len(whole) or whole.start_s[-1] < PART_S:
            return
        for start_s in range(PART_S, int(whole.start_s[-1]) + 1, PART_S):
            chosen = (whole.start_s >= start_s) & (whole.start_s < start_s + PART_S)
            self.keep(start_s, whole.rows(chosen))
        self.keep(0, whole.rows(whole.start_s < PART_S))  # last: until then it alone counts

    def remove(self, kept: Collection[int] = ()) -> None:
        """Delete the parts, but not those that begin at the seconds `kept`."""
        for start_s in self.starts():
            if start_s not in kept:
                self.path(start_s).unlink(missing_ok=True)


def context_of(features: Features, start_s: int) -> Features:
    """Return the seconds from a time on, and the last one before it that was seen."""
    chosen = features.start_s >= start_s
    seen_before = np.flatnonzero(features.seen & ~chosen)
    chosen[seen_before[-1:]] = True
    return features.rows(chosen)
