"""A plane of many latents: t-SNE of 20,000 points in seconds, and new points that join it where their like are.

The few points of the figures are placed by embedding.py: it is exact, and slower by an order of magnitude.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from openTSNE import TSNEEmbedding, initialization
from openTSNE.affinity import PerplexityBasedNN, PrecomputedAffinities, joint_probabilities_nn
from openTSNE.nearest_neighbors import PrecomputedNeighbors
from openTSNE.tsne import PartialTSNEEmbedding
from scipy.sparse import csr_matrix
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from model.errors import FigureError

PERPLEXITY = 30  # fewer where there are fewer than 91 points
EARLY, LATE = 100, 200  # iterations; more do not keep more neighbours (benchmarks/service/latent_map.py)
EARLY_EXAGGERATION = 12.0  # and a learning rate of n / 12: Belkina et al., Nature Communications 2019
JOINING, JOINING_PERPLEXITY = 100, 5.0
NEAREST = 10  # old points, at whose median a new one starts (Kobak and Berens, Nature Communications 2019)
MANY = 2000  # from here on a grid is faster than a tree for the forces that push apart
# A coarser grid than openTSNE's: four times faster, and as many neighbours are kept.
GRID: dict[str, Any] = {"negative_gradient_method": "fft", "ints_in_interval": 2}
TREE: dict[str, Any] = {"negative_gradient_method": "bh"}


def place(
    points: Float32[np.ndarray, "n dimensions"], known: Float64[np.ndarray, "n 2"], seed: int
) -> Float64[np.ndarray, "n 2"]:
    """Return where points lie: those of a known position (NaN is none) stay, others join them; without any, all anew.

    Raises:
        FigureError: all points are the same: there is nothing to map.
    """
    if not np.ptp(points, axis=0).any():
        raise FigureError(f"the {len(points)} latents given are all the same (the model has collapsed); train it again")
    new: Bool[np.ndarray, "n"] = np.isnan(known[:, 0])
    with threadpool_limits(1):  # several threads add up in any order, and t-SNE magnifies the last digit
        if new.all():
            return _drawn(points, seed)
        placed = known.copy()
        if new.any():
            placed[new] = _joined(points[~new], known[~new], points[new])
        return placed


def _drawn(points: Float32[np.ndarray, "n dimensions"], seed: int) -> Float64[np.ndarray, "n 2"]:
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    distances, neighbours = _nearest(points, None, int(3 * perplexity))
    affinities = PerplexityBasedNN(
        knn_index=PrecomputedNeighbors(neighbours, distances), perplexity=perplexity, n_jobs=1, random_state=seed
    )
    start = initialization.pca(points, random_state=seed)
    plane = TSNEEmbedding(start, affinities, n_jobs=1, random_state=seed, **(GRID if len(points) >= MANY else TREE))
    rate = len(points) / EARLY_EXAGGERATION
    plane.optimize(EARLY, exaggeration=EARLY_EXAGGERATION, learning_rate=rate, momentum=0.5, inplace=True)
    plane.optimize(LATE, exaggeration=1, learning_rate=rate, momentum=0.8, inplace=True)
    return np.array(plane, np.float64)


def _joined(
    old: Float32[np.ndarray, "o dimensions"],
    placed: Float64[np.ndarray, "o 2"],
    new: Float32[np.ndarray, "m dimensions"],
) -> Float64[np.ndarray, "m 2"]:
    """Place each new point by the old ones alone: what was there is not moved."""
    distances, neighbours = _nearest(old, new, min(len(old), int(3 * JOINING_PERPLEXITY)))
    start = np.median(placed[neighbours[:, :NEAREST]], axis=1)
    pulls = joint_probabilities_nn(
        neighbours,
        distances,
        [min(JOINING_PERPLEXITY, neighbours.shape[1] / 3)],
        symmetrize=False,
        normalization="point-wise",
        n_reference_samples=len(old),
        n_jobs=1,
    )
    centre = (placed.max(0) + placed.min(0)) / 2  # openTSNE moves what it is given there
    nothing = PrecomputedAffinities(csr_matrix((len(old), len(old))), normalize=False)
    pushes = GRID if len(old) >= MANY else TREE
    fixed = TSNEEmbedding(placed - centre, nothing, n_jobs=1, **pushes)
    joining = PartialTSNEEmbedding(start - centre, fixed, pulls, n_jobs=1, **pushes)
    joining.optimize(JOINING, learning_rate=0.1, exaggeration=1.5, momentum=0.8, max_grad_norm=0.25, inplace=True)
    return np.asarray(np.array(joining, np.float64) + centre)


def _nearest(
    points: Float32[np.ndarray, "n dimensions"], to: Float32[np.ndarray, "m dimensions"] | None, count: int
) -> tuple[Float64[np.ndarray, "q count"], Int64[np.ndarray, "q count"]]:
    """Return the distances to the nearest points, and which they are; without `to` of each point, itself left out."""
    distances, neighbours = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors(to)
    return distances.astype(np.float64), neighbours.astype(np.int64)
