"""Measure as the released evaluation does (Zhu et al., ICASSP 2021), for comparison with its tables alone.

Features are divided by their row's maximum, whatever training did; a retrieval score adds the mean squared difference
of the generated pairs, a localization score its norm, both with the scorer's own weights; localization has the plain
windows alone. Two errors of the released ranking can be asked for by name:

- `undeleted_label`: in A-A and V-V the query is deleted from the scores but not from the labels, so that every item
  behind it is read by the label of the one before, and the first of them by the query's own.
- `reused_ranking`: every A-V query gets the ranking of the last V-V query.

Both depend on the order of the videos. In an archive sorted by class a neighbour's label is mostly one's own, and the
first error would hardly show; so each gallery is shuffled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped

from model.baselines.system import Fitted
from model.data.corpus import Corpus
from model.data.draws import draw_seconds
from model.judging.evaluation import DIRECTIONS, Figures, eligible_seconds, measure
from model.judging.localizers import ClipRows, Event, Localizer, Windows
from model.judging.ranking import Ranking, rank
from model.judging.scorers import LatentScorer, Scorer
from model.modality import Modality

Bug = Literal["reused_ranking", "undeleted_label"]
SMALLEST_MAXIMUM = 1e-6  # what is divided by less could become infinite
BUGS: frozenset[Bug] = frozenset({"reused_ranking", "undeleted_label"})


def measure_published(
    test: Corpus,
    fitted: Fitted,
    bugs: frozenset[Bug] = BUGS,
    galleries: int = 20,
    seed: int = 0,
    shuffled: bool = True,
) -> Figures:
    """Measure per video, on the features divided by their row's maximum; `rolled` is NaN.

    Seconds are drawn as in `measure`; figures keep the order of the videos, `shuffled` or not. A system without a
    generated part has its own score in both tasks. Ties are broken at random in a ranking and shared among windows,
    where the released code takes what comes first.

    Raises:
        NothingLabelled: fewer than two labelled videos have a second with both modalities in their event.
    """
    divided, _ = divided_by_row_maximum(test)
    scorer, localizer = fitted.judges(divided)
    figures = measure(divided, None, PlainWindows(localizer), galleries=1)
    nothing = {
        crossing: {metric: np.full(len(values), np.nan) for metric, values in metrics.items()}
        for crossing, metrics in figures.localization["rolled"].items()
    }
    retrieval = figures.retrieval if scorer is None else _retrieval(divided, scorer, bugs, galleries, seed, shuffled)
    return Figures(retrieval, figures.localization | {"rolled": nothing})


def divided_by_row_maximum(corpus: Corpus) -> tuple[Corpus, int]:
    """Return the features of each second divided by their greatest element, and how many rows could not be.

    A row without an element above 1e-6 (silence, for one: the released code gets NaN there) becomes zeros; it is
    counted if its second has that modality.
    """
    audio, empty_audio = _divide(corpus.audio)
    visual, empty_visual = _divide(corpus.visual)
    count = int((empty_audio & corpus.heard).sum() + (empty_visual & corpus.seen).sum())
    return replace(corpus, audio=audio, visual=visual), count


def rank_within(
    distances: Float64[np.ndarray, "n n"],
    label: Int64[np.ndarray, "n"],
    rng: np.random.Generator,
    undeleted_label: bool,
) -> Ranking:
    """Rank, for each of n items, the n - 1 others by whether they have its class; row is the query."""
    others = without_own(distances)
    same = label[:, None] == label
    return rank(others, same[:, :-1] if undeleted_label else without_own(same), rng)


def rank_all_as_last(
    distances: Float64[np.ndarray, "n n"], label: Int64[np.ndarray, "n"], rng: np.random.Generator
) -> Ranking:
    """Rank for all n queries as the last one ranks the n - 1 items before it: `distances` are those of V-V."""
    last = distances[-1, :-1]
    positions = np.empty(len(last))
    positions[np.lexsort((rng.random(len(last)), last))] = np.arange(len(last))
    return rank(np.tile(positions, (len(label), 1)), label[:, None] == label[:-1], rng)


def without_own(table: Shaped[np.ndarray, "n n"]) -> Shaped[np.ndarray, "n others"]:
    """Return (n, n - 1): a square table without its diagonal, in order."""
    n = len(table)
    return table[~np.eye(n, dtype=bool)].reshape(n, n - 1)


class PlainWindows(Localizer):
    """Judge plain windows by another localizer, and no rolled ones: there is no such view in this protocol."""

    def __init__(self, localizer: Localizer) -> None:
        self._localizer = localizer

    def windows(self, query: Modality, event: Event, target: Modality, clip: ClipRows, rolled: bool) -> Windows:
        """Return the localizer's distances, NaN for rolled windows."""
        if rolled:
            return np.full(len(clip), np.nan)
        return self._localizer.windows(query, event, target, clip, rolled)


def _retrieval(
    corpus: Corpus, scorer: Scorer, bugs: frozenset[Bug], galleries: int, seed: int, shuffled: bool
) -> dict[str, dict[str, Float64[np.ndarray, "_"]]]:
    if isinstance(scorer, LatentScorer):
        scorer = scorer.by_mean_square()
    rng = np.random.default_rng(seed)
    seconds = eligible_seconds(corpus)
    draws = draw_seconds(corpus.video[seconds], galleries, rng)
    label = corpus.label[np.unique(corpus.video[seconds])]
    orders = [rng.permutation(len(label)) if shuffled else np.arange(len(label)) for _ in draws]
    rankings = [
        _rankings(scorer, seconds[rows[order]], label[order], bugs, rng)
        for rows, order in zip(draws, orders, strict=True)
    ]
    position = [np.argsort(order) for order in orders]  # of each video in the gallery
    return {
        name: {
            metric: np.asarray(
                np.mean([getattr(r[name], of)[p] for r, p in zip(rankings, position, strict=True)], axis=0)
            )
            for metric, of in (("mrr", "reciprocal_rank"), ("map", "average_precision"))
        }
        for name in DIRECTIONS
    }


def _rankings(
    scorer: Scorer,
    rows: Int64[np.ndarray, "n"],
    label: Int64[np.ndarray, "n"],
    bugs: frozenset[Bug],
    rng: np.random.Generator,
) -> dict[str, Ranking]:
    """Return the ranking of one gallery by direction."""
    found = {name: scorer.score(query, rows, target, rows) for name, (query, target) in DIRECTIONS.items()}
    same = label[:, None] == label
    reused = "reused_ranking" in bugs
    return {
        "AA": rank_within(found["AA"], label, rng, "undeleted_label" in bugs),
        "AV": rank_all_as_last(found["VV"], label, rng) if reused else rank(found["AV"], same, rng),
        "VA": rank(found["VA"], same, rng),
        "VV": rank_within(found["VV"], label, rng, "undeleted_label" in bugs),
    }


def _divide(
    features: Float32[np.ndarray, "n *shape"],
) -> tuple[Float32[np.ndarray, "n *shape"], Bool[np.ndarray, "n"]]:
    flat = features.reshape(len(features), -1)
    maximum = flat.max(axis=1, keepdims=True)
    empty = maximum <= SMALLEST_MAXIMUM
    divided = np.where(empty, np.float32(0), flat / np.where(empty, np.float32(1), maximum))
    return divided.reshape(features.shape), empty[:, 0]
