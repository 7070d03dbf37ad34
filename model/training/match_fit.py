"""Fit the calibration of matches on held-out videos, without labels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents
from model.modality import MODALITIES, Modality
from model.network.match import Match
from model.training.validation import PairedLatents

RIDGE = 1.0  # of the regression on standardized facts


def fit_match(folds: list[tuple[PairedLatents, ScoreWeights]], width_s: int) -> Match | None:
    """Fit the match of each direction on the pairs and non-pairs of several held-out parts, each with its weights.

    Two seconds belong together if they are of one video; within a modality their contexts of `width_s` do not overlap.
    Pairs and non-pairs count the same in all, so that a match of one half is even odds. None where a direction has no
    pair or no non-pair.
    """
    coefficients = {}
    for query in MODALITIES:
        for target in MODALITIES:
            facts, same = zip(*(_examples(*fold, query, target, width_s) for fold in folds), strict=True)
            together = np.concatenate(same)
            if together.all() or not together.any():
                return None
            coefficients[f"{query}-{target}"] = _logistic(np.concatenate(facts), together)
    return Match(coefficients)


def _examples(
    pairs: PairedLatents, weights: ScoreWeights, query: Modality, target: Modality, width_s: int
) -> tuple[Float64[np.ndarray, "n 3"], Bool[np.ndarray, "n"]]:
    """Return the facts that `Match` weighs of all (query, hit), and which belong together."""
    asked: Latents = getattr(pairs, query)
    found: Latents = getattr(pairs, target)
    total = distances(asked, found, weights).total
    same = pairs.video[:, None] == pairs.video
    usable = np.ones_like(same)
    if query == target:
        usable = ~same | (np.abs(pairs.start_s[:, None] - pairs.start_s) > 2 * width_s)
    uncertain = [np.log(latents.sigma.mean(1, dtype=np.float64)) for latents in (asked, found)]
    facts = [total, *np.broadcast_arrays(uncertain[0][:, None], uncertain[1][None, :])]
    return np.stack([fact[usable] for fact in facts], axis=1), same[usable]


def _logistic(facts: Float64[np.ndarray, "n 3"], together: Bool[np.ndarray, "n"]) -> tuple[float, float, float, float]:
    """Return intercept and weights of a logistic regression that counts both classes the same."""
    from sklearn.linear_model import LogisticRegression  # here: slow to load, and needed for training alone

    mean, scale = facts.mean(0), facts.std(0) + 1e-9
    found = LogisticRegression(C=1 / RIDGE, class_weight="balanced").fit((facts - mean) / scale, together)
    weights = found.coef_[0] / scale
    return float(found.intercept_[0] - weights @ mean), *(float(w) for w in weights)  # type: ignore[return-value]
