"""Windows: the places in a recording where a query may lie, and which of them fits best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from app.media.timings import Timings
from app.queries.work import Answer
from model.data.distance import distances
from model.data.latents import Latents
from model.errors import QueryError
from model.judging.windows import window_distances, window_probabilities
from model.modality import Modality
from model.network.encoder import Encoder

FIRM = 1.5  # times chance: from here on a window stands out


@dataclass(frozen=True)
class Window:
    """One candidate; None and 0 where it holds a second without a latent (silence, or no picture)."""

    start_s: int
    distance: float | None
    probability: float


@dataclass(frozen=True, eq=False)
class Seconds:
    """Hold the latents of those seconds of a stretch that have one; `start_s` ascends, in the recording's own time."""

    modality: Modality
    stretch: range
    start_s: Int64[np.ndarray, "n"]
    latents: Latents


def spanned(start_s: Int64[np.ndarray, "n"]) -> range:
    """Return the stretch from the first to the last of ascending seconds."""
    return range(int(start_s[0]), int(start_s[-1]) + 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Located(Answer):
    """Hold the best window [start_s, end_s), all windows and D(query second, target second); NaN without a latent.

    `searched`, `asked`: the stretches, in their recordings' own time, which the matrix has columns and rows of.
    `compared`: what of the query was compared: silent ends are cut off.
    """

    start_s: int
    end_s: int
    searched: range
    asked: range
    compared: range
    windows: tuple[Window, ...]
    matrix: Float64[np.ndarray, "asked searched"]

    @property
    def stands_out(self) -> bool:
        """Say whether the best window is likelier than it would be if all were alike."""
        possible = [window.probability for window in self.windows if window.distance is not None]
        return len(possible) > 1 and max(possible) > FIRM / len(possible)


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
        probabilities = window_probabilities(found, encoder.checkpoint.temperature)
    if np.isnan(found).all():
        raise QueryError(
            f"every window of {len(compared)} s in {name} has a second without {target.modality}: ask with a shorter "
            "query"
        )
    best = searched.start + int(np.nanargmin(found))
    return Located(
        start_s=best,
        end_s=best + len(compared),
        searched=searched,
        asked=asked,
        compared=compared,
        windows=tuple(
            Window(start, None if np.isnan(d) else float(d), float(p))
            for start, (d, p) in enumerate(zip(found, probabilities, strict=True), searched.start)
        ),
        matrix=matrix,
        fingerprint=encoder.fingerprint,
        timings_ms=timings.report(),
    )
