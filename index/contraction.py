"""Shorter vectors whose distances never exceed those of the long ones.

With orthonormal rows P, z = x - centre and r = ||z - P'P z||, the vector [P z ; r] is as long as z, and what P leaves
out of z_1 - z_2 is at least |r_1 - r_2| long, so ||P z_1 - P z_2||^2 + (r_1 - r_2)^2 <= ||x_1 - x_2||^2. Any
orthonormal P is valid; principal directions make the bound tight. r is computed as sqrt(|z|^2 - |P z|^2), which takes
half as long as the length of what P leaves out. It may be off by sqrt((long + 8) 2^-48) |z|, if P leaves out little:
|z|^2 is off by long 2^-53 of it at most, |P z|^2 by 16 times that, since each of 64 numbers is off by long 2^-53 |z|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class Contraction:
    """Map vectors of `long` numbers to `short` ones, in float64."""

    centre: Float64[np.ndarray, "long"]
    components: Float64[np.ndarray, "components long"]

    @classmethod
    def fit(cls, sample: Float64[np.ndarray, "n long"], components: int) -> Contraction:
        """Take the mean and up to `components` principal directions of a sample; deterministic."""
        centre = sample.mean(axis=0)
        return cls(centre, principal_directions(sample - centre, components))

    @classmethod
    def fit_centred(cls, sample: Float64[np.ndarray, "n long"], components: int) -> Contraction:
        """Take 0 as the centre of vectors that have been centred: short ones are as long, as `Rounding` expects."""
        return cls(np.zeros(sample.shape[1]), principal_directions(sample, components))

    @property
    def width(self) -> int:
        """Return how many numbers a short vector has."""
        return len(self.components) + 1

    def __call__(self, vectors: Float64[np.ndarray, "n long"]) -> Float64[np.ndarray, "n short"]:
        """Return the short vectors."""
        z = vectors - self.centre
        inside = z @ self.components.T
        left_out = np.einsum("nd,nd->n", z, z) - np.einsum("nd,nd->n", inside, inside)
        return np.concatenate([inside, np.sqrt(np.maximum(left_out, 0))[:, np.newaxis]], axis=1)


def principal_directions(z: Float64[np.ndarray, "n long"], components: int) -> Float64[np.ndarray, "components long"]:
    """Return up to `components` orthonormal rows that span nearly all of z, greatest first, by subspace iteration."""
    count = min(components, z.shape[1])
    basis = np.random.default_rng(0).standard_normal((z.shape[1], count))
    size = np.abs(z).max(initial=0.0)
    for _ in range(3):  # Householder QR returns orthonormal columns even where z has fewer directions
        basis = np.linalg.qr((z / size).T @ ((z / size) @ basis) if size > 0 else basis).Q
    return basis.T
