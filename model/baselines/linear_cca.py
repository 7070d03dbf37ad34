"""Regularized linear CCA, cosine distance: the simplest system that learns from pairs.

Sources: Hotelling, "Relations between two sets of variates", 1936; the ridge is Vinod, 1976.
"""

from __future__ import annotations

import torch

from model.baselines.system import Fitted, System
from model.baselines.towers import paired_seconds
from model.data.corpus import Corpus
from model.judging.scorers import Correlation


class LinearCca(System):
    """Project both modalities to where they correlate most."""

    name = "linear_cca"

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Solve for the projections; nothing is random, nothing chosen on val."""
        paired_seconds(train)
        correlation = Correlation.fit(train)
        return Fitted(correlation, parameters=correlation.parameters)
