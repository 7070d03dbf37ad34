"""Whether a probability means what it says: expected calibration error, over pairs and as many non-pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from benchmarks.quality.uncertainty import estimate
from model.judging.evaluation import bootstrap

BINS = 10

# By video of the query, whether they belong together (no, yes), and bin: how many, and the sum of what was predicted.
Counts = Float64[np.ndarray, "videos 2 bins"]


@dataclass(eq=False)
class Reliability:
    """Count predictions in ten bins of equal width, by direction and by the query's video."""

    videos: int
    count: dict[str, Counts] = field(default_factory=dict)
    predicted: dict[str, Counts] = field(default_factory=dict)

    def add(self, direction: str, video: int, match: Float64[np.ndarray, "k"], same: Bool[np.ndarray, "k"]) -> None:
        """Count what was predicted of one query and k hits, and whether they belong together."""
        shape = (self.videos, 2, BINS)
        bins = np.minimum((match * BINS).astype(np.int64), BINS - 1)
        for counts, weight in ((self.count, np.ones(len(match))), (self.predicted, match)):
            np.add.at(counts.setdefault(direction, np.zeros(shape))[video], (same.astype(np.int64), bins), weight)

    def report(self) -> dict[str, Any]:
        """Return each direction's error with the bootstrap over query videos, and its bins.

        A bin has a weight, the mean match, and the share that belongs together. Pairs and non-pairs weigh the same.
        """
        return {direction: self._report(direction) for direction in self.count}

    def _report(self, direction: str) -> dict[str, Any]:
        count, predicted = self.count[direction], self.predicted[direction]

        def resampled(rows: Int64[np.ndarray, "b n"]) -> Float64[np.ndarray, "b"]:
            drawn = np.stack([np.bincount(row, minlength=self.videos) for row in rows]).astype(np.float64)
            return calibration_error(*(np.tensordot(drawn, of, 1) for of in (count, predicted)))

        whole = calibration_error(count.sum(0), predicted.sum(0))
        weight = _weights(count.sum(0))
        weighed, said = (of.sum(0) * weight for of in (count, predicted))
        bins = [
            {"weight": float(n.sum()), "match": float(p.sum() / n.sum()), "together": float(n[1] / n.sum())}
            for n, p in zip(weighed.T, said.T, strict=True)
            if n.sum()
        ]
        return estimate(float(whole), bootstrap(resampled, self.videos, 0), self.videos) | {"bins": bins}


def calibration_error(
    count: Float64[np.ndarray, "*b 2 bins"], predicted: Float64[np.ndarray, "*b 2 bins"]
) -> Float64[np.ndarray, "*b"]:
    """Return the mean over bins, by weight, of how far the mean prediction is from the share of pairs."""
    weight = _weights(count)
    together = (count * weight)[..., 1, :]
    return np.asarray(np.abs(together - (predicted * weight).sum(-2)).sum(-1))


def _weights(count: Float64[np.ndarray, "*b 2 bins"]) -> Float64[np.ndarray, "*b 2 1"]:
    """Return what one non-pair and one pair weigh: all of each weigh one half."""
    return np.asarray(0.5 / np.maximum(count.sum(-1, keepdims=True), 1e-12))
