"""The context of a second: its neighbours in time, up to a cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

MOST_WIDTH_S = 3  # how far a query is decoded beyond the second that is asked for


@dataclass(frozen=True)
class TemporalContext:
    """Weigh a second's neighbours: `weights[d]` is the weight of the seconds d before and after, `weights[0]` its own.

    A cut ends the context. It lies between two seconds whose pictures' features, in standard units, have a cosine
    below `cut`, and where a second is missing.
    """

    weights: tuple[float, ...] = (1.0,)
    cut: float = 0.25

    @property
    def width_s(self) -> int:
        """Return how many seconds count on either side."""
        return len(self.weights) - 1

    def scenes(
        self, start_s: Int64[np.ndarray, "t"], visual: Float[np.ndarray, "t *V"], seen: Bool[np.ndarray, "t"]
    ) -> Int64[np.ndarray, "t"]:
        """Number the scenes of a recording, t > 0: seconds between two cuts share a number.

        `visual` is in standard units. A second without a picture belongs to the scene before it; the next picture is
        compared with the last one that was seen.
        """
        if not self.width_s:
            return np.zeros(len(start_s), np.int64)
        flat = visual.reshape(len(visual), -1).astype(np.float64)
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        last = np.maximum.accumulate(np.where(seen, np.arange(len(seen)), -1))[:-1]
        cosine = (flat[1:] * flat[np.maximum(last, 0)]).sum(1)
        cuts = (seen[1:] & (last >= 0) & (cosine < self.cut)) | (np.diff(start_s) != 1)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(cuts)])

    def average(
        self, start_s: Int64[np.ndarray, "t"], scene: Int64[np.ndarray, "t"], values: Float32[np.ndarray, "t d"]
    ) -> Float32[np.ndarray, "t d"]:
        """Return the weighted mean of each second and its neighbours of the same scene; `start_s` ascends.

        Each mean is summed in order of time: it has the same bits whatever other seconds there are.
        """
        total, weight = np.zeros(values.shape, np.float64), np.zeros(len(values))
        for offset in range(-self.width_s, self.width_s + 1):
            at = np.searchsorted(start_s, start_s + offset)
            found = at < len(start_s)
            at = np.where(found, at, 0)
            found &= (start_s[at] == start_s + offset) & (scene[at] == scene)
            each = np.where(found, self.weights[abs(offset)], 0.0)
            total += each[:, None] * values[at]
            weight += each
        return np.asarray(total / weight[:, None], np.float32)


SHARP = TemporalContext()  # a second alone
