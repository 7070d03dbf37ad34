"""How probable it is that a query and a hit belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy.special import expit

from model.data.latents import Latents
from model.modality import Modality

Verdict = Literal["strong", "fair", "weak", "nothing"]
VERDICTS: tuple[tuple[Verdict, float], ...] = (("strong", 0.8), ("fair", 0.6), ("weak", 0.35))  # from which match on


@dataclass(frozen=True)
class Match:
    """Turn distances into probabilities by logistic regressions on held-out pairs and as many non-pairs.

    `coefficients`: by query's and target's modality, as "audio-visual": the intercept, and the weights of the distance,
    of the query's and of the hit's log uncertainty (mean sigma).
    """

    coefficients: dict[str, tuple[float, float, float, float]]

    def probability(
        self, query: Modality, target: Modality, asked: Latents, found: Latents, distance: Float64[np.ndarray, "k"]
    ) -> Float64[np.ndarray, "k"]:
        """Return the match, 0..1, of k hits `found` to the one query `asked`."""
        intercept, *weights = self.coefficients[f"{query}-{target}"]
        facts = [distance, np.log(asked.sigma.mean(1, dtype=np.float64)), np.log(found.sigma.mean(1, dtype=np.float64))]
        return np.asarray(expit(intercept + sum(w * f for w, f in zip(weights, facts, strict=True))), np.float64)


def verdict(best: float) -> Verdict:
    """Name the best match of an answer; "nothing" also stands for an answer without hits."""
    return next((name for name, least in VERDICTS if best >= least), "nothing")
