"""The directions in which a gallery's items differ most; they stay valid when items come and go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from index.contraction import Contraction
from index.prefilter import BLOCK_ROWS, Prefilter
from model.data.distance import ScoreWeights
from model.data.latents import Latents

COMPONENTS = 23  # of each block of p in the sieve
LEAST_SHARED = 0.5  # of the items that they were fitted to and of those now; with fewer in common they are fitted again


@dataclass(frozen=True, eq=False)
class Directions:
    """Hold how p is made of latents, and how each block of p is contracted for the sieve.

    Every bound holds for any directions; those fitted to the items make it tight. `fitted_to`: the ids of those items.
    """

    prefilter: Prefilter
    sieve: tuple[Contraction, ...]
    fitted_to: Int64[np.ndarray, "n"]

    @classmethod
    def fit(cls, ids: Int64[np.ndarray, "n"], items: Latents, weights: ScoreWeights) -> Directions:
        """Fit them to about a thousand of n items, evenly spread; deterministic."""
        prefilter = Prefilter.fit(items, weights)
        sample = prefilter.split(prefilter.project(items[:: max(1, len(items) // BLOCK_ROWS)]))
        return cls(prefilter, tuple(Contraction.fit_centred(block, COMPONENTS) for block in sample), ids)

    def suit(self, ids: Int64[np.ndarray, "m"], weights: ScoreWeights) -> bool:
        """Say whether they suit these items of the same model: most must be items that they were fitted to."""
        shared = np.count_nonzero(np.isin(ids, self.fitted_to, assume_unique=True))
        return self.prefilter.weights == weights and bool(shared >= LEAST_SHARED * max(len(ids), len(self.fitted_to)))
