"""Disagreements that are meant, each with the reason that docs/media.md gives."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

from benchmarks.media_matrix.combination import Combination
from benchmarks.media_matrix.comparison import Disagreement


@dataclass(frozen=True)
class Known:
    """Hold which disagreements of which combinations (`*` stands for anything) are known, and why."""

    combinations: str
    check: str
    reason: str


KNOWN: tuple[Known, ...] = (
    Known("structure/opus-twice", "*", "streams in a row follow at once; ffmpeg leaves a second between them"),
)


def reason_for(combination: Combination, disagreement: Disagreement) -> str | None:
    """Return why a disagreement is meant; None where it is not."""
    for known in KNOWN:
        if fnmatch(str(combination), known.combinations) and fnmatch(disagreement.check, known.check):
            return known.reason
    return None
