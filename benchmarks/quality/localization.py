"""Which judge of windows answers the query, and which answers "where is the event?" whatever was asked.

    python -m benchmarks.quality.localization --archive PATH [--split val] [--seed 0] [--length 3] [--json OUT]

Rolled exact match and temporal IoU of four judges, each on the network's score and on linear CCA: `sum` of the
distances in order of time (Zhu et al., 2021), `match` (the mean distance of all the query's seconds to all the
window's), `context` (model/judging/context.py) and `structure`, which is context without its two terms that know the
query.
Two questions are asked, both ways: `event`, the labelled event; `any`, a stretch of `--length` seconds drawn at
random from each video with both modalities throughout, wherever it lies. Chance is one in the clip's seconds.
`structure` is told nothing of the query but its length: as far as `any` is at chance there, it cannot serve a user.
Intervals are 95 % bootstraps over videos.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import json_parser, tell
from model.data.archive import SPLITS, load_archive
from model.data.corpus import Corpus
from model.judging.context import TERMS, ContextLocalizer, fit_weights
from model.judging.evaluation import Clip, clips_of, interval, localization
from model.judging.localizers import Localizer, ScoreLocalizer
from model.judging.scorers import Correlation, LatentScorer, Scorer
from model.training.plan import train
from model.training.recipe import DEFAULT

CPU = torch.device("cpu")
FRONT_END = ("archive", "benchmark")
KNOWING = np.isin(TERMS, ("match", "order"))  # the terms that look at the query


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="val")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--length", type=int, default=3, help="seconds of a random stretch")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    archive = load_archive(arguments.archive)
    corpus, val, judged = (archive.corpus(name) for name in ("train", "val", arguments.split))
    checkpoint = train(corpus, DEFAULT, FRONT_END, arguments.seed, CPU, val).checkpoint
    correlation = Correlation.fit(corpus)
    questions = {"event": clips_of(judged), "any": random_stretches(judged, arguments.length, arguments.seed)}
    report: dict[str, Any] = {"split": arguments.split, "seed": arguments.seed, "length": arguments.length}
    for name, scorer in (
        ("network", lambda c: LatentScorer.of_checkpoint(checkpoint, c, CPU)),
        ("linear_cca", correlation),
    ):
        judges = judges_of(corpus, judged, scorer(corpus), scorer(judged))
        report[name] = {
            judge: {question: rolled(judged, localizer, clips) for question, clips in questions.items()}
            for judge, localizer in judges.items()
        }
    tell(report, arguments.json)


def judges_of(train: Corpus, judged: Corpus, on_train: Scorer, on_judged: Scorer) -> dict[str, Localizer]:
    """Return the four judges, by name."""
    weights = fit_weights(train, on_train)
    structure = {m: np.where(KNOWING, 0.0, w) for m, w in weights.items()}
    match = {m: np.where(np.array(TERMS) == "match", 1.0, 0.0) for m in weights}
    return {
        "sum": ScoreLocalizer(on_judged, judged),
        "match": ContextLocalizer(judged, on_judged, match),
        "context": ContextLocalizer(judged, on_judged, weights),
        "structure": ContextLocalizer(judged, on_judged, structure),
    }


def random_stretches(corpus: Corpus, length: int, seed: int) -> list[Clip]:
    """Return a stretch of `length` seconds of each longer video that has both modalities throughout."""
    random, clips = np.random.default_rng(seed), []
    for video in range(len(corpus)):
        seconds = np.flatnonzero(corpus.video == video)
        if len(seconds) > length and corpus.paired[seconds].all():
            clips.append(Clip(seconds, int(random.integers(len(seconds) - length + 1)), length))
    return clips


def rolled(corpus: Corpus, localizer: Localizer, clips: list[Clip]) -> dict[str, dict[str, Any]]:
    """Return exact match and overlap with intervals, by crossing."""
    found = localization(corpus, localizer, clips)["rolled"]
    return {crossing: {m: asdict(interval(v)) for m, v in values.items()} for crossing, values in found.items()}


if __name__ == "__main__":
    main()
