"""Does Echolens decode as FFmpeg does? Hundreds of files of every kind, second by second.

    python -m benchmarks.media_matrix [--only PATTERN] [--list] [--jobs 2] [--keep DIR] [--json OUT]

The ffmpeg command writes each combination (films.py, sounds.py, clocks.py, losses.py, pictures.py); truth.py says what
every file shows and plays. Then the file is decoded twice: by the ffmpeg command, and by Echolens. They disagree where
Echolens refuses what ffmpeg decodes; about the length; where the picture and the sound of a second are more than 40 ms
apart; where the sound of a second is more than 1 dB louder or softer, or its picture of another colour (12 of 255),
shape, or place. Where something was lost, what ffmpeg decodes of the whole file is right as well. Combinations that
this ffmpeg cannot write or read are skipped and not counted. Exit 1 if anything disagrees that known.py does not name.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from fnmatch import fnmatch
from functools import partial
from itertools import chain
from pathlib import Path

from benchmarks.media_matrix.clocks import clocks
from benchmarks.media_matrix.combination import Combination
from benchmarks.media_matrix.examination import Outcome, examine_apart
from benchmarks.media_matrix.films import films
from benchmarks.media_matrix.known import reason_for
from benchmarks.media_matrix.losses import losses
from benchmarks.media_matrix.pictures import pictures
from benchmarks.media_matrix.sounds import sounds
from benchmarks.media_matrix.truth import write_bases
from benchmarks.report import json_parser, write

MOST_PRINTED = 4  # disagreements of one file; the rest are counted


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--only", default="*", help="combinations, KIND/NAME with * for anything")
    parser.add_argument("--list", action="store_true", help="print the combinations and make nothing")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep the files that disagree here")
    arguments = parser.parse_args()
    chosen = [combination for combination in combinations() if fnmatch(str(combination), arguments.only)]
    if arguments.list:
        print(*chosen, sep="\n")
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="echolens-matrix-") as directory:
        outcomes = list(run(chosen, Path(directory), arguments))
    summarize(outcomes, time.monotonic() - begun_s)
    write([asdict(outcome) for outcome in outcomes], arguments.json)
    sys.exit(any(outcome.unknown for outcome in outcomes))


def combinations() -> list[Combination]:
    """Return all combinations; no two have the same name."""
    every = list(chain(films(), sounds(), clocks(), losses(), pictures()))
    twice = [name for name, count in Counter(map(str, every)).items() if count > 1]
    assert not twice, twice
    return every


def run(chosen: list[Combination], directory: Path, arguments: argparse.Namespace) -> Iterator[Outcome]:
    """Compare the combinations in parallel; print each disagreement as it comes, in their order."""
    write_bases(directory, {combination.rate_hz for combination in chosen})
    work = partial(examine_apart, directory=directory, keep=arguments.keep)
    with ThreadPoolExecutor(arguments.jobs) as threads:
        try:
            for number, outcome in enumerate(threads.map(work, chosen), 1):
                show(outcome)
                print(f"{number} of {len(chosen)}", end="\r", file=sys.stderr)
                yield outcome
        finally:
            threads.shutdown(cancel_futures=True)


def show(outcome: Outcome) -> None:
    """Print where a combination disagrees, with its command."""
    if not outcome.disagreements:
        return
    damage = f", then damage: {outcome.combination.damage}" if outcome.combination.damage else ""
    print(f"{outcome.combination}\n  {outcome.command}{damage}")
    for found in outcome.disagreements[:MOST_PRINTED]:
        reason = reason_for(outcome.combination, found)
        print(f"  {found}" + (f" (known: {reason})" if reason else ""))
    if len(outcome.disagreements) > MOST_PRINTED:
        print(f"  and {len(outcome.disagreements) - MOST_PRINTED} more")
    sys.stdout.flush()


def summarize(outcomes: list[Outcome], took_s: float) -> None:
    """Print a table by kind: how many were compared, agree, disagree as known, disagree, and were skipped."""
    print(f"\n{'kind':15} compared   agree   known   disagree   skipped")
    kinds = list(dict.fromkeys(outcome.combination.kind for outcome in outcomes))
    for kind in [*kinds, "all"]:
        these = [outcome for outcome in outcomes if kind in ("all", outcome.combination.kind)]
        skipped = sum(bool(outcome.skipped) for outcome in these)
        disagree = sum(outcome.unknown for outcome in these)
        known = sum(bool(outcome.disagreements) for outcome in these) - disagree
        compared = len(these) - skipped
        print(f"{kind:15} {compared:8} {compared - known - disagree:7} {known:7} {disagree:10} {skipped:9}")
    print(f"\n{took_s:.0f} s; skipped:", *(str(o.combination) for o in outcomes if o.skipped))


if __name__ == "__main__":
    main()
