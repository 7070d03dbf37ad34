"""Own-video retrieval by five folds of whole videos: of a held-out part, nothing was used to make what judges it.

Files that show the same video (mean visual features with a centred cosine above 0.8) stay in one fold, and finding
either of them counts. A second is drawn from every video, the same for both modalities, 20 times. `nine`: the held-out
videos among themselves, about nine of 44. `all`: the held-out videos among all, of which the rest was trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy.sparse.csgraph import connected_components

from benchmarks.learning.generic_footage import measure_match, measure_prior
from benchmarks.quality.reliability import Reliability
from benchmarks.quality.uncertainty import correlation
from model.concepts.concepts import Concepts
from model.data.corpus import Corpus
from model.data.distance import distances
from model.data.draws import draw_seconds
from model.data.latents import Latents
from model.data.temporal_context import SHARP
from model.frontends.prior import Prior
from model.judging.evaluation import Figures, figures_of
from model.judging.own_video import DIRECTIONS
from model.judging.ranking import rank
from model.judging.scorers import Correlation, EmbeddingScorer, LatentScorer, RandomScorer, Scorer
from model.modality import MODALITIES, Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import VIDEO_APART_S, Encoder
from model.training.plan import train
from model.training.recipe import DEFAULT
from model.training.starting_model import starting_model

FOLDS = 5
GALLERIES = 20
SAME_VIDEO = 0.8
CPU = torch.device("cpu")
SIZES = ("nine", "all")
MODELS = ("start", "trained")

Same = Bool[np.ndarray, "n n"]


@dataclass(frozen=True, eq=False)
class Table:
    """Hold sums over seeds for n videos: reciprocal ranks (n,), and those without item i (n, n)."""

    values: dict[tuple[str, str], np.ndarray]
    without: dict[tuple[str, str], np.ndarray]

    @staticmethod
    def empty(videos: int) -> Table:
        """Return a table of zeros."""
        keys = [(direction, size) for direction in DIRECTIONS for size in SIZES]
        return Table({k: np.zeros(videos) for k in keys}, {k: np.zeros((videos, videos)) for k in keys})

    def figures(self, seeds: int) -> Figures:
        """Return the mean over seeds, which draws videos as queries and as items (decision 0018)."""
        return figures_of(
            {d: {s: (self.values[d, s] / seeds, self.without[d, s] / seeds) for s in SIZES} for d in DIRECTIONS}
        )


@dataclass(eq=False)
class HeldOut:
    """Hold what was measured over all folds of all seeds, by system or model.

    `sigma`: by model and direction, the mean sigma of each video's queries. `sizes`: videos of each held-out part.
    """

    seeds: int
    tables: dict[str, Table] = field(default_factory=dict)
    reliability: dict[str, Reliability] = field(default_factory=dict)
    sigma: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    chosen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, Figures]:
        """Return the own-video figures of each system."""
        return {name: table.figures(self.seeds) for name, table in self.tables.items()}

    def sigma_against_rank(self) -> dict[str, dict[str, Any]]:
        """Return Spearman's correlation of a video's mean sigma with its reciprocal rank among nine."""
        return {
            name: {d: correlation(self.sigma[name][d], self.tables[name].values[d, "nine"], 0) for d in DIRECTIONS}
            for name in self.sigma
        }


def measure_held_out(corpus: Corpus, concepts: Concepts, front_end: tuple[str, str], seeds: int) -> HeldOut:
    """Measure on a corpus whose videos all have a second with both sound and picture."""
    groups = same_video_groups(corpus)
    same = groups[:, None] == groups
    found = HeldOut(seeds)
    for seed in range(seeds):
        seconds = np.flatnonzero(corpus.paired)
        draws = seconds[draw_seconds(corpus.video[seconds], GALLERIES, np.random.default_rng(seed))]
        for number, held in enumerate(folds(groups, seed)):
            models = models_of(corpus.of_videos(np.flatnonzero(~held)), concepts, front_end, seed)
            _measure_fold(found, corpus, held, same, models, draws, seed)
            print(f"seed {seed}, fold {number}: measured", file=sys.stderr, flush=True)
    return found


def models_of(rest: Corpus, concepts: Concepts, front_end: tuple[str, str], seed: int) -> dict[str, Checkpoint]:
    """Return the starting model of this footage, and one trained on it from there."""
    prior = measure_prior(rest, concepts)
    return {
        "start": start_of(rest, prior, front_end),
        "trained": train(rest, DEFAULT, front_end, seed, CPU, prior=prior).checkpoint,
    }


def start_of(footage: Corpus, prior: Prior, front_end: tuple[str, str]) -> Checkpoint:
    """Return the starting model with a prior, its match measured on footage."""
    shapes: dict[Modality, int] = {"audio": footage.audio.shape[1], "visual": footage.visual.shape[1]}
    return replace(starting_model(front_end, prior, shapes), match=measure_match(footage, prior))


def same_video_groups(corpus: Corpus) -> Int64[np.ndarray, "n"]:
    """Return a group number per video; near-duplicates share one."""
    means = np.stack([corpus.visual[(corpus.video == v) & corpus.seen].mean(0).ravel() for v in range(len(corpus))])
    means = means - means.mean(0)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    _, groups = connected_components(means @ means.T > SAME_VIDEO, directed=False)
    return np.asarray(groups, np.int64)


def folds(groups: Int64[np.ndarray, "n"], seed: int) -> Iterator[Bool[np.ndarray, "n"]]:
    """Yield which videos are held out, five times; each is once, together with its near-duplicates."""
    order = np.random.default_rng(seed).permutation(groups.max() + 1)
    for number in range(FOLDS):
        yield np.isin(groups, order[number::FOLDS])


def _measure_fold(
    found: HeldOut,
    corpus: Corpus,
    held: Bool[np.ndarray, "n"],
    same: Same,
    models: dict[str, Checkpoint],
    draws: Int64[np.ndarray, "galleries n"],
    seed: int,
) -> None:
    rest = corpus.of_videos(np.flatnonzero(~held))
    latents = {name: _latents(model, corpus) for name, model in models.items()}
    sharp = {f"{name}_sharp": replace(model, context=SHARP) for name, model in models.items()}
    systems: dict[str, Scorer] = {
        "chance": RandomScorer(seed),
        "linear_cca": Correlation.fit(rest)(corpus),
        "linear_cca_in_context": in_context(Correlation.fit(rest), Encoder(models["trained"], CPU), corpus),
        **{name: LatentScorer(latents[name], model.weights) for name, model in models.items()},
        **{name: LatentScorer(_latents(model, corpus), model.weights) for name, model in sharp.items()},
    }
    for name, scorer in systems.items():
        table = found.tables.setdefault(name, Table.empty(len(corpus)))
        for direction in DIRECTIONS:
            add_ranks(table, direction, scorer, held, same, draws, np.random.default_rng(seed))
    for name, model in models.items():
        reliability = found.reliability.setdefault(name, Reliability(len(corpus)))
        _add_matches(reliability, model, latents[name], corpus, held, same)
        sigma = found.sigma.setdefault(name, {d: np.zeros(len(corpus)) for d in DIRECTIONS})
        for direction, (query, _) in DIRECTIONS.items():
            sigma[direction][held] += latents[name][query].sigma.mean(1)[draws[:, held]].mean(0)
    report = models["trained"].training
    found.sizes.append(int(held.sum()))
    found.chosen.append(
        {k: report[k] for k in ("kept_epoch", "footage_share", "generated_share")}
        | {"context_s": models["trained"].context.width_s}
    )


def add_ranks(
    table: Table,
    direction: str,
    scorer: Scorer,
    held: Bool[np.ndarray, "n"],
    same: Same,
    draws: Int64[np.ndarray, "galleries n"],
    rng: np.random.Generator,
) -> None:
    """Add the mean reciprocal rank over galleries of each held-out video, among the held-out ones and among all."""
    query, target = DIRECTIONS[direction]
    among = {"nine": np.flatnonzero(held), "all": np.arange(len(held))}
    asked = among["nine"]
    for rows in draws:
        matrix = scorer.score(query, rows[asked], target, rows)
        for size, items in among.items():
            ranking = rank(matrix[:, items], same[np.ix_(asked, items)], rng)
            fewer, _ = ranking.without_each()
            table.values[direction, size][asked] += ranking.reciprocal_rank / len(draws)
            without = np.tile(ranking.reciprocal_rank[:, None], len(held))  # the same without what is no item
            without[:, items] = fewer
            table.without[direction, size][asked] += without / len(draws)


def _latents(model: Checkpoint, corpus: Corpus) -> dict[Modality, Latents]:
    encoder = Encoder(model, CPU)
    return {m: encoder.of_corpus(m, corpus) for m in MODALITIES}


def in_context(cca: Correlation, encoder: Encoder, corpus: Corpus) -> EmbeddingScorer:
    """Return the scorer of projections averaged in a model's context, as that model averages its own."""
    at_s = corpus.video * VIDEO_APART_S + corpus.start_s
    scene = encoder.scenes(at_s, corpus.visual, corpus.seen)
    context = encoder.checkpoint.context

    def averaged(projected: Float[np.ndarray, "n c"], has: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "n c"]:
        found = np.zeros(projected.shape, np.float32)
        found[has] = context.average(at_s[has], scene[has], projected[has].astype(np.float32))
        return found

    return EmbeddingScorer(
        averaged(cca.audio(corpus.audio), corpus.heard), averaged(cca.visual(corpus.visual), corpus.seen)
    )


def _add_matches(
    reliability: Reliability,
    model: Checkpoint,
    latents: dict[Modality, Latents],
    corpus: Corpus,
    held: Bool[np.ndarray, "n"],
    same: Same,
) -> None:
    """Add the match of every two held-out seconds with both modalities, in all four directions.

    Within a modality, two of one video take part if their contexts do not overlap.
    """
    assert model.match is not None, "it was fitted"
    seconds = np.flatnonzero(corpus.paired & held[corpus.video])
    video, start_s = corpus.video[seconds], corpus.start_s[seconds]
    far = (video[:, None] != video) | (np.abs(start_s[:, None] - start_s) > 2 * model.context.width_s)
    for query in MODALITIES:
        for target in MODALITIES:
            asked, hits = latents[query][seconds], latents[target][seconds]
            total = distances(asked, hits, model.weights).total
            for i in range(len(seconds)):
                usable = far[i] if query == target else np.ones(len(seconds), bool)
                match = model.match.probability(query, target, asked[[i]], hits, total[i])
                reliability.add(f"{query}-{target}", video[i], match[usable], same[video[i], video][usable])
