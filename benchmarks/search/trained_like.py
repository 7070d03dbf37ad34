"""Latents shaped like those of a trained model, in any number: what the benchmarks of the index search in.

What was measured on a default model's latents of AVE's training pictures and held-out sounds, and is drawn here:
how much of the variance of mu lies along its principal directions; that its length is 8; that 72 % of it lies between
kinds of footage, 22 % between videos of a kind, 5 % between seconds of a video; that a query of the other modality lies
further off; sigma's size and spread; that the generated pair is nearly (95 %) a linear map of mu.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from model.data.distance import ScoreWeights
from model.data.latents import Latents

LATENT, PAIR = 64, 640
SHARES = np.repeat([0.107, 0.091, 0.073, 0.0615, 0.035, 0.0078, 0.0001], [1, 1, 2, 4, 8, 16, 32])
KINDS = 300
SECONDS = 10
BETWEEN_KINDS, BETWEEN_VIDEOS, BETWEEN_SECONDS, QUERY = 0.72, 0.22, 0.05, 0.25  # shares of variance
WEIGHTS = ScoreWeights(0.0343, 0.0316)


def trained_like(items: int, seed: int, query: bool = False) -> Latents:
    """Draw latents of whole videos of ten seconds; as `query`, of the other modality and of other videos."""
    drawn = Latents(*(np.empty((items, width), np.float32) for width in (LATENT, LATENT, PAIR)))
    start = 0
    for part in trained_like_parts(items, seed, query):
        here = slice(start, start + len(part))
        drawn.mu[here], drawn.sigma[here], drawn.generated[here] = part.mu, part.sigma, part.generated
        start += len(part)
    return drawn


def trained_like_parts(items: int, seed: int, query: bool = False, pair: int = PAIR) -> Iterator[Latents]:
    """Draw the same in parts of up to 10,000; of the pair the first numbers alone."""
    for number, start in enumerate(range(0, items, 10_000)):
        random = np.random.default_rng((seed, number, query))
        count = min(10_000, items - start)
        drawn = _posteriors(random, count, QUERY if query else BETWEEN_SECONDS)
        mu, sigma = (array.astype(np.float32) for array in drawn)
        yield Latents(mu, sigma, (1.2 * np.tanh(mu @ _decoder()[:, :pair])).astype(np.float32))


def _posteriors(
    random: np.random.Generator, items: int, noise: float
) -> tuple[Float64[np.ndarray, "n latent"], Float64[np.ndarray, "n latent"]]:
    spread, videos = np.sqrt(SHARES / SHARES.sum()), -(-items // SECONDS)
    kinds = np.random.default_rng(1).standard_normal((KINDS, LATENT))
    kind = kinds[random.integers(KINDS, size=videos)]
    video = np.sqrt(BETWEEN_KINDS) * kind + np.sqrt(BETWEEN_VIDEOS) * random.standard_normal((videos, LATENT))
    mu = np.repeat(video, SECONDS, axis=0)[:items] + np.sqrt(noise) * random.standard_normal((items, LATENT))
    mu *= spread
    mu *= np.sqrt(LATENT) / np.linalg.norm(mu, axis=1, keepdims=True)
    width = random.normal(-2.1, 0.66, (items, 1)) + random.normal(0, 0.05, (items, LATENT))
    return mu, np.exp(width + np.random.default_rng(2).normal(0, 0.3, LATENT))


def _decoder() -> Float64[np.ndarray, "latent pair"]:
    return np.asarray(np.random.default_rng(3).standard_normal((LATENT, PAIR)) * (0.6 / np.sqrt(LATENT)))
