"""What the systems that learn from labels share: targets per second, a space of class scores, figures on val."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.special import log_softmax, softmax

from model.baselines.blind import PositionLocalizer
from model.baselines.system import ScorerOf
from model.data.corpus import UNLABELLED, Corpus, Timeline
from model.errors import NothingLabelled, TrainingError
from model.judging.evaluation import eligible_seconds, measure
from model.judging.localizers import Localizer, ScoreLocalizer
from model.judging.scorers import EmbeddingScorer, Items, Matrix, Queries, Scorer
from model.modality import MODALITIES, Modality

Scores = dict[Modality, Float[np.ndarray, "_ _"]]  # a score per second and class, for each modality alone

GALLERIES = 3
SHARPNESS = (1.0, 3.0, 8.0)  # temperatures, in units of the scores' spread
METRICS = ("cosine", "euclidean")
LEAST = 1e-9  # a probability under this is as good as none


def check_labels(train: Corpus, val: Corpus) -> None:
    """Refuse splits that cannot train, or cannot choose, a system that learns from labels.

    Raises:
        TrainingError: a split has fewer than two labelled videos with sound and picture in a marked event.
    """
    for name, split in (("training split", train), ("val split", val)):
        try:
            eligible_seconds(split)
        except NothingLabelled:
            marked = np.unique(split.video[split.event & split.paired & (split.label[split.video] != UNLABELLED)])
            raise TrainingError(
                f"{len(marked)} labelled videos with sound and picture in their event given in the {name}, "
                "at least 2 expected: this system learns from labels and event marks; add some, or leave it out"
            ) from None


def targets_of(timeline: Timeline) -> Int64[np.ndarray, "n"]:
    """Return each second's class, `len(classes)` for background, -1 where the video has no label."""
    label = timeline.label[timeline.video]
    return np.where(timeline.event | (label == UNLABELLED), label, len(timeline.classes))


def labelled_seconds(timeline: Timeline) -> Int64[np.ndarray, "n"]:
    """Return the rows of labelled videos' seconds that have both modalities."""
    return np.flatnonzero(timeline.paired & (timeline.label[timeline.video] != UNLABELLED))


def retrieval_figure(val: Corpus, scorer: Scorer) -> float:
    """Return the mean of the four directions' MRR by class."""
    anywhere = PositionLocalizer(lambda windows, length: np.zeros(windows))
    retrieval = measure(val, scorer, anywhere, GALLERIES).retrieval
    values = [direction["mrr"] for direction in retrieval.values()]
    return float(np.mean([np.nanmean(v) for v in values if not np.isnan(v).all()]))


def localization_figure(val: Corpus, localizer: Localizer) -> float:
    """Return the rolled exact match, mean of both ways; 0 where val has no clip to localize in."""
    rolled = measure(val, None, localizer, galleries=1).localization["rolled"]
    values = [crossing["exact"] for crossing in rolled.values()]
    known = [np.nanmean(v) for v in values if not np.isnan(v).all()]
    return float(np.mean(known)) if known else 0.0


@dataclass(frozen=True, eq=False)
class ClassSpace:
    """Embed class scores: softmax(scores / temperature), less the training split's mean, over the root of its spread.

    Both modalities lie in the same space. The mean is what a second says that shows nothing in particular; the
    root of the spread keeps classes that are seldom named from counting for nothing.
    """

    temperature: float
    mean: dict[Modality, Float64[np.ndarray, "c"]]
    scale: dict[Modality, Float64[np.ndarray, "c"]]
    metric: str

    @staticmethod
    def of(scores: Scores, sharpness: float, metric: str) -> ClassSpace:
        """Take temperature, means and scales from the training split's scores."""
        temperature = sharpness * (float(np.mean([scores[m].std(1).mean() for m in MODALITIES])) or 1.0)
        shares = {m: _shares(scores[m], temperature) for m in MODALITIES}
        return ClassSpace(
            temperature,
            {m: share.mean(0) for m, share in shares.items()},
            {m: np.sqrt(share.std(0)) + LEAST for m, share in shares.items()},
            metric,
        )

    def scorer(self, scores: Scores) -> EmbeddingScorer:
        """Return distances in this space."""
        audio, visual = ((_shares(scores[m], self.temperature) - self.mean[m]) / self.scale[m] for m in MODALITIES)
        return EmbeddingScorer(audio, visual, self.metric)


def _shares(scores: Float[np.ndarray, "n c"], temperature: float) -> Float64[np.ndarray, "n c"]:
    return np.asarray(softmax(scores.astype(np.float64) / temperature, axis=1))


def choose_class_space(train_scores: Scores, val_scores: Scores, val: Corpus) -> tuple[ClassSpace, float]:
    """Return the space that retrieves best on val, and its figure."""
    spaces = [ClassSpace.of(train_scores, sharpness, metric) for sharpness, metric in product(SHARPNESS, METRICS)]
    figures = [retrieval_figure(val, space.scorer(val_scores)) for space in spaces]
    best = int(np.argmax(figures))
    return spaces[best], figures[best]


def event_odds(query: Float[np.ndarray, "q c"], target: Float[np.ndarray, "d c"]) -> Float64[np.ndarray, "q d"]:
    """Return minus the log odds that a target second shows the query's class rather than background.

    Both are logits of the classes and, last, of background; a query is known to be an event. Summed over a window
    this is, up to a constant, minus the log likelihood that the event lies there and background everywhere else.
    """
    asked = softmax(query[:, :-1].astype(np.float64), axis=1)
    shown = log_softmax(target.astype(np.float64), axis=1)
    return np.asarray(shown[:, -1] - np.log(asked @ np.exp(shown[:, :-1]).T + LEAST))


class EventScorer(Scorer):
    """Judge single seconds by `event_odds`; the logits are per class and, last, of background."""

    def __init__(self, logits: Scores) -> None:
        self._logits = logits

    def score(self, query: Modality, queries: Queries, target: Modality, items: Items) -> Matrix:
        """Return minus the log odds."""
        return event_odds(self._logits[query][queries], self._logits[target][items])


def classes_of(logits: Scores) -> Scores:
    """Return logits without their last column, background: what is asked for is an event."""
    return {m: logits[m][:, :-1] for m in MODALITIES}


def figure_of(val: Corpus, logits: Scores) -> float:
    """Return what judges a classifier of single seconds on val: its MRR by class plus its rolled exact match."""
    classes = classes_of(logits)
    space = ClassSpace.of(classes, SHARPNESS[1], METRICS[0])
    localizer = ScoreLocalizer(EventScorer(logits), val)
    return retrieval_figure(val, space.scorer(classes)) + localization_figure(val, localizer)


def class_scorer(train: Corpus, val: Corpus, logits: Callable[[Corpus], Scores]) -> ScorerOf:
    """Return the scorer of a classifier of single seconds, in the class space that is best on val."""
    rows = labelled_seconds(train)
    events = rows[train.event[rows]]
    learnt = {m: scores[events] for m, scores in classes_of(logits(train)).items()}
    space, _ = choose_class_space(learnt, classes_of(logits(val)), val)
    return lambda corpus: space.scorer(classes_of(logits(corpus)))
