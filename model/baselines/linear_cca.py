"""Regularized linear CCA, cosine distance: the simplest system that learns from pairs.

Sources: Hotelling, "Relations between two sets of variates", 1936; the ridge is Vinod, 1976.
"""

from __future__ import annotations

import torch

from model.baselines.system import Fitted, System
from model.baselines.towers import paired_seconds
from model.corpus import Corpus
from model.correlation import correlate
from model.scorers import EmbeddingScorer

DIMENSIONS = 40


class LinearCca(System):
    """Project both modalities to where they correlate most."""

    name = "linear_cca"

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Solve for the projections; nothing is random, nothing chosen on val."""
        rows = paired_seconds(train)
        audio, visual = correlate(train.audio[rows], train.visual[rows], DIMENSIONS)
        numbers = sum(side.mean.size + side.matrix.size for side in (audio, visual))
        return Fitted(lambda corpus: EmbeddingScorer(audio(corpus.audio), visual(corpus.visual)), parameters=numbers)
