"""Five-fold held-out retrieval on real clips, beside chance and regularized linear CCA on the same folds.

    python -m benchmarks.quality.real_clips --library DIR [--seeds 3] [--json OUT]

The library holds the clips, ingested with a front-end. Files that show the same video (mean visual features with a
centred cosine above 0.8) stay in one fold, and finding either of them counts. Per held-out video one second is drawn,
the same for both modalities, 20 times; relevant is the own video. Intervals: bootstrap over videos.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components

from app.library.features import corpus_of
from app.library.session import Session
from benchmarks.report import json_parser, tell
from model.data.corpus import Corpus
from model.data.draws import draw_seconds
from model.judging.evaluation import Interval, interval
from model.judging.ranking import rank
from model.judging.scorers import Correlation, LatentScorer, RandomScorer, Scorer, untrained
from model.training.plan import train
from model.training.recipe import recipe_named

FOLDS = 5
GALLERIES = 20
SAME_VIDEO = 0.8
CPU = torch.device("cpu")
DIRECTIONS = (("AV", "audio", "visual"), ("VA", "visual", "audio"))


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipe", default="default")
    arguments = parser.parse_args()
    with Session.open(arguments.library, CPU, create=False) as session:
        corpus = corpus_of(session)
        front_end = (session.front_end.name, session.front_end.identity)
    corpus = corpus.of_videos(np.unique(corpus.video[corpus.paired]))
    report = measure(corpus, front_end, arguments.recipe, arguments.seeds)
    tell(report, arguments.json)


def measure(corpus: Corpus, front_end: tuple[str, str], recipe: str, seeds: int) -> dict[str, Any]:
    """Return MRR by system and direction, and the paired differences of echolens to the others."""
    groups = same_video_groups(corpus)
    figures: dict[str, dict[str, list[np.ndarray]]] = {}
    chosen = []
    for seed in range(seeds):
        for rest, part, relevant in folds(corpus, groups, seed):
            trained = train(rest, recipe_named(recipe), front_end, seed, CPU)
            chosen.append({k: trained.checkpoint.training[k] for k in ("epochs", "generated_share")})
            systems: dict[str, Scorer] = {
                "chance": RandomScorer(seed),
                "random_init": LatentScorer.of_checkpoint(untrained(trained.checkpoint, seed), part, CPU),
                "linear_cca": Correlation.fit(rest)(part),
                "echolens": LatentScorer.of_checkpoint(trained.checkpoint, part, CPU),
            }
            for name, scorer in systems.items():
                for direction, values in _identity(part, relevant, scorer, seed).items():
                    figures.setdefault(name, {}).setdefault(direction, []).append(values)
            print(f"seed {seed}: {len(chosen)} folds done", flush=True)
    by_video = {n: {d: _by_video(v, seeds) for d, v in f.items()} for n, f in figures.items()}
    paired = {
        n: {d: asdict(interval(by_video["echolens"][d] - by_video[n][d])) for d in by_video[n]}
        for n in ("chance", "linear_cca")
    }
    means: dict[str, dict[str, Interval]] = {n: {d: interval(v) for d, v in f.items()} for n, f in by_video.items()}
    return {
        "videos": len(corpus),
        "distinct_videos": int(groups.max()) + 1,
        "seconds": int(corpus.paired.sum()),
        "folds": FOLDS,
        "seeds": seeds,
        "galleries": GALLERIES,
        "mrr": {n: {d: asdict(i) for d, i in f.items()} for n, f in means.items()},
        "echolens_minus": paired,
        "times_chance": {d: means["echolens"][d].mean / means["chance"][d].mean for d in means["chance"]},  # type: ignore[operator]
        "chosen": chosen,
    }


def same_video_groups(corpus: Corpus) -> np.ndarray:
    """Return a group number per video; near-duplicates share one."""
    means = np.stack([corpus.visual[(corpus.video == v) & corpus.seen].mean(0).ravel() for v in range(len(corpus))])
    means = means - means.mean(0)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    _, groups = connected_components(means @ means.T > SAME_VIDEO, directed=False)
    return np.asarray(groups)


def folds(corpus: Corpus, groups: np.ndarray, seed: int) -> Iterator[tuple[Corpus, Corpus, np.ndarray]]:
    """Yield (the rest, the held-out part, which of its videos are the same)."""
    order = np.random.default_rng(seed).permutation(groups.max() + 1)
    for number in range(FOLDS):
        held = np.isin(groups, order[number::FOLDS])
        part = groups[held]
        yield (
            corpus.of_videos(np.flatnonzero(~held)),
            corpus.of_videos(np.flatnonzero(held)),
            part[:, None] == part,
        )


def _identity(part: Corpus, relevant: np.ndarray, scorer: Scorer, seed: int) -> dict[str, np.ndarray]:
    """Return, by direction, (videos, 2): the row of the video's id for pooling, and its mean reciprocal rank."""
    rng = np.random.default_rng(seed)
    seconds = np.flatnonzero(part.paired)
    draws = draw_seconds(part.video[seconds], GALLERIES, rng)
    found = {}
    for name, query, target in DIRECTIONS:
        matrix = scorer.score(query, seconds, target, seconds)  # type: ignore[arg-type]
        ranks = [rank(matrix[np.ix_(rows, rows)], relevant, rng).reciprocal_rank for rows in draws]
        ids = np.array([int(v, 16) % 2**52 for v in part.video_ids], np.float64)
        found[name] = np.stack([ids, np.mean(ranks, axis=0)], axis=1)
    return found


def _by_video(parts: list[np.ndarray], seeds: int) -> np.ndarray:
    """Return the figure of each video, averaged over seeds, in order of id."""
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return np.asarray(rows[:, 1].reshape(-1, seeds).mean(1))


if __name__ == "__main__":
    main()
