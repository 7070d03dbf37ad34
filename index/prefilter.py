"""The vector p whose Euclidean distance bounds the score from below.

p = [w (mu, sigma) ; g C(xhat)], C the contraction of the generated pair (index/contraction.py), all of it centred: a
shift of both ends changes no difference. Then

    ||p_q - p_d|| <= sqrt((w W)^2 + (g G)^2) <= w W + g G = D        and, block by block,
    ||(w mu, w sigma)_q - (..)_d|| + ||g C(xhat_q) - g C(xhat_d)|| <= D

The second line is tighter, but no L2 index can rank by it. A block without weight is left out.
tests/index/test_prefilter.py compares both lines with D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from index.contraction import Contraction
from index.latents_on_disk import LatentsOnDisk
from model.data.distance import ScoreWeights
from model.data.latents import Latents

COMPONENTS = 64
SAMPLE_ROWS = 1024
BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Prefilter:
    """Map latents to p, in float64."""

    weights: ScoreWeights
    gaussian: Float64[np.ndarray, "twice_latent"]  # the centre of (mu, sigma)
    generated: Contraction

    @classmethod
    def fit(cls, items: Latents | LatentsOnDisk, weights: ScoreWeights) -> Prefilter:
        """Choose centres and principal directions from at most 1,024 items, evenly spread; deterministic."""
        sample = items[sample_rows(len(items))]
        generated = Contraction.fit(sample.generated.astype(np.float64), COMPONENTS)
        return cls(weights, _gaussian(sample).mean(axis=0), generated)

    @property
    def widths(self) -> tuple[int, ...]:
        """Return how many numbers of p each block has that has a weight: the Gaussian's, the generated pair's."""
        blocks = ((self.weights.latent, len(self.gaussian)), (self.weights.generated, self.generated.width))
        return tuple(width for weight, width in blocks if weight > 0)

    def project(self, items: Latents) -> Float64[np.ndarray, "n p"]:
        """Return p for n items; in blocks of rows, so that only p itself grows with n."""
        p = np.empty((len(items), sum(self.widths)))
        for start in range(0, len(items), BLOCK_ROWS):
            p[start : start + BLOCK_ROWS] = self._project(items[start : start + BLOCK_ROWS])
        return p

    def split(self, p: Float64[np.ndarray, "n p"]) -> list[Float64[np.ndarray, "n _"]]:
        """Return the blocks of p."""
        return np.split(p, np.cumsum(self.widths)[:-1], axis=1)

    def largest_norm(self, items: Latents) -> float:
        """Return the largest norm that p has, without projecting: a contraction keeps norms."""
        largest = 0.0
        w, g = self.weights.latent, self.weights.generated
        for start in range(0, len(items), BLOCK_ROWS):
            block = items[start : start + BLOCK_ROWS]
            gaussian = np.linalg.norm(_gaussian(block) - self.gaussian, axis=1)
            generated = np.linalg.norm(block.generated - self.generated.centre, axis=1)
            largest = max(largest, float(np.hypot(w * gaussian, g * generated).max()))
        return largest

    def _project(self, items: Latents) -> Float64[np.ndarray, "n p"]:
        w, g = self.weights.latent, self.weights.generated
        blocks = []
        if w > 0:
            blocks.append(w * (_gaussian(items) - self.gaussian))
        if g > 0:
            blocks.append(g * self.generated(items.generated.astype(np.float64)))
        return np.concatenate(blocks, axis=1)


def sample_rows(n: int) -> Int64[np.ndarray, "m"]:
    """Return at most 1,024 of n rows, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(SAMPLE_ROWS, n)).astype(np.int64))


def _gaussian(items: Latents) -> Float64[np.ndarray, "n twice_latent"]:
    return np.concatenate([items.mu, items.sigma], axis=1, dtype=np.float64)
