"""What float32 costs: from computed distances of stored vectors to lower bounds of D that no rounding breaks.

Stored is s = float32(p / scale), scale the largest norm in the gallery, so that nothing overflows; a contraction of p
is stored alike. In units of scale, with u = 2^-24:

- Storing. |s - p| <= u |p| for each number, plus 2^-150 where it underflows; the float64 rounding of the projection is
  under pair * 2^-50 |p|, far less. `_stored` takes 2u |p| + 2^-120 for each end.
- Differences. FAISS's kernels for one query sum squared differences in float32. All terms are positive, so the sum is
  at most 1 + (width + 3) u times the true one, to first order, plus what underflow rounds up; `_inflation` takes twice
  that excess and more, `_underflow` 2^-120 for each number. `test_faiss_flat_keeps_near_duplicates_apart` fails if
  FAISS changes kernels.
- Products. |s|^2 + |q|^2 - 2 s.q by a matrix product of width + 2 terms has no relative bound: it is off by at most
  (2 width + 6) u (|s|^2 + |q|^2), whatever the order of the sum. `cancelled` takes twice that, and more.
- P is orthonormal and the oracle's D right to about pair * 2^-53: the factor 1 - 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

LARGEST_QUERY_NORM = 2.0**40  # in units of scale: float32 squares stay far from overflow


@dataclass(frozen=True)
class Rounding:
    """Bound from below; `width` is that of the longest vector that is stored."""

    scale: float
    width: int

    @property
    def unit(self) -> float:
        """Return what one stored unit is as D, rounded down."""
        return self.scale * (1 - 1e-9)

    def pack(self, p: Float64[np.ndarray, "n width"]) -> Float32[np.ndarray, "n width"]:
        """Return what is stored."""
        return (p / self.scale).astype(np.float32)

    def norms(self, p: Float64[np.ndarray, "n width"]) -> Float64[np.ndarray, "n"]:
        """Return norms in units of scale."""
        return np.asarray(np.linalg.norm(p, axis=1) / self.scale)

    def slack(self, query_norm: float) -> float:
        """Return how far the distance of two stored vectors may be from that of p, in units of scale."""
        return self._stored(query_norm) + self._stored(1.0)

    def lower(self, squared: Float32[np.ndarray, "n"], query_norm: float) -> Float64[np.ndarray, "n"]:
        """Return lower bounds from sums of squared differences, over all of p or over one of its blocks.

        A block is off by no more than the whole, so the bounds of the blocks add up to one of D.
        """
        exact = np.maximum(0.0, (squared.astype(np.float64) - self._underflow) / self._inflation)
        return np.maximum(0.0, (np.sqrt(exact) - self.slack(query_norm)) * self.unit)

    def reach(self, distance: float, query_norm: float, blocks: int) -> np.float32:
        """Return the sum over blocks of stored distances beyond which every item is further than this distance."""
        reach = (distance / self.unit + blocks * self.slack(query_norm)) * (1 + 2.0**-20)
        return np.float32(np.nextafter(np.float32(reach), np.float32(np.inf)))

    def beyond(self, reach: float, query_norm: float, blocks: int) -> float:
        """Return a lower bound of D for items beyond a reach; the inverse of `reach`, rounded down."""
        return max(0.0, (float(reach) * (1 - 2.0**-21) - blocks * self.slack(query_norm)) * self.unit)

    def cancelled(self, squared_norm: Float64[np.ndarray, "q"], width: int) -> Float64[np.ndarray, "q"]:
        """Return how far a squared distance by products may be off, in squared units of scale."""
        return np.asarray((4 * width + 16) * 2.0**-24 * (1 + squared_norm))

    def _stored(self, norm: float) -> float:
        return 2.0**-23 * norm + 2.0**-120

    @property
    def _inflation(self) -> float:
        return 1 + (self.width + 8) * 2.0**-23

    @property
    def _underflow(self) -> float:
        return self.width * 2.0**-120
