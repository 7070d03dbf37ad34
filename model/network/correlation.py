"""Regularized linear CCA between two sets of paired features.

Sources: Hotelling, "Relations between two sets of variates", 1936; the ridge is Vinod, 1976.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from scipy.linalg import svd


@dataclass(frozen=True, eq=False)
class Projection:
    """Map features (n, *shape) to dimensions (n, c): (flat - mean) @ matrix."""

    mean: Float64[np.ndarray, "d"]
    matrix: Float64[np.ndarray, "d c"]

    def __call__(self, features: Float[np.ndarray, "n *shape"]) -> Float64[np.ndarray, "n c"]:
        """Project."""
        return np.asarray((features.reshape(len(features), -1) - self.mean) @ self.matrix)


def correlate(
    audio: Float[np.ndarray, "n *A"],
    visual: Float[np.ndarray, "n *V"],
    dimensions: int,
    components: int = 64,
    ridge: float = 1.0,
) -> tuple[Projection, Projection]:
    """Return the projections of paired rows that correlate most, each weighted by its correlation.

    Both sides are reduced to at most `components` principal components, whitened with a ridge (a share of
    their mean variance). Elements are not standardized first: in reduced features the small ones are noise.
    Fewer than `dimensions` come back where the data have fewer.
    """
    left, right = (_whiten(side, components, ridge) for side in (audio, visual))
    covariance = left(audio).T @ right(visual) / len(audio)
    u, weights, vt = svd(covariance, full_matrices=False)
    kept = slice(0, dimensions)
    return (
        Projection(left.mean, left.matrix @ u[:, kept] * weights[kept]),
        Projection(right.mean, right.matrix @ vt.T[:, kept] * weights[kept]),
    )


def _whiten(features: Float[np.ndarray, "n *shape"], components: int, ridge: float) -> Projection:
    flat = features.reshape(len(features), -1).astype(np.float64)
    mean = flat.mean(0)
    _, singular, axes = svd(flat - mean, full_matrices=False)
    count = int(min(components, max(1, (singular > 1e-9 * singular[0]).sum())))
    variance = singular[:count] ** 2 / len(flat)
    return Projection(mean, axes[:count].T / np.sqrt(variance + ridge * variance.mean() + 1e-12))
