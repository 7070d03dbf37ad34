"""Fit the calibration of matches on held-out videos, without labels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents
from model.modality import MODALITIES, Modality
from model.network.match import Match
from model.training.validation import PairedLatents

LEAST_DEVIATION = 0.1  # of logits
RIDGE = 1.0  # of the regression on standardized facts


def fit_match(folds: list[tuple[PairedLatents, ScoreWeights]], width_s: int) -> Match | None:
    """Fit the match of each direction on the pairs and non-pairs of several held-out parts, each with its weights.

    Two seconds belong together if they are of one video; within a modality their contexts of `width_s` do not overlap,
    or hardly where the videos are that short. Pairs and non-pairs count the same in all, so that a match of one half is
    even odds. A direction without a pair or a non-pair is left out; None where all are.
    """
    coefficients, unrelated = {}, {}
    for query in MODALITIES:
        for target in MODALITIES:
            for apart_s in (2 * width_s, width_s, 1, 0) if query == target else (-1,):
                facts, same = zip(*(_examples(*fold, query, target, apart_s) for fold in folds), strict=True)
                together = np.concatenate(same)
                if together.any():
                    break
            if together.all() or not together.any():
                continue
            direction = f"{query}-{target}"
            a, b, c, d = logistic(np.concatenate(facts), together)
            coefficients[direction] = found = (a, b, c, d)
            best = np.concatenate([_best_elsewhere(*fold, query, target, found) for fold in folds])
            unrelated[direction] = float(best.mean()), deviation_of(best)
    return Match(coefficients, unrelated) if coefficients else None


def _examples(
    pairs: PairedLatents, weights: ScoreWeights, query: Modality, target: Modality, apart_s: int
) -> tuple[Float64[np.ndarray, "n 3"], Bool[np.ndarray, "n"]]:
    """Return the facts that `Match` weighs of (query, hit), of one video over `apart_s` apart, and which are of one."""
    facts = _facts(pairs, weights, query, target)
    same = pairs.video[:, None] == pairs.video
    usable = ~same | (np.abs(pairs.start_s[:, None] - pairs.start_s) > apart_s)
    return facts[usable], same[usable]


def _facts(
    pairs: PairedLatents, weights: ScoreWeights, query: Modality, target: Modality
) -> Float64[np.ndarray, "n n 3"]:
    """Return distance and both log uncertainties of every (query, hit)."""
    asked: Latents = getattr(pairs, query)
    found: Latents = getattr(pairs, target)
    return facts_of(asked, found, distances(asked, found, weights).total)


def facts_of(asked: Latents, found: Latents, distance: Float64[np.ndarray, "q d"]) -> Float64[np.ndarray, "q d 3"]:
    """Return what `Match` weighs of each (query, hit): their distance and both log uncertainties."""
    uncertain = [np.log(latents.sigma.mean(1, dtype=np.float64)) for latents in (asked, found)]
    return np.stack([distance, *np.broadcast_arrays(uncertain[0][:, None], uncertain[1][None, :])], axis=2)


def deviation_of(logits: Float64[np.ndarray, "n"]) -> float:
    """Return the standard deviation of logits, at least LEAST_DEVIATION."""
    return max(float(logits.std()), LEAST_DEVIATION)


def _best_elsewhere(
    pairs: PairedLatents,
    weights: ScoreWeights,
    query: Modality,
    target: Modality,
    coefficients: tuple[float, float, float, float],
) -> Float64[np.ndarray, "m"]:
    """Return the logit of each query's best match in each video but its own."""
    intercept, *slopes = coefficients
    logits = intercept + _facts(pairs, weights, query, target) @ np.array(slopes)
    first = np.flatnonzero(np.diff(pairs.video, prepend=-1))  # the seconds of a video are neighbours
    best = np.maximum.reduceat(logits, first, axis=1)
    return np.asarray(best[pairs.video[:, None] != pairs.video[first]])


def logistic(
    facts: Float64[np.ndarray, "n f"], together: Bool[np.ndarray, "n"], balanced: bool = True
) -> tuple[float, ...]:
    """Return intercept and weights of a logistic regression; `balanced`: both classes count the same in all."""
    from sklearn.linear_model import LogisticRegression  # here: slow to load, and needed for training alone

    mean, scale = facts.mean(0), facts.std(0) + 1e-9
    weight = "balanced" if balanced else None
    found = LogisticRegression(C=1 / RIDGE, class_weight=weight).fit((facts - mean) / scale, together)
    weights = found.coef_[0] / scale
    return float(found.intercept_[0] - weights @ mean), *(float(w) for w in weights)
