"""Questions for galleries, what the formula answers, and every kind of gallery there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from math import fsum, sqrt
from pathlib import Path

import numpy as np
import pytest
from gpu_stand_in import gpu_stand_in
from hypothesis import strategies as st
from latent_samples import clustered_latents

from index.brute_force import BruteForceGallery
from index.certified_gallery import CertifiedGallery
from index.gallery import Gallery, SearchResult
from index.gpu_gallery import GpuGallery
from index.gpu_index import gpus
from index.hnsw_gallery import HnswGallery
from index.ivf_gallery import IvfGallery
from index.milvus import MilvusServer
from index.milvus_gallery import MilvusGallery
from model.data.distance import LEAST_WEIGHT, MOST_WEIGHT, ScoreWeights
from model.data.latents import Latents

Maker = Callable[[np.ndarray, Latents, ScoreWeights], Gallery]
Question = tuple[int, int, int, ScoreWeights, np.ndarray | None, np.ndarray]

EXACT: list[type[Gallery]] = [BruteForceGallery, CertifiedGallery]
# With scan=0 an index is asked however few items there are; it has nothing to choose until they are over 256.
IN_MEMORY: dict[str, Maker] = {
    "brute force": BruteForceGallery,
    "certified": CertifiedGallery,
    "hnsw": lambda *items: HnswGallery(*items, scan=0),
    "ivf": lambda *items: IvfGallery(*items, scan=0, compressed=False),
    "ivf-pq": lambda *items: IvfGallery(*items, scan=0, compressed=True),
}
ON_GPU = {"flat-gpu": False, "ivf-gpu": True}  # of a stand-in for the GPU
ON_CARD = {f"{kind} on a card": divided for kind, divided in ON_GPU.items()}
ELSEWHERE = [*ON_GPU, *(pytest.param(kind, marks=pytest.mark.gpu) for kind in ON_CARD), "milvus"]
KINDS_OF_GALLERY = [*IN_MEMORY, *ELSEWHERE]
PAPER = ScoreWeights()
WEIGHTS = [
    PAPER,
    ScoreWeights(0.25, 4.0),
    ScoreWeights(1.0, 0.0),
    ScoreWeights(0.0, 1.0),
    ScoreWeights(LEAST_WEIGHT, LEAST_WEIGHT),
    ScoreWeights(MOST_WEIGHT, LEAST_WEIGHT),
]


@contextmanager
def maker(kind: str, directory: Path) -> Iterator[Maker]:
    """Lend what builds a kind of gallery, one at a time; skip where the machine lacks what it needs."""
    if kind in IN_MEMORY:
        yield IN_MEMORY[kind]
    elif kind in ON_GPU:
        with gpu_stand_in():
            yield lambda *items: GpuGallery(*items, scan=0, divided=ON_GPU[kind])
    elif kind in ON_CARD:
        need_gpu()
        yield lambda *items: GpuGallery(*items, scan=0, divided=ON_CARD[kind])
    else:
        need_milvus()
        server, built = MilvusServer(str(directory / "milvus.db"), "contract"), []

        def build(*items: object) -> Gallery:
            built.append(MilvusGallery(*items, server=server, scan=0))  # type: ignore[arg-type]
            return built[-1]

        yield build
        for gallery in built:
            gallery.close()


def need_gpu() -> None:
    """Skip where FAISS has no GPU."""
    if gpus() == 0:
        pytest.skip("no GPU that FAISS can use")


def need_milvus() -> None:
    """Skip without Milvus Lite."""
    if find_spec("pymilvus") is None or find_spec("milvus_lite") is None:
        pytest.skip("pymilvus or milvus-lite is not installed")


def slow_scores(query: Latents, items: Latents, weights: ScoreWeights) -> list[float]:
    """Compute D by the book, number by number."""

    def gap(a: np.ndarray, b: np.ndarray) -> list[float]:
        return [(float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)]

    return [
        weights.latent * sqrt(fsum(gap(query.mu[0], items.mu[i]) + gap(query.sigma[0], items.sigma[i])))
        + weights.generated * sqrt(fsum(gap(query.generated[0], items.generated[i])))
        for i in range(len(items))
    ]


def slow_search(scores: list[float], ids: np.ndarray, k: int, allowed: np.ndarray | None) -> list[tuple[float, int]]:
    kept = range(len(ids)) if allowed is None else np.flatnonzero(allowed)
    return sorted((scores[i], int(ids[i])) for i in kept)[:k]


def pairs(result: SearchResult) -> list[tuple[float, int]]:
    return list(zip(result.distance.tolist(), result.ids.tolist(), strict=True))


@st.composite
def questions(draw: st.DrawFn, most: int = 300) -> Question:
    """Draw n, seed, k, weights, a mask and distinct ids in no order."""
    n = draw(st.integers(1, most))
    seed = draw(st.integers(0, 2**31))
    k = draw(st.one_of(st.integers(1, 20), st.sampled_from([n, n + 1, 2 * n])))
    random = np.random.default_rng(seed)
    share = draw(st.sampled_from([None, 0.0, 0.1, 0.6, 1.0]))
    allowed = None if share is None else random.random(n) < share
    ids = random.permutation(np.arange(n, dtype=np.int64) * 3 + 7)
    return n, seed, k, draw(st.sampled_from(WEIGHTS)), allowed, ids


def real_latents(kind: str, n: int, seed: int, pair: int = 24) -> Latents:
    base = clustered_latents(n, pair=pair, seed=seed)
    random = np.random.default_rng(seed)
    ones = np.ones((n, 1), np.float32)
    scale, offset = {
        "plain": (ones, 0.0),
        "zero sigma": (ones, 0.0),
        "duplicates": (ones, 0.0),
        "huge": (ones * np.float32(1e37), 0.0),
        "tiny": (ones * np.float32(1e-38), 0.0),
        "far from zero": (ones * np.float32(1e-3), 1e4),
        "every size": ((10.0 ** random.uniform(-30, 30, (n, 1))).astype(np.float32), 0.0),
        "one outlier": (np.where(np.arange(n)[:, None] == n // 2, ones * np.float32(1e20), ones), 0.0),
    }[kind]
    mu, sigma, generated = (
        (a * scale + np.float32(offset)).astype(np.float32) for a in (base.mu, base.sigma, base.generated)
    )
    if kind == "zero sigma":
        sigma = np.zeros_like(sigma)
    latents = Latents(mu, sigma, generated)
    return latents[random.integers(0, (n + 4) // 5, n)] if kind == "duplicates" else latents


KINDS = ["plain", "zero sigma", "duplicates", "huge", "tiny", "far from zero", "every size", "one outlier"]
