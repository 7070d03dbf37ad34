"""Exact scores of chosen items against one query; only here does `index` compute the distance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from index.latents_on_disk import LatentsOnDisk
from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents

BLOCK_NUMBERS = 1 << 18  # numbers scored at a time: 2 MiB in float64, about what a core's cache holds


@dataclass(frozen=True, eq=False)
class Scores:
    """Hold the weighted parts of the distance for m items."""

    ids: Int64[np.ndarray, "m"]
    latent: Float64[np.ndarray, "m"]
    generated: Float64[np.ndarray, "m"]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def distance(self) -> Float64[np.ndarray, "m"]:
        """Return the sum of the parts."""
        total: Float64[np.ndarray, "m"] = self.latent + self.generated
        return total

    def nearest(self, k: int) -> Scores:
        """Return the min(k, m) first items by (distance, id), in that order."""
        rows, distance = np.arange(len(self)), self.distance
        if k < len(rows):  # every tie with the k-th stays in: the id decides below
            rows = np.flatnonzero(distance <= np.partition(distance, k - 1)[k - 1])
        rows = rows[np.lexsort((self.ids[rows], distance[rows]))][:k]
        return Scores(self.ids[rows], self.latent[rows], self.generated[rows])

    @staticmethod
    def concatenate(parts: Iterable[Scores]) -> Scores:
        """Join at least one set of scores."""
        given = list(parts)
        return Scores(
            np.concatenate([s.ids for s in given]),
            np.concatenate([s.latent for s in given]),
            np.concatenate([s.generated for s in given]),
        )


def score(
    query: Latents,
    ids: Int64[np.ndarray, "n"],
    items: Latents | LatentsOnDisk,
    weights: ScoreWeights,
    rows: Int64[np.ndarray, "m"] | None = None,
) -> Scores:
    """Score the items at `rows`, all of them for None, in blocks: memory does not grow with n * pair."""
    m = len(ids) if rows is None else len(rows)
    latent, generated = np.empty(m), np.empty(m)
    block = max(1, BLOCK_NUMBERS // (sum(items.widths) + 1))
    for start in range(0, m, block):
        here = slice(start, start + block)
        parts = distances(query, items[here if rows is None else rows[here]], weights)
        latent[here], generated[here] = parts.latent[0], parts.generated[0]
    return Scores(ids if rows is None else ids[rows], latent, generated)
