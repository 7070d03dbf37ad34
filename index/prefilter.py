"""The vector p whose Euclidean distance bounds the score from below, and the rounding of that bound.

Let z = xhat - centre, P orthonormal rows, r = ||z - P'P z||; all blocks are centred: a shift of both ends
changes no difference. p = [w mu ; w sigma ; g P z ; g r]. What P leaves out of z_q - z_d is at least
|r_q - r_d| long, so ||P z_q - P z_d||^2 + (r_q - r_d)^2 <= G^2, and

    ||p_q - p_d|| <= sqrt((w W)^2 + (g G)^2) <= w W + g G = D        and, part by part,
    ||(w mu, w sigma)_q - (..)_d|| + ||(g P z, g r)_q - (..)_d|| <= D

The second line is tighter, but no L2 index can rank by it. Any orthonormal P is valid; PCA makes the bound
tight. tests/test_prefilter.py holds both lines against D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from model.distance import ScoreWeights
from model.latents import Latents

COMPONENTS = 64
SAMPLE_ROWS = 1024
BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Prefilter:
    """Map latents to p, in float64."""

    weights: ScoreWeights
    mu: Float64[np.ndarray, "latent"]
    sigma: Float64[np.ndarray, "latent"]
    generated: Float64[np.ndarray, "pair"]
    components: Float64[np.ndarray, "components pair"]

    @classmethod
    def fit(cls, items: Latents, weights: ScoreWeights) -> Prefilter:
        """Choose centres and principal directions from at most 1,024 items, evenly spread; deterministic."""
        rows = np.unique(np.linspace(0, len(items) - 1, min(SAMPLE_ROWS, len(items))).astype(np.int64))
        sample = items[rows]
        mu, sigma, generated = (a.mean(axis=0, dtype=np.float64) for a in (sample.mu, sample.sigma, sample.generated))
        return cls(weights, mu, sigma, generated, principal_directions(sample.generated - generated))

    @property
    def latent_width(self) -> int:
        """Return how many of p's leading numbers are w mu and w sigma."""
        return 2 * len(self.mu)

    def project(self, items: Latents) -> Float64[np.ndarray, "n p"]:
        """Return p for n items; in blocks, so that only p itself grows with n."""
        p = np.empty((len(items), self.latent_width + len(self.components) + 1))
        for start in range(0, len(items), BLOCK_ROWS):
            p[start : start + BLOCK_ROWS] = self._project(items[start : start + BLOCK_ROWS])
        return p

    def _project(self, items: Latents) -> Float64[np.ndarray, "n p"]:
        z = items.generated - self.generated
        inside = z @ self.components.T
        z -= inside @ self.components
        # Directly, not as sqrt(|z|^2 - |inside|^2), which cancels when P leaves little out.
        outside = np.linalg.norm(z, axis=1, keepdims=True)
        w, g = self.weights.latent, self.weights.generated
        latent = [w * (items.mu - self.mu), w * (items.sigma - self.sigma)]
        return np.concatenate([*latent, g * inside, g * outside], axis=1)


def principal_directions(
    z: Float64[np.ndarray, "n pair"], components: int = COMPONENTS
) -> Float64[np.ndarray, "components pair"]:
    """Return up to `components` orthonormal rows that span nearly all of z, by subspace iteration."""
    count = min(components, z.shape[1])
    basis = np.random.default_rng(0).standard_normal((z.shape[1], count))
    size = np.abs(z).max(initial=0.0)
    for _ in range(3):  # Householder QR returns orthonormal columns even where z has fewer directions
        basis = np.linalg.qr((z / size).T @ ((z / size) @ basis) if size > 0 else basis).Q
    return basis.T


@dataclass(frozen=True)
class Rounding:
    """Turn float32 squared distances between stored p into lower bounds of D that no rounding breaks.

    Stored is s = float32(p / scale), scale the largest norm in the gallery, so that nothing overflows. In
    units of scale, with u = 2^-24:
    - Storing. |s - p| <= u |p| for each number, plus 2^-150 where it underflows; the float64 rounding of
      `project` is under pair * 2^-50 |p|, far less. `_stored` takes 2u |p| + 2^-120 for each end.
    - FAISS's kernel for a single query sums squared differences in float32. All terms are positive, so the
      sum is at most 1 + (width + 3) u times the true one, to first order, plus what underflow rounds up.
      `_inflation` takes twice that excess and more, `_underflow` 2^-120 for each number. The batch kernel
      (norms and matrix products) has no such relative bound: never search a batch here.
      `test_faiss_flat_keeps_near_duplicates_apart` fails if FAISS changes kernels.
    - P is orthonormal and the oracle's D right to about pair * 2^-53: the factor 1 - 1e-9.
    """

    scale: float
    width: int

    @property
    def unit(self) -> float:
        """Return what one stored unit is as D, rounded down."""
        return self.scale * (1 - 1e-9)

    @classmethod
    def of(cls, p: Float64[np.ndarray, "n width"]) -> Rounding:
        """Take the scale from the gallery's p."""
        return cls(float(np.linalg.norm(p, axis=1).max()) or 1.0, p.shape[1])

    def pack(self, p: Float64[np.ndarray, "n width"]) -> Float32[np.ndarray, "n width"]:
        """Return what the index stores."""
        return (p / self.scale).astype(np.float32)

    def norm(self, p: Float64[np.ndarray, "1 width"]) -> float:
        """Return a query's norm in units of scale."""
        return float(np.linalg.norm(p)) / self.scale

    def slack(self, query_norm: float) -> float:
        """Return how far the distance of two stored vectors may be from that of p, in units of scale."""
        return self._stored(query_norm) + self._stored(1.0)

    def lower(self, squared: float, query_norm: float) -> float:
        """Return a lower bound of D for items at this computed squared distance or beyond."""
        return float(self.lower_part(np.array([squared], np.float32), query_norm)[0])

    def lower_part(self, squared: Float32[np.ndarray, "n"], query_norm: float) -> Float64[np.ndarray, "n"]:
        """Return lower bounds from squared distances over all of p or over one of its two blocks.

        A block is off by no more than the whole, so the bounds of both blocks add up to one of D.
        """
        exact = np.maximum(0.0, (squared.astype(np.float64) - self._underflow) / self._inflation)
        return np.maximum(0.0, (np.sqrt(exact) - self.slack(query_norm)) * self.unit)

    def _stored(self, norm: float) -> float:
        return 2.0**-23 * norm + 2.0**-120

    @property
    def _inflation(self) -> float:
        return 1 + (self.width + 8) * 2.0**-23

    @property
    def _underflow(self) -> float:
        return self.width * 2.0**-120
