"""Localizers: how far is each window of a clip from a query?"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float64, Int64

from model.data.corpus import Timeline
from model.judging.scorers import Scorer
from model.judging.windows import window_distances
from model.modality import Modality

Event = Int64[np.ndarray, "l"]  # rows of the query's seconds
ClipRows = Int64[np.ndarray, "t"]  # rows of the target's seconds
Windows = Float64[np.ndarray, "windows"]  # a distance each


class Localizer(ABC):
    """Judge the windows of a clip; `event` and `clip` are rows of one corpus, in order of time."""

    @abstractmethod
    def windows(self, query: Modality, event: Event, target: Modality, clip: ClipRows, rolled: bool) -> Windows:
        """Return a distance per window of `l` target seconds, small is good, NaN where there is none.

        Without `rolled`: the t - l + 1 windows within the clip. With it: all t circular windows; a localizer that uses
        absolute time then returns its mean over the target turned by 0 to t - 1 seconds.
        """


class ScoreLocalizer(Localizer):
    """The rule of Zhu et al., ICASSP 2021: the sum over the query's seconds of the score."""

    def __init__(self, scorer: Scorer, timeline: Timeline) -> None:
        self._scorer = scorer
        self._present = {"audio": timeline.heard, "visual": timeline.seen}

    def windows(self, query: Modality, event: Event, target: Modality, clip: ClipRows, rolled: bool) -> Windows:
        """Return mean distances; a window with a second that lacks the target modality has none."""
        matrix = self._scorer.score(query, event, target, clip)
        matrix[:, ~self._present[target][clip]] = np.nan
        return window_distances(matrix, rolled)
