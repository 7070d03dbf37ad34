"""Features in standard units, with statistics from the training split, kept in the checkpoint."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from model.data.corpus import Corpus
from model.modality import MODALITIES, Modality


class Normalization(nn.Module):
    """Hold a mean and a scale per modality.

    The mean is taken per element, the scale is one number (the root mean variance of the elements): scaling
    each element would blow up the ones that carry nothing. Constant features keep scale 1.
    """

    def __init__(self, audio_shape: tuple[int, ...], visual_shape: tuple[int, ...]) -> None:
        super().__init__()
        for modality, shape in zip(MODALITIES, (audio_shape, visual_shape), strict=True):
            self.register_buffer(f"{modality}_mean", torch.zeros(shape))
            self.register_buffer(f"{modality}_scale", torch.ones(()))

    def forward(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """Return the features in standard units."""
        standard: Tensor = (features - self.get_buffer(f"{modality}_mean")) / self.get_buffer(f"{modality}_scale")
        return standard

    def inverse(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """Return the features in the front-end's units."""
        native: Tensor = features * self.get_buffer(f"{modality}_scale") + self.get_buffer(f"{modality}_mean")
        return native

    def statistics(self, modality: Modality) -> tuple[Float64[np.ndarray, "*shape"], float]:
        """Return the mean and the scale."""
        mean: np.ndarray = self.get_buffer(f"{modality}_mean").double().cpu().numpy()
        return mean, float(self.get_buffer(f"{modality}_scale"))

    @staticmethod
    def fit(corpus: Corpus) -> Normalization:
        """Take the statistics of the seconds that have the modality."""
        fitted = Normalization(corpus.audio.shape[1:], corpus.visual.shape[1:])
        _fill(fitted, "audio", corpus.audio[corpus.heard])
        _fill(fitted, "visual", corpus.visual[corpus.seen])
        return fitted


def _fill(normalization: Normalization, modality: Modality, features: Float[np.ndarray, "n *shape"]) -> None:
    mean = features.mean(0, dtype=np.float64)
    variance = float(np.mean([np.square(row - mean).mean() for row in features]))
    normalization.get_buffer(f"{modality}_mean").copy_(torch.from_numpy(mean))
    normalization.get_buffer(f"{modality}_scale").fill_(variance**0.5 if variance > 1e-12 else 1.0)
