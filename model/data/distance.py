"""The distance D of a query's latents from an item's. numpy and scipy only.

D(q, d) = w * W2(q, d) + g * ||xhat_q - xhat_d||, where for diagonal Gaussians
W2^2 = ||mu_q - mu_d||^2 + ||sigma_q - sigma_d||^2 (Zhu et al., ICASSP 2021, with w = g = 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.distance import cdist

from model.data.latents import Latents

LEAST_WEIGHT, MOST_WEIGHT = 1e-60, 1e60  # with float32 latents no square of p overflows float64 or vanishes in it


@dataclass(frozen=True)
class ScoreWeights:
    """Weigh the two parts of the distance, chosen on validation, kept in the checkpoint.

    Each is 0 or from 1e-60 to 1e60, and not both are 0. Beyond, float64 could not prove what the index answers.
    """

    latent: float = 1.0
    generated: float = 1.0

    def __post_init__(self) -> None:
        given = (self.latent, self.generated)
        if not any(given) or not all(weight == 0 or LEAST_WEIGHT <= weight <= MOST_WEIGHT for weight in given):
            raise ValueError(
                f"weights {self} given, two numbers expected that are 0 or from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, "
                "and not both 0"
            )


@dataclass(frozen=True, eq=False)
class Distances:
    """Hold the weighted parts, (queries, items) each; small is close."""

    latent: Float64[np.ndarray, "queries items"]
    generated: Float64[np.ndarray, "queries items"]

    @property
    def total(self) -> Float64[np.ndarray, "queries items"]:
        """Return D, the sum of the parts."""
        return np.asarray(self.latent + self.generated, np.float64)


def distances(queries: Latents, items: Latents, weights: ScoreWeights) -> Distances:
    """Score every query against every item in float64 by direct differences of the stored values.

    Matrix products would lose digits on near duplicates. Every faster path must equal this one.
    """
    latent = cdist(_gaussians(queries), _gaussians(items))
    generated = cdist(queries.generated.astype(np.float64), items.generated.astype(np.float64))
    return Distances(weights.latent * latent, weights.generated * generated)


def _gaussians(latents: Latents) -> Float64[np.ndarray, "n twice_latent"]:
    return np.concatenate([latents.mu, latents.sigma], axis=1, dtype=np.float64)
