"""The oracle: score every item. Every other exact gallery must give the same answer, ties by id included."""

from __future__ import annotations

import time
from typing import final

import numpy as np
from jaxtyping import Bool

from index.gallery import GalleryInMemory, GalleryWithLatents, SearchResult
from index.scores import score
from model.data.latents import Latents


@final
class BruteForceGallery(GalleryInMemory):
    """Search by scoring every item: exact, without memory beyond the latents, slow from 10,000 items on."""

    def _search(self, queries: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None) -> list[SearchResult]:
        return exhaustive_each(self, queries, k, allowed)


def exhaustive_each(
    gallery: GalleryWithLatents, queries: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None
) -> list[SearchResult]:
    """Answer each row of `queries` by `exhaustive`."""
    return [exhaustive(gallery, queries[[row]], k, allowed) for row in range(len(queries))]


def exhaustive(
    gallery: GalleryWithLatents, query: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None
) -> SearchResult:
    """Score every allowed item of a gallery and return the k nearest."""
    rows = None if allowed is None else np.flatnonzero(allowed)
    started = time.perf_counter()
    scores = score(query, gallery.ids, gallery.latents, gallery.weights, rows)
    best = scores.nearest(k)
    rerank_s = time.perf_counter() - started
    return gallery.result(best, "exhaustive", len(scores), rerank_s, certified=True)
