"""Regularized linear CCA between two sets of features, paired row by row or cluster by cluster.

Sources: Hotelling, "Relations between two sets of variates", 1936; the ridge is Vinod, 1976. By clusters: Rasiwasia et
al., "Cluster canonical correlation analysis", AISTATS 2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
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
    return _turned(left, right, left(audio).T @ right(visual) / len(audio), dimensions)


def correlate_clusters(
    audio: Float[np.ndarray, "n *A"],
    visual: Float[np.ndarray, "n *V"],
    cluster: Int64[np.ndarray, "n"],
    dimensions: int,
    components: int = 64,
    ridge: float = 1.0,
) -> tuple[Projection, Projection]:
    """Return what `correlate` does, where every row is paired with all rows of its cluster.

    In a cluster of m rows, so, each row is there m times. There is one dimension fewer than clusters, at most.
    """
    _, cluster, count = np.unique(cluster, return_inverse=True, return_counts=True)
    share = count**2 / (count**2).sum()  # of a cluster's pairs
    weight = (share / count)[cluster] * len(cluster)
    left, right = (_whiten(side, components, ridge, weight) for side in (audio, visual))
    mean_of = np.eye(len(count))[:, cluster] / count[:, None]
    covariance = (mean_of @ left(audio) * share[:, None]).T @ (mean_of @ right(visual))
    return _turned(left, right, covariance, min(dimensions, max(1, len(count) - 1)))


def _turned(
    left: Projection, right: Projection, covariance: Float64[np.ndarray, "a v"], dimensions: int
) -> tuple[Projection, Projection]:
    """Return the whitened sides along the singular vectors of their covariance, weighted by its singular values."""
    u, weights, vt = svd(covariance, full_matrices=False)
    kept = slice(0, dimensions)
    return (
        Projection(left.mean, left.matrix @ u[:, kept] * weights[kept]),
        Projection(right.mean, right.matrix @ vt.T[:, kept] * weights[kept]),
    )


def _whiten(
    features: Float[np.ndarray, "n *shape"],
    components: int,
    ridge: float,
    weight: Float64[np.ndarray, "n"] | None = None,
) -> Projection:
    """Whiten; `weight` says how often a row counts, 1 in the mean."""
    flat = features.reshape(len(features), -1).astype(np.float64)
    mean = np.average(flat, axis=0, weights=weight)
    centred = flat - mean if weight is None else (flat - mean) * np.sqrt(weight)[:, None]
    _, singular, axes = svd(centred, full_matrices=False)
    count = int(min(components, max(1, (singular > 1e-9 * singular[0]).sum())))
    variance = singular[:count] ** 2 / len(flat)
    return Projection(mean, axes[:count].T / np.sqrt(variance + ridge * variance.mean() + 1e-12))
