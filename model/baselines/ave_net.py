"""AVE-Net: corresponds or not, from the Euclidean distance of two towers' unit embeddings.

Source: Arandjelovic and Zisserman, "Objects that sound", ECCV 2018. Their towers see raw pixels and spectra, these
the features. Pairs and non-pairs count the same in the loss, there and here, but here a batch gives all its pairings
of different videos, not one non-pair per pair: the same expectation with less noise. On these features, which come
from trained networks, towers of one layer do better on val than deeper ones, so the strong rendition has one.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from model.baselines.fitting import Schedule, fit_network, parameters_of
from model.baselines.system import Fitted, System
from model.baselines.towers import UnitTowers, batch_of, correspondence, figure_on, paired_seconds
from model.data.corpus import Corpus
from model.judging.scorers import EmbeddingScorer
from model.network.normalization import Normalization

WIDTHS = (128,)
DROPOUT = 0.2  # of the features
SCHEDULE = Schedule(learning_rate=3e-4)


class DistanceTowers(UnitTowers):
    """Embed on the unit sphere; `verdict` makes a logit of a distance."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(Normalization.fit(corpus), corpus, WIDTHS, DROPOUT)
        self.verdict = nn.Linear(1, 1)
        nn.init.constant_(self.verdict.weight, -1.0)  # near is alike, from the first step
        nn.init.constant_(self.verdict.bias, 1.0)

    def logits(self, audio: Float[Tensor, "n width"], visual: Float[Tensor, "m width"]) -> Float[Tensor, "n m"]:
        """Return the logit that sound i and picture j correspond."""
        distance = (2 - 2 * audio @ visual.T).clamp(min=1e-6).sqrt()
        logits: Tensor = self.verdict(distance[..., None])[..., 0]
        return logits


class AveNet(System):
    """Rank by the Euclidean distance of the embeddings, in all directions."""

    name = "ave_net"

    def __init__(self, schedule: Schedule = SCHEDULE) -> None:
        self._schedule = schedule

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit the towers and the verdict together."""
        rows = paired_seconds(train)
        torch.manual_seed(seed)
        network = DistanceTowers(train).to(device)

        def scorer(corpus: Corpus) -> EmbeddingScorer:
            return network.scorer(corpus, "euclidean")

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            audio, visual, video = batch_of(train, batch, device)
            return correspondence(network.logits(network("audio", audio), network("visual", visual)), video)

        fit_network(network, rows, loss, figure_on(val, scorer), self._schedule, seed)
        return Fitted(scorer, parameters=parameters_of(network))
