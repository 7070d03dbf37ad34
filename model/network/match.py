"""How probable it is that a query and a hit belong together, and whether a library has an answer at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from scipy.special import expit, log_ndtr, logit

from model.data.latents import Latents
from model.modality import Modality

Asked = Modality | Literal["text"]
Verdict = Literal["strong", "fair", "weak", "nothing"]
# By the chance that there is no answer and the best match is as good all the same: strong below the first, and so on.
VERDICTS: tuple[tuple[Verdict, float], ...] = (("strong", 0.05), ("fair", 0.25), ("weak", 0.75))
SURE = 1e-9  # matches are kept this far from 0 and 1, where the logit ends


@dataclass(frozen=True)
class Match:
    """Turn distances into probabilities by logistic regressions on held-out pairs and as many non-pairs.

    Both are by query's and target's modality, as "audio-visual"; of a query in words, "text-visual" or "text-audio".
    `coefficients`: the intercept, and the weights of the distance, of the query's and of the hit's log uncertainty
    (mean sigma). `unrelated`: mean and standard deviation of the logit of the best match that a query has in a video
    that it does not belong to; not of words.
    """

    coefficients: dict[str, tuple[float, float, float, float]]
    unrelated: dict[str, tuple[float, float]]

    @staticmethod
    def parse(stored: dict[str, Any]) -> Match:
        """Return a match of what `asdict` made of it, read from JSON."""
        parts = ({k: tuple(v) for k, v in stored[part].items()} for part in ("coefficients", "unrelated"))
        return Match(*parts)

    def knows(self, query: Asked, target: Modality) -> bool:
        """Say whether this direction was fitted; in words only what a front-end with a prior can be asked is."""
        return f"{query}-{target}" in self.coefficients

    def probability(
        self, query: Asked, target: Modality, asked: Latents, found: Latents, distance: Float64[np.ndarray, "k"]
    ) -> Float64[np.ndarray, "k"]:
        """Return the match, 0..1, of k hits `found` to the one query `asked`, or to k, each to its own."""
        intercept, *weights = self.coefficients[f"{query}-{target}"]
        facts = [distance, np.log(asked.sigma.mean(1, dtype=np.float64)), np.log(found.sigma.mean(1, dtype=np.float64))]
        return np.asarray(expit(intercept + sum(w * f for w, f in zip(weights, facts, strict=True))), np.float64)

    def verdict(self, query: Asked, target: Modality, best: float, videos: int) -> Verdict:
        """Judge an answer by its best match, 0 where there is no hit, in a library of so many videos."""
        return verdict_of(float(self.chance(query, target, np.array([best]), videos)[0]))

    def chance(
        self, query: Asked, target: Modality, matches: Float64[np.ndarray, "k"], videos: int
    ) -> Float64[np.ndarray, "k"]:
        """Return for each match the chance that the best of so many unrelated videos is as good.

        The more videos, the better that best one. The matches of words are of hits already: the chance is that the hit
        lacks them.
        """
        if query == "text":
            return 1 - matches
        mean, deviation = self.unrelated[f"{query}-{target}"]
        worse = log_ndtr((logit(np.clip(matches, SURE, 1 - SURE)) - mean) / deviation)  # in one video
        return np.asarray(-np.expm1(videos * worse), np.float64)


def verdict_of(chance: float) -> Verdict:
    """Return in words what a chance means."""
    return next((name for name, most in VERDICTS if chance < most), "nothing")
