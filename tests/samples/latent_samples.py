"""Random latents for tests."""

from __future__ import annotations

import numpy as np

from model.data.latents import Latents


def clustered_latents(n: int, latent: int = 8, pair: int = 24, clusters: int = 5, seed: int = 0) -> Latents:
    """Draw n latents around `clusters` centres; the pair is a smooth function of mu, as a decoder's is."""
    weights = np.random.default_rng(1).standard_normal((latent, pair)) / np.sqrt(latent)
    centres = np.random.default_rng(2).standard_normal((clusters, latent)) * 2
    random = np.random.default_rng(seed)
    mu = centres[random.integers(clusters, size=n)] + 0.5 * random.standard_normal((n, latent))
    sigma = np.exp(0.3 * random.standard_normal((n, latent)) - 1)
    generated = np.tanh(mu.astype(np.float32) @ weights.astype(np.float32))
    return Latents(mu.astype(np.float32), sigma.astype(np.float32), generated)


def lattice_latents(n: int, latent: int = 3, pair: int = 5, levels: int = 2, seed: int = 0) -> Latents:
    """Draw latents of small whole numbers: duplicates and ties abound, sums of squares do not round."""
    random = np.random.default_rng(seed)
    mu, sigma, generated = (
        random.integers(levels, size=(n, width)).astype(np.float32) for width in (latent, latent, pair)
    )
    return Latents(mu, sigma, generated)
