"""The evaluation of retrieval, latents encoded once, against a loop that runs the network for every pair.

    python -m benchmarks.learning.evaluation [--archive PATH] [--galleries 20] [--json OUT]

Both measure the `test` split of an archive, or random features of the size of AVE's (402 videos of ten seconds, sound
128, picture 512), with an untrained network of the default recipe's shape: weights do not change the time. Times
alone are reported, no figure. The loop is timed on a random sample of its pairs and extrapolated by their number.
The first side is everything from features to figures: encoding, distances, rankings. Localization is left out of both.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.learning.random_features import random_corpus
from benchmarks.report import json_parser, tell
from model.data.archive import load_archive
from model.data.corpus import Corpus
from model.data.draws import draw_seconds
from model.judging.evaluation import DIRECTIONS, eligible_seconds, measure
from model.judging.localizers import Localizer
from model.judging.scorers import LatentScorer
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.network.msvae import MSVAE
from model.network.normalization import Normalization
from model.training.recipe import DEFAULT
from model.training.run import architecture_of

CPU = torch.device("cpu")
AVE_TEST_VIDEOS = 402
WARM_UP = 50


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--galleries", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    corpus = load_archive(arguments.archive).corpus("test") if arguments.archive else random_corpus(AVE_TEST_VIDEOS)
    report = compare(corpus, arguments.galleries, arguments.pairs, arguments.repeats)
    tell(report, arguments.json)


def compare(corpus: Corpus, galleries: int, pairs: int, repeats: int) -> dict[str, Any]:
    """Time both, alternated, on one thread; return medians and their ratio."""
    checkpoint = _checkpoint(corpus)
    rows = draw_seconds(corpus.video[seconds := eligible_seconds(corpus)], galleries, np.random.default_rng(0))
    total = len(DIRECTIONS) * rows.shape[0] * rows.shape[1] ** 2
    once_s, pair_s = [], []
    for repeat in range(repeats):
        started = time.perf_counter()
        measure(corpus, LatentScorer.of_checkpoint(checkpoint, corpus, CPU), _NoWindow(), galleries)
        once_s.append(time.perf_counter() - started)
        pair_s.append(_loop_s(checkpoint, corpus, seconds[rows], pairs, repeat) / pairs)
    loop_s = float(np.median(pair_s)) * total
    return {
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "videos": rows.shape[1],
        "galleries": galleries,
        "directions": list(DIRECTIONS),
        "pairs": total,
        "encoded_once_s": float(np.median(once_s)),
        "per_pair_ms": 1000 * float(np.median(pair_s)),
        "pairs_timed": pairs * repeats,
        "per_pair_loop_s_extrapolated": loop_s,
        "ratio": loop_s / float(np.median(once_s)),
    }


class _NoWindow(Localizer):
    """Leave localization out: answer at no cost."""

    def windows(self, *question: Any, **named: Any) -> np.ndarray:
        """Return no window."""
        return np.empty(0)


def _checkpoint(corpus: Corpus) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(MSVAE(architecture_of(corpus, DEFAULT)).eval(), Normalization.fit(corpus), "archive", "benchmark")


def _loop_s(checkpoint: Checkpoint, corpus: Corpus, draws: np.ndarray, pairs: int, seed: int) -> float:
    """Time D of random pairs, each from the features of its two seconds."""
    random = np.random.default_rng(seed)
    features = {"audio": torch.from_numpy(corpus.audio), "visual": torch.from_numpy(corpus.visual)}
    directions = list(DIRECTIONS.values())
    asked = [
        (*directions[random.integers(4)], *random.choice(draws[random.integers(len(draws))], 2))
        for _ in range(WARM_UP + pairs)
    ]
    with torch.inference_mode():
        for number, (query, target, q, d) in enumerate(asked):
            if number == WARM_UP:
                started = time.perf_counter()
            _distance(checkpoint, query, features[query][q : q + 1], target, features[target][d : d + 1])
    return time.perf_counter() - started


def _distance(
    checkpoint: Checkpoint, query: Modality, one: torch.Tensor, target: Modality, other: torch.Tensor
) -> float:
    """Return D of one pair by running the network on both: what an evaluation without stored latents does."""
    model, normalization = checkpoint.model, checkpoint.normalization
    posteriors = model.encode(query, normalization(query, one)), model.encode(target, normalization(target, other))
    (mu, sigma, pair), (mu_d, sigma_d, pair_d) = ((p.mu, p.sigma, model.decode(p.mu)) for p in posteriors)
    latent = ((mu - mu_d).square().sum() + (sigma - sigma_d).square().sum()).sqrt()
    return float(checkpoint.weights.latent * latent + checkpoint.weights.generated * (pair - pair_d).norm())


if __name__ == "__main__":
    main()
