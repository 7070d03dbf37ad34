"""Points on a plane: the t-SNE map of latents, and the clusters on it.

scikit-learn is slow to load: only what maps and clusters loads it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64
from threadpoolctl import threadpool_limits

from model.errors import FigureError

PERPLEXITY = 30  # fewer where there are fewer than 91 points
NEIGHBOUR = 4  # whose distance is the k-distance; Ester et al., KDD 1996, take 4 on a plane
NOISE = -1


@dataclass(frozen=True, eq=False)
class Clustering:
    """Hold each point's cluster, -1 for noise, largest cluster first.

    `k_distance` (n,): each point's distance to its k-th neighbour, ascending; `eps` is its knee.
    """

    cluster: Int64[np.ndarray, "n"]
    k_distance: Float64[np.ndarray, "n"]
    eps: float

    @property
    def count(self) -> int:
        """Return the number of clusters."""
        return int(self.cluster.max(initial=NOISE)) + 1

    @property
    def noise(self) -> float:
        """Return the share of points in no cluster."""
        return float(np.mean(self.cluster == NOISE))

    def agreement(self, label: Int64[np.ndarray, "n"]) -> tuple[float, float]:
        """Return the normalized mutual information with labels, and the same adjusted for chance; noise is a group."""
        from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

        normalized = float(normalized_mutual_info_score(label, self.cluster))
        return normalized, float(adjusted_mutual_info_score(label, self.cluster))


def project(points: Float32[np.ndarray, "n dimensions"], seed: int) -> Float64[np.ndarray, "n 2"]:
    """Return a t-SNE map (van der Maaten and Hinton, 2008), started from the two main components.

    Raises:
        FigureError: all points are the same: there is nothing to map.
    """
    from sklearn.manifold import TSNE

    if not np.ptp(points, axis=0).any():
        raise FigureError(f"the {len(points)} latents given are all the same (the model has collapsed); train it again")
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    with threadpool_limits(1):  # several threads add up in any order, and t-SNE magnifies the last digit
        found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)
    return np.asarray(found, np.float64)


def find_clusters(points: Float[np.ndarray, "n 2"], neighbour: int = NEIGHBOUR) -> Clustering:
    """Cluster by density (DBSCAN; Ester et al., KDD 1996), at the reach where the k-distances have their knee.

    `neighbour`: whose distance is the k-distance; a point with as many in reach is inside a cluster.
    """
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=neighbour).fit(points).kneighbors()
    k_distance = np.sort(distances[:, -1].astype(np.float64))
    eps = max(float(k_distance[knee(k_distance)]), np.finfo(np.float64).tiny)
    found = DBSCAN(eps=eps, min_samples=neighbour + 1).fit_predict(points)  # scikit-learn counts the point itself
    return Clustering(_by_size(found.astype(np.int64)), k_distance, eps)


def knee(ascending: Float64[np.ndarray, "n"]) -> int:
    """Return where an ascending curve is farthest below the chord from its first to its last point."""
    chord = np.linspace(ascending[0], ascending[-1], len(ascending))
    return int(np.argmax(chord - ascending))


def _by_size(cluster: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """Number the clusters by falling size, of equal ones that of the earlier point first."""
    names, first, size = np.unique(cluster[cluster != NOISE], return_index=True, return_counts=True)
    order = names[np.lexsort((first, -size))]
    number = np.full(len(names) + 1, NOISE)
    number[order] = np.arange(len(names))
    return np.asarray(number[cluster])  # the last entry, which -1 picks, stays noise
