"""Windows: the places in a recording where a query may lie, and which of them fits best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import expit, logit

from app.media.timings import Timings
from app.queries.work import Answer
from model.data.distance import distances
from model.data.latents import Latents
from model.errors import QueryError
from model.judging.windows import window_distances, window_probabilities
from model.modality import Modality
from model.network.encoder import Encoder
from model.network.match import SURE, Match, Verdict, verdict_of

FEW = 0.25  # of all windows: where these hold half of the probability, they stand out
CALIBRATED_S = 10  # matches are calibrated on clips of about this length: the best of more seconds is better by chance


@dataclass(frozen=True)
class Window:
    """One candidate; None and 0 where it holds a second without a latent (silence, or no picture)."""

    start_s: int
    distance: float | None
    probability: float


@dataclass(frozen=True, eq=False)
class Seconds:
    """Hold the latents of those seconds of a stretch that have one; `start_s` ascends, in the recording's own time.

    `notes`: what a person should know of how they were made.
    """

    modality: Modality
    stretch: range
    start_s: Int64[np.ndarray, "n"]
    latents: Latents
    notes: tuple[str, ...] = ()


def spanned(start_s: Int64[np.ndarray, "n"]) -> range:
    """Return the stretch from the first to the last of ascending seconds."""
    return range(int(start_s[0]), int(start_s[-1]) + 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Located(Answer):
    """Hold the best window [start_s, end_s), all windows and D(query second, target second); NaN without a latent.

    `searched`, `asked`: the stretches, in their recordings' own time, which the matrix has columns and rows of.
    `compared`: what of the query was compared: silent ends are cut off. `chance`: that the best window of an unrelated
    recording fits as well; None where the model is not calibrated.
    """

    start_s: int
    end_s: int
    searched: range
    asked: range
    compared: range
    windows: tuple[Window, ...]
    matrix: Float64[np.ndarray, "asked searched"]
    chance: float | None

    @property
    def stands_out(self) -> bool:
        """Say whether a quarter of the windows hold half of the probability: the answer is there, or the model errs."""
        likeliest = sorted((w.probability for w in self.windows if w.distance is not None), reverse=True)
        return sum(likeliest[: int(FEW * len(likeliest))]) >= 0.5

    @property
    def fit(self) -> Verdict | None:
        """Say in words what `chance` means."""
        return None if self.chance is None else verdict_of(self.chance)


def locate(query: Seconds, target: Seconds, encoder: Encoder, name: str, timings: Timings) -> Located:
    """Score every window of the target by the mean of its seconds' distances to the query's.

    Raises QueryError where every window has a second without a latent; `name`: the target's, for the message.
    """
    searched, asked, compared = target.stretch, query.stretch, spanned(query.start_s)
    with timings.stage("search"):
        matrix = np.full((len(asked), len(searched)), np.nan)
        rows, columns = query.start_s - asked.start, target.start_s - searched.start
        matrix[np.ix_(rows, columns)] = distances(query.latents, target.latents, encoder.checkpoint.weights).total
        found = window_distances(matrix[rows], offsets=query.start_s - compared.start)
        probabilities = window_probabilities(found, encoder.checkpoint.temperature, len(rows))
        if np.isnan(found).all():
            raise QueryError(
                f"every window of {len(compared)} s in {name} has a second without {target.modality}: ask with a "
                "shorter query"
            )
        best = int(np.nanargmin(found))
        at = best + query.start_s - compared.start
        chance = _chance(query, target, at, matrix[rows, at], encoder.checkpoint.match)
    return Located(
        start_s=searched.start + best,
        end_s=searched.start + best + len(compared),
        searched=searched,
        asked=asked,
        compared=compared,
        windows=tuple(
            Window(start, None if np.isnan(d) else float(d), float(p))
            for start, (d, p) in enumerate(zip(found, probabilities, strict=True), searched.start)
        ),
        matrix=matrix,
        chance=chance,
        fingerprint=encoder.fingerprint,
        timings_ms=timings.report(),
    )


def _chance(
    query: Seconds,
    target: Seconds,
    columns: Int64[np.ndarray, "n"],
    distance: Float64[np.ndarray, "n"],
    match: Match | None,
) -> float | None:
    """Return the chance that an unrelated recording has a window as good; None where the model cannot tell.

    `columns`: the window's second for each of the query's, in the stretch; `distance`: between both.
    """
    if match is None or not match.knows(query.modality, target.modality):
        return None
    found = target.latents[np.searchsorted(target.start_s - target.stretch.start, columns)]
    matches = match.probability(query.modality, target.modality, query.latents, found, distance)
    mean = expit(logit(np.clip(matches, SURE, 1 - SURE)).mean(keepdims=True))
    return float(match.chance(query.modality, target.modality, mean, max(1, len(target.start_s) // CALIBRATED_S))[0])
