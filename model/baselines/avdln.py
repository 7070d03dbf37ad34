"""AVDLN: the audio-visual distance learning network, two towers and a contrastive loss with a margin.

Source: Tian et al., "Audio-visual event localization in unconstrained videos", ECCV 2018; the loss is Hadsell, Chopra
and LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR 2006. Sound and picture of a second that
shows its event are a pair; those of a second of background, of different seconds, and of different videos are none.
Embeddings have length 1 here, which did better on val, and a margin that fits that.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from model.baselines.fitting import Schedule, fit_network, parameters_of
from model.baselines.supervision import check_labels, labelled_seconds, localization_figure, retrieval_figure
from model.baselines.system import Fitted, System
from model.baselines.towers import UnitTowers, batch_of
from model.data.corpus import Corpus, Timeline
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import EmbeddingScorer
from model.network.normalization import Normalization

WIDTHS = (128, 64)
DROPOUT = 0.1
MARGIN = 1.3
BACKGROUND, UNSYNCHRONIZED = 0.3, 0.3  # weights beside different videos' 1
SCHEDULE = Schedule(epochs=16, patience=5)


class Avdln(System):
    """Rank by the Euclidean distance of the embeddings, in all directions."""

    name = "avdln"
    label_free = False

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit the towers on the seconds of labelled videos."""
        check_labels(train, val)
        event = torch.from_numpy(train.event).to(device)
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        network = UnitTowers(Normalization.fit(train), train, WIDTHS, DROPOUT).to(device)

        def scorer(corpus: Corpus) -> EmbeddingScorer:
            return network.scorer(corpus, "euclidean")

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            audio, visual, video = batch_of(train, batch, device)
            heard, seen, shows = network("audio", audio), network("visual", visual), event[batch]
            other = other_seconds(train, batch, rng)
            usable = torch.from_numpy((other != batch) & train.seen[other]).to(device)
            elsewhen = network("visual", torch.from_numpy(train.visual[other]).to(device))
            together = _squared(heard, seen)
            return (
                _mean(together[shows])
                + BACKGROUND * _mean(_apart(together[~shows]))
                + UNSYNCHRONIZED * _mean(_apart(_squared(heard, elsewhen)[usable]))
                + _mean(_apart((2 - 2 * heard @ seen.T)[video[:, None] != video]))
            )

        def figure() -> float:
            found = scorer(val)
            return retrieval_figure(val, found) + localization_figure(val, ScoreLocalizer(found, val))

        fit_network(network, labelled_seconds(train), loss, figure, SCHEDULE, seed)
        return Fitted(scorer, parameters=parameters_of(network))


def other_seconds(timeline: Timeline, rows: Int64[np.ndarray, "n"], rng: np.random.Generator) -> Int64[np.ndarray, "n"]:
    """Draw, for each row, another second of its video; the row itself where the video has no other."""
    first = np.searchsorted(timeline.video, timeline.video[rows])
    count = np.searchsorted(timeline.video, timeline.video[rows], side="right") - first
    step = 1 + np.floor(rng.random(len(rows)) * (count - 1)).astype(np.int64)
    return np.asarray(first + (rows - first + step) % count)


def _squared(one: Float[Tensor, "n width"], other: Float[Tensor, "n width"]) -> Float[Tensor, "n"]:
    """Return the squared Euclidean distance of unit vectors, row by row."""
    return 2 - 2 * (one * other).sum(1)


def _apart(squared: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Return what pairs nearer than the margin cost."""
    return torch.relu(MARGIN - torch.sqrt(squared.clamp(min=1e-6))).square()


def _mean(values: Float[Tensor, "n"]) -> Float[Tensor, ""]:
    return values.sum() / max(1, len(values))
