"""Localization in context: judge a window by how it fits the query and by how it stands out from its clip.

The sum of distances (Zhu et al., ICASSP 2021) only asks whether a window's seconds resemble the query's. Here each
circular window of l of the target's t seconds gets a weighted sum of five terms:

- split: Ward's between-group variance of window and rest (Ward, 1963), in the target's own features;
- edge: the larger of the jumps at the window's two ends, the clip's last second leading to its first (where those two
  differ, one of them lies outside the event); cut: the largest jump inside it;
- match: how much nearer the query is to the window than to the rest;
- order: how well each second fits the query's second of the same position, beyond the means of row and column.

The weights are those of a conditional logit over the windows (McFadden, 1974). They are fitted without labels or event
marks: the pseudo-event of a training video is the window in which both modalities change and agree most, and the terms
must find it in one modality by the other. Turning a target turns its distances alike: absolute time is not used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.localizers import ClipRows, Event, Localizer, Windows
from model.judging.scorers import Scorer
from model.judging.windows import window_distances
from model.modality import MODALITIES, Modality

TERMS = ("split", "edge", "cut", "match", "order")
AGREEMENT = 2.0  # of a pair's own cosine beside both splits, where pseudo-events are chosen; chosen on AVE's val
RIDGE = 1e-3
SHORTEST_S = 2
SMALLEST = 1e-9

Weights = dict[Modality, Float64[np.ndarray, "5"]]  # by the target's modality


@dataclass(frozen=True, eq=False)
class ContextLocalizer(Localizer):
    """Judge windows of a corpus by the five terms.

    The distance alone is used where the query is as long as the clip, or the clip lacks the target modality somewhere.
    """

    corpus: Corpus
    scorer: Scorer
    weights: Weights

    def windows(self, query: Modality, event: Event, target: Modality, clip: ClipRows, rolled: bool) -> Windows:
        """Return minus the weighted sum of the terms."""
        cross = self.scorer.score(query, event, target, clip)
        present = (self.corpus.heard if target == "audio" else self.corpus.seen)[clip]
        if len(event) >= len(clip) or not present.all():
            cross[:, ~present] = np.nan
            return window_distances(cross, rolled)
        own = own_distances(getattr(self.corpus, target)[clip][None])
        found = -(terms(cross[None], own)[0] @ self.weights[target])
        return np.asarray(found if rolled else found[: len(clip) - len(event) + 1])


def fit_weights(train: Corpus, scorer: Scorer) -> Weights:
    """Fit the weights on the training videos that have both modalities in all of their seconds.

    Only videos of the most frequent duration are used. Labels and event marks are not.

    Raises:
        TrainingError: no such video of at least four seconds.
    """
    clips = _whole_clips(train)
    features = {m: own_distances(getattr(train, m)[clips]) for m in MODALITIES}
    cross = np.stack([scorer.score("audio", clip, "visual", clip) for clip in clips])
    seconds = clips.shape[1]
    found: dict[Modality, list[Float64[np.ndarray, "n t 5"]]] = {m: [] for m in MODALITIES}
    truth = []
    for length in range(SHORTEST_S, seconds):
        start = _pseudo_events(cross, features["audio"], features["visual"], length)
        query = np.arange(len(clips))[:, None], start[:, None] + np.arange(length)
        truth.append(start)
        found["visual"].append(terms(cross[query], features["visual"]))
        found["audio"].append(terms(cross.transpose(0, 2, 1)[query], features["audio"]))
    return {m: _logit(np.concatenate(found[m]), np.concatenate(truth)) for m in MODALITIES}


def terms(cross: Float64[np.ndarray, "n l t"], own: Float64[np.ndarray, "n t t"]) -> Float64[np.ndarray, "n t 5"]:
    """Return the terms of all circular windows of n clips; large values speak for the window.

    `cross`: distances of the query's seconds to the target's; `own`: of the target's seconds to each other.
    """
    length, seconds = cross.shape[1:]
    at = np.arange(seconds)
    within = (at[:, None] + np.arange(length)) % seconds
    relative = own / np.maximum(own.mean((1, 2), keepdims=True), SMALLEST)
    jump = relative[:, at, at - 1]
    edge = np.maximum(jump, jump[:, (at + length) % seconds])
    cut = jump[:, within[:, 1:]].max(2) if length > 1 else np.zeros_like(jump)
    match = -cross.mean(1) @ _contrast(length, seconds).T
    rest = cross - cross.mean(1, keepdims=True) - cross.mean(2, keepdims=True)
    order = -rest[:, np.arange(length), within].mean(2)
    return np.stack([_split(own, length), edge, cut, match, order], axis=2)


def own_distances(features: Float[np.ndarray, "n t *shape"]) -> Float64[np.ndarray, "n t t"]:
    """Return the Euclidean distances between the seconds of each of n clips."""
    flat = features.reshape(*features.shape[:2], -1).astype(np.float64)
    return np.stack([cdist(clip, clip) for clip in flat])


def _whole_clips(train: Corpus) -> Int64[np.ndarray, "n t"]:
    rows = [np.flatnonzero(train.video == video) for video in range(len(train))]
    whole = [r for r in rows if len(r) > SHORTEST_S + 1 and train.paired[r].all()]
    if not whole:
        raise TrainingError("no video of at least four seconds with sound and picture throughout given")
    durations, counts = np.unique([len(r) for r in whole], return_counts=True)
    return np.stack([r for r in whole if len(r) == durations[counts.argmax()]])


def _pseudo_events(
    cross: Float64[np.ndarray, "n t t"],
    audio: Float64[np.ndarray, "n t t"],
    visual: Float64[np.ndarray, "n t t"],
    length: int,
) -> Int64[np.ndarray, "n"]:
    seconds = cross.shape[1]
    agreement = -np.diagonal(cross, axis1=1, axis2=2) @ _contrast(length, seconds).T
    evidence = _split(audio, length) + _split(visual, length) + AGREEMENT * agreement
    return np.asarray(evidence[:, : seconds - length + 1].argmax(1), np.int64)


def _contrast(length: int, seconds: int) -> Float64[np.ndarray, "t t"]:
    """Return, for each circular window, the weights of the seconds whose sum is inside mean less outside mean."""
    inside = np.zeros((seconds, seconds))
    inside[np.arange(seconds)[:, None], (np.arange(seconds)[:, None] + np.arange(length)) % seconds] = 1
    return np.asarray(inside / length - (1 - inside) / (seconds - length))


def _split(own: Float64[np.ndarray, "n t t"], length: int) -> Float64[np.ndarray, "n t"]:
    """Return Ward's statistic from squared distances, in units of the clip's mean squared distance."""
    seconds = own.shape[-1]
    squared, contrast = own**2, _contrast(length, seconds)
    squared = squared / np.maximum(squared.mean((1, 2), keepdims=True), SMALLEST)
    between = np.einsum("wi,nij,wj->nw", contrast, squared, contrast)
    return np.asarray(-0.5 * length * (seconds - length) / seconds * between)


def _logit(values: Float64[np.ndarray, "n t 5"], truth: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "5"]:
    """Return the weights that make the true windows most likely, with a ridge on standardized terms."""
    values = values - values.mean(1, keepdims=True)
    scale = values.std((0, 1)) + SMALLEST
    standard, rows = values / scale, np.arange(len(truth))

    def loss(weights: Float64[np.ndarray, "5"]) -> tuple[float, Float64[np.ndarray, "5"]]:
        scores = standard @ weights
        shares = np.exp(scores - scores.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        value = float(-np.log(shares[rows, truth] + 1e-12).mean() + RIDGE * weights @ weights)
        shares[rows, truth] -= 1
        return value, np.einsum("nt,ntf->f", shares, standard) / len(truth) + 2 * RIDGE * weights

    return np.asarray(minimize(loss, np.zeros(len(TERMS)), jac=True, method="L-BFGS-B").x / scale)
