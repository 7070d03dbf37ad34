"""Whether sigma means anything: does a query's posterior spread tell how well its search will go?

    python -m benchmarks.quality.uncertainty --archive PATH [--split val] [--seed 0] [--galleries 20] [--json OUT]

The default recipe is trained on the `train` split; `val` chooses epoch and score weights, without labels, as ever.
Galleries are those of the evaluation: one second per labelled video, drawn anew for each. Three things are known of a
query without a label: `spread`, the mean log sigma of its posterior; `nearest`, the distance to its best answer; and
`margin`, by how much the best answer is closer than the gallery's median.

`correlation`: Spearman's, over videos, of each with the reciprocal rank of the first item of the query's class, both
averaged over the galleries. `nothing_matches`: the AUC of telling galleries without the query's class from whole ones,
by a large spread, a large nearest distance, a small margin, compared within a gallery; queries whose class has no item
are left out. The spread knows nothing of the gallery, so its AUC is 0.5 however good it is: it stands there to say so.
`smaller_gallery` is the control: as many items of other classes removed instead, drawn at random.
Intervals are 95 % bootstraps over videos.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from scipy.stats import rankdata, spearmanr

from benchmarks.report import json_parser, tell
from model.data.archive import SPLITS, load_archive
from model.data.corpus import Corpus, Timeline
from model.data.draws import draw_seconds
from model.data.latents import Latents
from model.judging.evaluation import DIRECTIONS, bootstrap, eligible_seconds
from model.judging.ranking import rank
from model.judging.scorers import LatentScorer
from model.modality import MODALITIES, Modality
from model.network.encoder import Encoder
from model.training.plan import posterior_facts, train
from model.training.recipe import DEFAULT

CPU = torch.device("cpu")
FRONT_END = ("archive", "benchmark")
CONDITIONS = ("whole", "nothing_matches", "smaller_gallery")
SIGNS = {"spread": 1, "nearest": 1, "margin": -1}  # of what should be large where nothing matches

PerVideo = Float64[np.ndarray, "videos"]
PerQuery = Float64[np.ndarray, "galleries videos"]


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="val")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--galleries", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    archive = load_archive(arguments.archive)
    seed = arguments.seed
    checkpoint = train(archive.corpus("train"), DEFAULT, FRONT_END, seed, CPU, archive.corpus("val")).checkpoint
    report = {"split": arguments.split, "seed": seed, "galleries": arguments.galleries}
    report |= describe(Encoder(checkpoint, CPU), archive.corpus(arguments.split), arguments.galleries, seed)
    tell(report, arguments.json)


def describe(encoder: Encoder, corpus: Corpus, galleries: int, seed: int) -> dict[str, Any]:
    """Return the posterior's facts, and what spread and distances tell, by direction.

    Raises:
        NothingLabelled: fewer than two labelled videos have a second with both modalities in their event.
    """
    latents = {modality: encoder.latents(modality, getattr(corpus, modality)) for modality in MODALITIES}
    scorer = LatentScorer(latents, encoder.checkpoint.weights)
    report: dict[str, Any] = {
        "posterior": {m: posterior(latents[m][np.flatnonzero(corpus.paired)]) for m in MODALITIES},
        "mrr": {},
        "correlation": {},
        **{condition: {} for condition in CONDITIONS[1:]},
    }
    rng, seconds = np.random.default_rng(seed), eligible_seconds(corpus)  # drawn from in the evaluation's order
    draws = seconds[draw_seconds(corpus.video[seconds], galleries, rng)]
    for name, (query, target) in DIRECTIONS.items():
        reciprocal_rank, signals = ask(corpus, scorer, latents[query], query, target, draws, rng)
        known = ~np.isnan(reciprocal_rank)
        report["mrr"][name] = float(reciprocal_rank[known].mean()) if known.any() else None
        report["correlation"][name] = {
            signal: correlation(values.mean(0)[known], reciprocal_rank[known], seed)
            for signal, values in signals["whole"].items()
        }
        for condition in CONDITIONS[1:]:
            report[condition][name] = {
                signal: auc(sign * signals[condition][signal], sign * signals["whole"][signal], seed)
                for signal, sign in SIGNS.items()
            }
    return report


def posterior(latents: Latents) -> dict[str, Any]:
    """Return active units, the KL to the prior in nats, the part of it that sigma causes, and how spreads vary."""
    variance = latents.sigma.astype(np.float64) ** 2
    of_sigma = 0.5 * (variance - 1 - np.log(variance)).sum(1).mean()
    spread = spread_of(latents)
    return posterior_facts(latents) | {
        "seconds": len(latents),
        "kl_of_sigma_nats": float(of_sigma),
        "spread_mean": float(spread.mean()),
        "spread_sd": float(spread.std()),
    }


def spread_of(latents: Latents) -> Float64[np.ndarray, "n"]:
    """Return the mean over units of log sigma."""
    return np.asarray(np.log(latents.sigma.astype(np.float64)).mean(1))


def ask(
    timeline: Timeline,
    scorer: LatentScorer,
    latents: Latents,
    query: Modality,
    target: Modality,
    draws: Int64[np.ndarray, "galleries videos"],
    rng: np.random.Generator,
) -> tuple[PerVideo, dict[str, dict[str, PerQuery]]]:
    """Return the mean reciprocal rank per video, NaN without a relevant item, and by condition each signal.

    Signals are NaN where removing would change nothing, or leave nothing.
    """
    removal = np.random.default_rng(0)
    label = timeline.label[timeline.video[draws[0]]]
    relevant = label[:, None] == label
    own = np.eye(len(label), dtype=bool) if query == target else np.zeros_like(relevant)
    askable = (relevant & ~own).any(1) & ~relevant.all(1)
    ranks, signals = [], []
    for rows in draws:
        found = scorer.score(query, rows, target, rows)
        ranks.append(rank(found, relevant, rng, own).reciprocal_rank)
        spread = spread_of(latents[rows])
        removed = (own, own | relevant, own | as_many_others(relevant & ~own, relevant, removal))
        signals.append([(spread, *nearest_and_margin(found, gone, askable)) for gone in removed])
    stacked = np.array(signals)  # galleries, conditions, signals, videos
    by_condition = {c: dict(zip(SIGNS, stacked[:, i].swapaxes(0, 1), strict=True)) for i, c in enumerate(CONDITIONS)}
    return np.asarray(np.mean(ranks, axis=0)), by_condition


def as_many_others(
    hits: Bool[np.ndarray, "q d"], relevant: Bool[np.ndarray, "q d"], rng: np.random.Generator
) -> Bool[np.ndarray, "q d"]:
    """Choose at random, for each query, as many items of other classes as it has hits."""
    order = np.argsort(np.where(relevant, np.inf, rng.random(hits.shape)), axis=1)
    position = np.argsort(order, axis=1)
    return np.asarray((position < hits.sum(1, keepdims=True)) & ~relevant)


def nearest_and_margin(
    distances: Float64[np.ndarray, "q d"], removed: Bool[np.ndarray, "q d"], askable: Bool[np.ndarray, "q"]
) -> tuple[PerVideo, PerVideo]:
    """Return the smallest distance that is left, and the median's lead over it; NaN where not askable."""
    ordered = np.sort(np.where(removed, np.inf, distances)[askable], axis=1)
    left = (~removed[askable]).sum(1)
    rows = np.arange(len(ordered))
    median = (ordered[rows, (left - 1) // 2] + ordered[rows, left // 2]) / 2
    nearest, margin = np.full(len(distances), np.nan), np.full(len(distances), np.nan)
    nearest[askable], margin[askable] = ordered[:, 0], median - ordered[:, 0]
    return nearest, margin


def correlation(one: PerVideo, other: PerVideo, seed: int) -> dict[str, float | int | None]:
    """Return Spearman's rank correlation and its interval; NaN values are left out."""
    known = ~(np.isnan(one) | np.isnan(other))
    one, other = one[known], other[known]
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return estimate(None, np.empty(0), len(one))

    def resampled(rows: Int64[np.ndarray, "b n"]) -> Float64[np.ndarray, "b"]:
        ranks, others = (rankdata(values[rows], axis=1) - (len(values) + 1) / 2 for values in (one, other))
        with np.errstate(invalid="ignore"):  # a resampling of one value alone has no correlation
            return np.asarray((ranks * others).sum(1) / np.sqrt((ranks**2).sum(1) * (others**2).sum(1)))

    return estimate(float(spearmanr(one, other).statistic), bootstrap(resampled, len(one), seed), len(one))


def auc(positive: PerQuery, negative: PerQuery, seed: int) -> dict[str, float | int | None]:
    """Return Mann-Whitney's AUC, the mean over galleries, ties half, and its interval; NaN videos are left out."""
    known = ~(np.isnan(positive) | np.isnan(negative)).any(0)
    positive, negative = positive[:, known], negative[:, known]
    count = int(known.sum())
    if not count:
        return estimate(None, np.empty(0), 0)
    pairs = [(p[:, None] > n) + 0.5 * (p[:, None] == n) for p, n in zip(positive, negative, strict=True)]
    wins = np.mean(pairs, axis=0)

    def resampled(rows: Int64[np.ndarray, "b n"]) -> Float64[np.ndarray, "b"]:
        drawn = np.stack([np.bincount(row, minlength=count) for row in rows]) / count
        return np.asarray(((drawn @ wins) * drawn).sum(1))

    return estimate(float(wins.mean()), bootstrap(resampled, count, seed), count)


def estimate(value: float | None, samples: Float64[np.ndarray, "_"], n: int) -> dict[str, float | int | None]:
    """Return a figure and the 95 % interval of its resamplings; None where there is none."""
    known = samples[~np.isnan(samples)]
    low, high = (float(v) for v in np.percentile(known, (2.5, 97.5))) if len(known) else (None, None)
    return {"value": value, "low": low, "high": high, "n": n}


if __name__ == "__main__":
    main()
