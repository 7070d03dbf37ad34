"""A linear classifier of single seconds, by ridge regression on the labels: how far a linear map gets with labels.

Source: Hoerl and Kennard, "Ridge regression", Technometrics 1970, on indicators of the classes. Retrieval compares
class scores from either modality alone; localization uses a second classifier that knows background as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy.linalg import solve

from model.baselines.supervision import (
    ClassSpace,
    EventScorer,
    Scores,
    check_labels,
    choose_class_space,
    labelled_seconds,
    localization_figure,
    targets_of,
)
from model.baselines.system import Fitted, System
from model.data.corpus import Corpus
from model.judging.localizers import ScoreLocalizer
from model.modality import MODALITIES, Modality
from model.network.normalization import Normalization

RIDGES = (0.01, 0.03, 0.1, 0.3)  # in units of the features' mean variance
TEMPERATURES = (0.05, 0.1, 0.2)  # of the scores, which are near 0 and 1


Inputs = dict[Modality, Float64[np.ndarray, "_ _"]]  # normalized features and a 1


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """Map a second of either modality to a score per class."""

    weights: dict[Modality, Float64[np.ndarray, "_ c"]]

    @staticmethod
    def fit(
        inputs: Inputs, rows: Int64[np.ndarray, "m"], targets: Float64[np.ndarray, "m c"], ridge: float
    ) -> LinearClassifier:
        """Regress the targets on these rows of the inputs; the offset is not shrunk."""
        weights = {}
        for modality in MODALITIES:
            chosen = inputs[modality][rows]
            shrinkage = np.append(np.full(chosen.shape[1] - 1, ridge), 1e-9) * len(rows)
            weights[modality] = solve(chosen.T @ chosen + np.diag(shrinkage), chosen.T @ targets, assume_a="pos")
        return LinearClassifier(weights)

    def __call__(self, inputs: Inputs) -> Scores:
        """Return the scores of every second."""
        return {m: inputs[m] @ self.weights[m] for m in MODALITIES}

    @property
    def parameters(self) -> int:
        """Return how many numbers were fitted."""
        return sum(w.size for w in self.weights.values())


class SupervisedLinear(System):
    """Compare class scores: the ceiling for what one second of one modality says linearly."""

    name = "supervised_linear"
    label_free = False

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Solve for the classifiers; which seconds, ridge, temperature and metric are chosen on val."""
        check_labels(train, val)
        normalization = Normalization.fit(train)
        of_train, of_val = _inputs(normalization, train), _inputs(normalization, val)
        classifier, space = _retrieving(train, of_train, val, of_val)
        detector, temperature = _localizing(train, of_train, val, of_val)
        return Fitted(
            lambda corpus: space.scorer(classifier(_inputs(normalization, corpus))),
            lambda corpus: _localizer(detector(_inputs(normalization, corpus)), temperature, corpus),
            classifier.parameters + detector.parameters,
        )


def _retrieving(train: Corpus, of_train: Inputs, val: Corpus, of_val: Inputs) -> tuple[LinearClassifier, ClassSpace]:
    """Learn the video's class, from the event's seconds or from all."""
    everything = labelled_seconds(train)
    found = []
    for rows, ridge in product((everything[train.event[everything]], everything), RIDGES):
        indicators = np.eye(len(train.classes))[train.label[train.video[rows]]]
        classifier = LinearClassifier.fit(of_train, rows, indicators, ridge)
        learnt = {m: scores[rows] for m, scores in classifier(of_train).items()}
        space, figure = choose_class_space(learnt, classifier(of_val), val)
        found.append((figure, classifier, space))
    _, classifier, space = max(found, key=lambda candidate: candidate[0])
    return classifier, space


def _localizing(train: Corpus, of_train: Inputs, val: Corpus, of_val: Inputs) -> tuple[LinearClassifier, float]:
    """Learn the second's class or background."""
    rows = labelled_seconds(train)
    indicators = np.eye(len(train.classes) + 1)[targets_of(train)[rows]]
    found = []
    for ridge, temperature in product(RIDGES, TEMPERATURES):
        detector = LinearClassifier.fit(of_train, rows, indicators, ridge)
        figure = localization_figure(val, _localizer(detector(of_val), temperature, val))
        found.append((figure, detector, temperature))
    _, detector, temperature = max(found, key=lambda candidate: candidate[0])
    return detector, temperature


def _localizer(scores: Scores, temperature: float, corpus: Corpus) -> ScoreLocalizer:
    return ScoreLocalizer(EventScorer({m: scores[m] / temperature for m in MODALITIES}), corpus)


def _inputs(normalization: Normalization, corpus: Corpus) -> Inputs:
    features: dict[Modality, Float32[np.ndarray, "n *_"]] = {"audio": corpus.audio, "visual": corpus.visual}
    flat = {m: normalization(m, torch.from_numpy(x)).flatten(1).double().numpy() for m, x in features.items()}
    return {m: np.column_stack([x, np.ones(len(x))]) for m, x in flat.items()}
