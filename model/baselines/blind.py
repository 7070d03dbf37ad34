"""Rules that look at neither sound nor picture: what position and chance alone are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64

from model.baselines.system import Fitted, System
from model.data.corpus import Corpus, Timeline
from model.judging.evaluation import Interval, clips_of, measure
from model.judging.localizers import ClipRows, Event, Localizer, Windows
from model.judging.scorers import RandomScorer
from model.modality import Modality

Preference = Callable[[int, int], Float64[np.ndarray, "windows"]]  # (windows, length) -> distances


class PositionLocalizer(Localizer):
    """Prefer windows by where they begin."""

    def __init__(self, preference: Preference) -> None:
        self._preference = preference

    def windows(self, query: Modality, event: Event, target: Modality, clip: ClipRows, rolled: bool) -> Windows:
        """Return the rule's distances; over all turns of the target every circular window is the same to it."""
        if rolled:
            return np.zeros(len(clip))
        return self._preference(len(clip) - len(event) + 1, len(event))


class PositionRule(System):
    """A fixed rule of position."""

    def __init__(self, name: str, preference: Preference) -> None:
        self.name, self.preference = name, preference

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit nothing."""
        return Fitted(None, lambda corpus: PositionLocalizer(self.preference))


class TrainPrior(System):
    """Begin where events of that length most often begin in the training split; knows its event marks."""

    name = "train_prior"
    label_free = False

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Count the training events by length and start; a length that never occurred prefers nothing."""
        count = Counter((clip.length, clip.start) for clip in clips_of(train))

        def preference(windows: int, length: int) -> Float64[np.ndarray, "windows"]:
            return np.array([-count[length, start] for start in range(windows)], np.float64)

        return Fitted(None, lambda corpus: PositionLocalizer(preference), len(count))


class RandomRanking(System):
    """Chance: distances that mean nothing."""

    name = "random_ranking"

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit nothing."""
        return Fitted(lambda corpus: RandomScorer(seed))


UNIFORM = PositionRule("uniform", lambda windows, length: np.zeros(windows))
ALWAYS_FIRST = PositionRule("always_first", lambda windows, length: np.arange(windows, dtype=np.float64))
ALWAYS_LAST = PositionRule("always_last", lambda windows, length: -np.arange(windows, dtype=np.float64))


def blind_rules(timeline: Timeline, seed: int = 0) -> dict[str, dict[str, dict[str, dict[str, Interval]]]]:
    """Return localization by the fixed rules of position, as `Report.localization`."""
    judges = {rule.name: PositionLocalizer(rule.preference) for rule in (UNIFORM, ALWAYS_FIRST, ALWAYS_LAST)}
    return {name: measure(timeline, None, judge).report(seed).localization for name, judge in judges.items()}
