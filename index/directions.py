"""The directions in which a gallery's items differ most: fitted to them, valid for any others, and so kept for long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from index.contraction import Contraction
from index.prefilter import BLOCK_ROWS, Prefilter
from model.data.distance import ScoreWeights
from model.data.latents import Latents

COMPONENTS = 23  # of each block of p in the sieve
LEAST_SHARED = 0.5  # of the items then and of those now; with fewer in common they are fitted anew


@dataclass(frozen=True, eq=False)
class Directions:
    """Hold how p is made of latents, and how each block of p is contracted for the sieve.

    Every bound holds for whatever directions; those of the items at hand make it tight. `fitted_to`: the ids of items.
    """

    prefilter: Prefilter
    sieve: tuple[Contraction, ...]
    fitted_to: Int64[np.ndarray, "n"]

    @classmethod
    def fit(cls, ids: Int64[np.ndarray, "n"], items: Latents, weights: ScoreWeights) -> Directions:
        """Choose them for n items, from about a thousand that are evenly spread; deterministic."""
        prefilter = Prefilter.fit(items, weights)
        sample = prefilter.split(prefilter.project(items[:: max(1, len(items) // BLOCK_ROWS)]))
        return cls(prefilter, tuple(Contraction.fit_centred(block, COMPONENTS) for block in sample), ids)

    def suit(self, ids: Int64[np.ndarray, "m"], weights: ScoreWeights) -> bool:
        """Say whether to go on with them for these items of the same model: most are those that they were fitted to."""
        shared = np.count_nonzero(np.isin(ids, self.fitted_to, assume_unique=True))
        return self.prefilter.weights == weights and bool(shared >= LEAST_SHARED * max(len(ids), len(self.fitted_to)))
