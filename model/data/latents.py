"""Latents: for each second the posterior and the pair generated from its mean. numpy only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int


@dataclass(frozen=True, eq=False)
class Latents:
    """Hold n diagonal Gaussians and, from each mean, the generated pair.

    `mu`, `sigma` (n, latent): mean and standard deviation. `generated` (n, pair): the decoder's
    [visual | audio] output for mu, flat, in the checkpoint's normalized units. All float32.
    """

    mu: Float32[np.ndarray, "n latent"]
    sigma: Float32[np.ndarray, "n latent"]
    generated: Float32[np.ndarray, "n pair"]

    def __len__(self) -> int:
        return len(self.mu)

    def __getitem__(self, rows: slice | Int[np.ndarray, "m"] | list[int]) -> Latents:
        """Return the chosen rows; a slice or a list of row numbers, so that the result keeps two axes."""
        return Latents(self.mu[rows], self.sigma[rows], self.generated[rows])

    @property
    def widths(self) -> tuple[int, int, int]:
        """Return how many numbers mu, sigma and the generated pair have."""
        return self.mu.shape[1], self.sigma.shape[1], self.generated.shape[1]

    def is_finite(self) -> bool:
        """Say whether every number is finite."""
        return all(bool(np.isfinite(a).all()) for a in (self.mu, self.sigma, self.generated))

    @staticmethod
    def concatenate(parts: Iterable[Latents]) -> Latents:
        """Join the rows of at least one batch; the inverse of slicing."""
        batches = list(parts)
        return Latents(
            np.concatenate([b.mu for b in batches]),
            np.concatenate([b.sigma for b in batches]),
            np.concatenate([b.generated for b in batches]),
        )
