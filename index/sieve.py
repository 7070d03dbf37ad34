"""The coarse level of certified search: compare a few numbers of every item with several queries at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

from index.contraction import Contraction
from index.rounding import Rounding

NUMBERS = 1 << 18  # distances computed at a time: 1 MiB, which stays in a core's cache


class Sieve:
    """Hold the contraction of each block of p for n items.

    |s|^2 + |q|^2 - 2 s.q of all pairs is one matrix product of the columns [s ; |s|^2 ; 1].
    """

    def __init__(self, items: int, contractions: tuple[Contraction, ...], rounding: Rounding) -> None:
        self._contractions, self._rounding = contractions, rounding
        self._columns = [np.ones((c.width + 2, items), np.float32) for c in contractions]

    def fill(self, start: int, blocks: list[Float64[np.ndarray, "m _"]]) -> None:
        """Put the items whose p has these blocks at rows from `start` on."""
        for columns, contract, block in zip(self._columns, self._contractions, blocks, strict=True):
            short = self._rounding.pack(contract(block))
            here = slice(start, start + len(short))
            columns[:-2, here] = short.T
            columns[-2, here] = (short.astype(np.float64) ** 2).sum(axis=1)

    def distances(self, blocks: list[Float64[np.ndarray, "q _"]]) -> Float32[np.ndarray, "q n"]:
        """Return the sums over the blocks of lower bounds of their distances, in units of scale."""
        products = [self._products(*pair) for pair in zip(self._contractions, blocks, strict=True)]
        queries, items = len(blocks[0]), self._columns[0].shape[1]
        total, step = np.empty((queries, items), np.float32), max(1, NUMBERS // queries)
        for start in range(0, items, step):
            here = slice(start, start + step)
            roots = [_roots(q @ columns[:, here]) for q, columns in zip(products, self._columns, strict=True)]
            np.add(roots[0], roots[1] if len(roots) == 2 else 0, out=total[:, here])
        return total

    def _products(
        self, contract: Contraction, block: Float64[np.ndarray, "q _"]
    ) -> Float32[np.ndarray, "q short_and_two"]:
        """Return [-2 q, 1, |q|^2 less what cancellation may add], of which the products are lower bounds."""
        short = self._rounding.pack(contract(block))
        squared = (short.astype(np.float64) ** 2).sum(axis=1)
        last = squared - self._rounding.cancelled(squared, contract.width)
        return np.concatenate([-2 * short, np.stack([np.ones_like(last), last], axis=1)], axis=1, dtype=np.float32)


def _roots(squared: Float32[np.ndarray, "q m"]) -> Float32[np.ndarray, "q m"]:
    np.maximum(squared, 0, out=squared)
    return np.asarray(np.sqrt(squared, out=squared))
