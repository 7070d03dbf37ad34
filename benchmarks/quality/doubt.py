"""Does localization know when it does not know?

    python -m benchmarks.quality.doubt --library LIB [--in-context] [--seed 0]

Stretches of 1, 3 and 5 s are looked for by the library's model in the other modality of their own video, in a minute
made of several videos, and where they don't belong: in a video, or a minute, of others. Told are how often the answer
lies within a second of the truth, and in the right video of the minute, both beside chance; how often windows stand
out, and how often the best one is called a fair match or better, and at least a weak one, for queries that belong there
and for those that don't ("other"). With --in-context seconds are compared in their context, as the library is searched.

The videos should be held out from training: how many are not is told.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from app.library.features import corpus_of
from app.library.session import Session
from app.media.decoding import DIRECTIONS
from app.media.timings import Timings
from app.queries.windows import Located, Seconds, locate
from model.data.temporal_context import TemporalContext
from model.modality import Modality
from model.network.encoder import Encoder
from model.training.validation import PairedLatents, encode_videos

CPU = torch.device("cpu")
MINUTE_S, LEAST_S, LENGTHS_S = 60, 6, (1, 3, 5)
NEAR_S = 1
FITS = ("strong", "fair")

Rows = Int64[np.ndarray, "t"]


@dataclass(frozen=True)
class Asked:
    """Hold one answer: of a query that belongs there where `truth_s` is known. `video`: of each second searched."""

    found: Located
    video: Rows
    truth_s: int | None


def main() -> None:
    """Run it."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--in-context", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with Session.open(arguments.library, CPU, create=False) as session:
        corpus, encoder = corpus_of(session), session.encoder
    if not arguments.in_context:
        encoder = Encoder(replace(encoder.checkpoint, context=TemporalContext()), CPU)
    pairs = encode_videos(encoder, corpus)
    videos = whole_videos(pairs)
    trained = encoder.checkpoint.trained_on(corpus.video_ids)
    print(f"{len(videos)} videos; the model was trained on {trained} of the library's {len(corpus)}")
    random = np.random.default_rng(arguments.seed)
    rows = [
        {"searched": name, "direction": direction, "length_s": length_s}
        | figures(list(answers(pairs, encoder, searched, *DIRECTIONS[direction], length_s, random)))
        for name, searched in (("video", [[v] for v in videos]), ("minute", minutes(videos, random)))
        for direction in DIRECTIONS
        for length_s in LENGTHS_S
    ]
    names = list(rows[0])
    print("\n".join("  ".join(f"{cell:>10}" for cell in line) for line in (names, *(_cells(row) for row in rows))))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def whole_videos(pairs: PairedLatents) -> list[Rows]:
    """Return the rows of each video of at least six seconds without a gap, of its first minute."""
    rows = (np.flatnonzero(pairs.video == video)[:MINUTE_S] for video in np.unique(pairs.video))
    return [r for r in rows if len(r) >= LEAST_S and np.all(np.diff(pairs.start_s[r]) == 1)]


def minutes(videos: list[Rows], random: np.random.Generator) -> list[list[Rows]]:
    """Return for each video it and others, in random order, as many as fit into a minute."""
    found = []
    for first in range(len(videos)):
        others = [row for row in random.permutation(len(videos)).tolist() if row != first]
        chosen, left_s = [first], MINUTE_S - len(videos[first])
        for row in others:
            if len(videos[row]) > left_s:
                break
            chosen.append(row)
            left_s -= len(videos[row])
        found.append([videos[row] for row in random.permutation(chosen)])
    return found


def answers(
    pairs: PairedLatents,
    encoder: Encoder,
    searched: list[list[Rows]],
    by: Modality,
    looked_for: Modality,
    length_s: int,
    random: np.random.Generator,
) -> Iterator[Asked]:
    """Ask every stretch of each of the `searched` there, and the stretches of a video that is not among it."""
    for parts in searched:
        rows = np.concatenate(parts)
        target = Seconds(looked_for, range(len(rows)), np.arange(len(rows)), getattr(pairs, looked_for)[rows])
        video = pairs.video[rows]
        elsewhere = np.setdiff1d(pairs.video, video)
        other = np.flatnonzero(pairs.video == random.choice(elsewhere))[:MINUTE_S] if len(elsewhere) else rows[:0]
        for asked, belongs in ((rows, True), (other, False)):
            for start in range(len(asked) - length_s + 1):
                stretch = asked[start : start + length_s]
                if length_s > len(rows) or pairs.video[stretch[0]] != pairs.video[stretch[-1]]:
                    continue
                query = Seconds(by, range(length_s), np.arange(length_s), getattr(pairs, by)[stretch])
                found = locate(query, target, encoder, "the stretch", Timings())
                yield Asked(found, video, start if belongs else None)


def figures(asked: list[Asked]) -> dict[str, Any]:
    """Return shares of the queries that belong, and of the others."""
    own = [(each, each.truth_s) for each in asked if each.truth_s is not None]
    other = [each.found for each in asked if each.truth_s is None]
    near = [abs(each.found.start_s - truth_s) <= NEAR_S for each, truth_s in own]
    by_chance = [
        np.mean([abs(window.start_s - truth_s) <= NEAR_S for window in each.found.windows]) for each, truth_s in own
    ]
    outstanding = np.array([each.found.stands_out for each, _ in own])
    right = np.array([each.video[each.found.start_s] == each.video[truth_s] for each, truth_s in own])
    return {
        "n": len(own),
        "near": np.mean(near),
        "chance": np.mean(by_chance),
        "video": right.mean(),
        "out": outstanding.mean(),
        "video|out": right[outstanding].mean() if outstanding.any() else np.nan,
        "out other": np.mean([found.stands_out for found in other]) if other else np.nan,
        "fair": np.mean([each.found.fit in FITS for each, _ in own]),
        "fair other": np.mean([found.fit in FITS for found in other]) if other else np.nan,
        "weak": np.mean([each.found.fit != "nothing" for each, _ in own]),
        "weak other": np.mean([found.fit != "nothing" for found in other]) if other else np.nan,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    return [f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()]


if __name__ == "__main__":
    main()
