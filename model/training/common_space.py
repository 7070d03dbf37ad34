"""The starting model of a front-end whose modalities share a space: the embeddings themselves are the means."""

from __future__ import annotations

import math

import numpy as np
import torch

from model.data.distance import ScoreWeights
from model.network.checkpoint import Checkpoint
from model.network.correlation import Projection
from model.network.msvae import MSVAE, Architecture, VectorEncoder
from model.network.normalization import Normalization
from model.training.start import WIDEST, start_decoder


def common_space_model(front_end: tuple[str, str], numbers: int) -> Checkpoint:
    """Return a model that ranks by the cosine of a front-end's unit vectors; the same bytes each time.

    `front_end`: name and identity. `numbers`: of an embedding, and of a latent. All posteriors are equally wide. What
    a latent generates is the embedding itself for both modalities, so it adds nothing and does not count. Unrelated
    embeddings have a distance of 1 or so. Nothing is calibrated: there are no match probabilities.
    """
    torch.manual_seed(0)
    model = MSVAE(Architecture((numbers,), (numbers,), numbers, 2 * numbers)).eval()
    identity = Projection(np.zeros(numbers), np.eye(numbers))
    for encoder in model.encoders.values():
        assert isinstance(encoder, VectorEncoder), "embeddings are vectors"
        encoder.start(identity)
        torch.nn.init.zeros_(encoder.log_variance.weight)
        torch.nn.init.constant_(encoder.log_variance.bias, WIDEST)
    unit = np.eye(numbers) / math.sqrt(numbers)  # the length of a latent's mean is sqrt(numbers)
    start_decoder(model.decoder, np.concatenate([unit, unit], axis=1), np.zeros(2 * numbers))
    report = {"recipe": {"name": "start"}, "videos": 0, "pairs": 0, "trained_on": []}
    normalization = Normalization((numbers,), (numbers,))
    weights = ScoreWeights(1 / math.sqrt(2 * numbers), 0.0)
    return Checkpoint(model, normalization, *front_end, weights, training=report)
