"""The directions in which a gallery's items differ most: fitted to them, valid for any others, and so kept for long."""

from __future__ import annotations

from dataclasses import dataclass

from index.contraction import Contraction
from index.prefilter import BLOCK_ROWS, Prefilter
from model.distance import ScoreWeights
from model.latents import Latents

COMPONENTS = 23  # of each block of p in the sieve
MOST_GROWTH = 2  # of the number of items, up or down, after which they are fitted anew


@dataclass(frozen=True, eq=False)
class Directions:
    """Hold how p is made of latents, and how each block of p is contracted for the sieve.

    Every bound holds for whatever directions; those of the items at hand make it tight. `fitted_to`: how many items.
    """

    prefilter: Prefilter
    sieve: tuple[Contraction, ...]
    fitted_to: int

    @classmethod
    def fit(cls, items: Latents, weights: ScoreWeights) -> Directions:
        """Choose them for n items, from about a thousand that are evenly spread; deterministic."""
        prefilter = Prefilter.fit(items, weights)
        sample = prefilter.split(prefilter.project(items[:: max(1, len(items) // BLOCK_ROWS)]))
        return cls(prefilter, tuple(Contraction.fit(block, COMPONENTS) for block in sample), len(items))

    def suit(self, count: int, weights: ScoreWeights) -> bool:
        """Say whether to go on with them for so many items of the same model."""
        return (
            self.prefilter.weights == weights
            and self.fitted_to <= MOST_GROWTH * count
            and count <= MOST_GROWTH * self.fitted_to
        )
