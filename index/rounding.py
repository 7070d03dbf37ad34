"""What float32 costs: from computed distances of stored vectors to lower bounds of D that no rounding breaks.

Stored is s = float32(p / scale), so that nothing overflows; a contraction of p is stored alike. In units of scale, with
u = 2^-24, for vectors of at most `longest`:

- Shortening. A block of p that is longer than LONGEST is shortened to that. To take the nearest point of a ball brings
  no two points further apart, so bounds stay bounds.
- Storing. |s - p| <= u |p| for each number, plus 2^-150 where it underflows. The length of what a contraction of `long`
  numbers leaves out is off by sqrt((long + 8) 2^-48) |p| (index/contraction.py), far more than all else that
  float64 rounds. `_stored` takes twice that + 2u |p| + 2^-120 for each end: the sieve contracts what is contracted.
- Differences. FAISS's kernels for one query sum squared differences in float32. All terms are positive, so the sum is
  at most 1 + (width + 3) u times the true one, to first order, plus what underflow rounds up; `_inflation` takes twice
  that excess and more, `_underflow` 2^-120 for each number. `test_faiss_keeps_near_duplicates_apart` fails if
  FAISS changes kernels. Of at most SHORT numbers the root of such a sum, and the sum of two roots, is at most 1 + 2^-19
  times the true one, and no less than 1 - 2^-19 times it.
- Products. |s|^2 + |q|^2 - 2 s.q by a matrix product of width + 1 terms has no relative bound: it is off by at most
  (2 width + 6) u (|s|^2 + |q|^2), whatever the order of the sum. `uncancelled` takes off twice that, and more.
- A ball. The distance to its centre, less its radius, both float32 and at most 2 LONGEST, is off by 2^-20 at most.
- P is orthonormal and the oracle's D right to about pair * 2^-53: the factor 1 - 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

LONGEST = 4.0  # in units of scale
LARGEST_QUERY_NORM = 2.0**40  # in units of scale: float32 squares stay far from overflow
SHORT = 32  # numbers of what the sieve compares, at most


@dataclass(frozen=True)
class Rounding:
    """Bound from below; `width` is that of the longest vector that is stored, `longest` the largest norm of one.

    `long`: how many numbers are contracted at most.
    """

    scale: float
    width: int
    longest: float = 1.0
    long: int = 0

    @property
    def unit(self) -> float:
        """Return what one stored unit is as D, rounded down."""
        return self.scale * (1 - 1e-9)

    def pack(self, p: Float64[np.ndarray, "n width"]) -> Float32[np.ndarray, "n width"]:
        """Return what is stored."""
        return (p / self.scale).astype(np.float32)

    def shortened(self, block: Float64[np.ndarray, "n width"]) -> Float64[np.ndarray, "n width"]:
        """Return the nearest points that are at most `longest` units long."""
        norms, most = np.linalg.norm(block, axis=1, keepdims=True), self.longest * self.scale
        if (norms <= most).all():
            return block
        return block * np.where(norms > most, most / np.where(norms > most, norms, 1), 1)

    def norms(self, p: Float64[np.ndarray, "n width"]) -> Float64[np.ndarray, "n"]:
        """Return norms in units of scale."""
        return np.asarray(np.linalg.norm(p, axis=1) / self.scale)

    def slack(self, query_norm: float) -> float:
        """Return how far the distance of two stored vectors may be from that of p, in units of scale."""
        return self._stored(query_norm) + self._stored(self.longest)

    def lower(self, squared: Float32[np.ndarray, "n"], query_norm: float) -> Float64[np.ndarray, "n"]:
        """Return lower bounds from sums of squared differences, over all of p or over one of its blocks.

        A block is off by no more than the whole, so the bounds of the blocks add up to one of D.
        """
        exact = np.maximum(0.0, (squared.astype(np.float64) - self._underflow) / self._inflation)
        return np.maximum(0.0, (np.sqrt(exact) - self.slack(query_norm)) * self.unit)

    def reach(self, distance: float, query_norm: float, blocks: int) -> np.float32:
        """Return the sum over blocks of short stored distances beyond which every item is further than this."""
        reach = (distance / self.unit + blocks * self.slack(query_norm)) * (1 + 2.0**-19)
        return _above(reach)

    def reach_of_balls(self, reach: np.float32, blocks: int) -> np.float32:
        """Return the sum over blocks of distances to balls beyond which all that is in them is beyond the reach."""
        return _above(float(reach) + blocks * 2.0**-19)

    def beyond(self, reach: float, query_norm: float, blocks: int) -> float:
        """Return a lower bound of D for items beyond a reach; the inverse of `reach`, rounded down."""
        return max(0.0, (float(reach) * (1 - 2.0**-19) - blocks * self.slack(query_norm)) * self.unit)

    @staticmethod
    def uncancelled(squared_norm: Float64[np.ndarray, "n"], width: int) -> Float64[np.ndarray, "n"]:
        """Return a squared norm less its part of what a squared distance by products may be off."""
        return np.asarray((1 - (4 * width + 16) * 2.0**-24) * squared_norm)

    def _stored(self, norm: float) -> float:
        return float((2.0**-23 + 2 * np.sqrt((self.long + 8) * 2.0**-48)) * norm + 2.0**-120)

    @property
    def _inflation(self) -> float:
        return 1 + (self.width + 8) * 2.0**-23

    @property
    def _underflow(self) -> float:
        return self.width * 2.0**-120


def _above(number: float) -> np.float32:
    """Return a float32 that is larger, perhaps inf."""
    with np.errstate(over="ignore"):
        return np.float32(np.nextafter(np.float32(number), np.float32(np.inf)))
