"""Make one combination, decode it both ways, and compare."""

from __future__ import annotations

import logging
import shlex
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from threading import local

from benchmarks.media_matrix.combination import Combination
from benchmarks.media_matrix.comparison import Disagreement, compare
from benchmarks.media_matrix.decoded import by_echolens, by_ffmpeg
from benchmarks.media_matrix.known import reason_for

OWN = local()  # each thread's process


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


def examine_apart(combination: Combination, directory: Path, keep: Path | None) -> Outcome:
    """Examine one combination in a process of this thread's own: a decoder may take it down."""
    if not hasattr(OWN, "process"):
        OWN.process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    try:
        outcome: Outcome = OWN.process.submit(examine, combination, directory, keep).result()
        return outcome
    except BrokenProcessPool:
        del OWN.process
        crash = Disagreement("refused", None, "killed the process", "decodes it")
        return Outcome(combination, command_of(combination), disagreements=(crash,))


def command_of(combination: Combination) -> str:
    """Return the command that makes a combination, as a person may repeat it."""
    return shlex.join(combination.command(Path(), Path(combination.file_name)))


def examine(combination: Combination, directory: Path, keep: Path | None) -> Outcome:
    """Make one combination, decode it both ways and compare."""
    logging.disable(logging.WARNING)  # what decoders say of damage
    command = command_of(combination)
    written = combination.write(directory, directory / "made")
    if written is None:
        return Outcome(combination, command, "ffmpeg cannot write it")
    whole, path = written
    try:
        theirs = by_ffmpeg(path, combination.frame_s, combination.mix)
        if not theirs:
            return Outcome(combination, command, "ffmpeg cannot read it")
        before = by_ffmpeg(whole, combination.frame_s, combination.mix) if path != whole else None
        ours = by_echolens(path, bool(combination.damage))
        found = compare(ours, theirs, combination.frame_s, whole=before, lag_s=combination.lag_s)
        if found and keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / path.name).write_bytes(path.read_bytes())
    finally:
        whole.unlink()
        path.unlink(missing_ok=True)
    return Outcome(combination, command, disagreements=tuple(found))
