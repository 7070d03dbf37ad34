"""Make one combination, decode it both ways, and compare."""

from __future__ import annotations

import logging
import shlex
from dataclasses import dataclass
from pathlib import Path

from benchmarks.media_matrix.combination import Combination
from benchmarks.media_matrix.comparison import Disagreement, compare
from benchmarks.media_matrix.decoded import by_echolens, by_ffmpeg
from benchmarks.media_matrix.known import reason_for


@dataclass(frozen=True)
class Outcome:
    """Hold what came of one combination; `skipped` says why it was not compared."""

    combination: Combination
    command: str
    skipped: str = ""
    disagreements: tuple[Disagreement, ...] = ()

    @property
    def unknown(self) -> bool:
        """Return whether anything disagrees without a known reason."""
        return any(reason_for(self.combination, found) is None for found in self.disagreements)


def examine(combination: Combination, directory: Path, keep: Path | None) -> Outcome:
    """Make one combination, decode it both ways and compare."""
    logging.disable(logging.WARNING)  # what decoders say of damage
    command = shlex.join(combination.command(Path(), Path(combination.file_name)))
    written = combination.write(directory, directory / "made")
    if written is None:
        return Outcome(combination, command, "ffmpeg cannot write it")
    whole, path = written
    try:
        theirs = by_ffmpeg(path, combination.frame_s, combination.mix)
        if not theirs:
            return Outcome(combination, command, "ffmpeg cannot read it")
        before = by_ffmpeg(whole, combination.frame_s, combination.mix) if path != whole else None
        ours = by_echolens(path)
        found = compare(ours, theirs, combination.frame_s, whole=before, lag_s=combination.lag_s)
        if found and keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / path.name).write_bytes(path.read_bytes())
    finally:
        whole.unlink()
        path.unlink(missing_ok=True)
    return Outcome(combination, command, disagreements=tuple(found))
