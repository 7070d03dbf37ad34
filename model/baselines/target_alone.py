"""Rules that look at the target alone, never at the query: what the clip's own structure is worth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64

from model.baselines.system import Fitted, System
from model.data.corpus import Corpus
from model.judging.evaluation import measure
from model.judging.localizers import ClipRows, Event, Localizer, Windows
from model.modality import Modality

# (features of the clip's seconds, length of the window) -> a distance per circular window
TargetRule = Callable[[Float64[np.ndarray, "t d"], int], Float64[np.ndarray, "t"]]


class TargetLocalizer(Localizer):
    """Judge circular windows of the target's features by a rule; the plain view takes those that do not wrap."""

    def __init__(self, corpus: Corpus, rule: TargetRule) -> None:
        flat = {"audio": corpus.audio, "visual": corpus.visual}
        self._features = {m: x.reshape(len(x), -1).astype(np.float64) for m, x in flat.items()}
        self._rule = rule

    def windows(self, query: Modality, event: Event, target: Modality, clip: ClipRows, rolled: bool) -> Windows:
        """Return the rule's distances."""
        found = self._rule(self._features[target][clip], len(event))
        return found if rolled else found[: len(clip) - len(event) + 1]


class Seam(System):
    """Start after the largest circular jump of the target, or end before it: the variant that does better on val.

    A turned clip has a seam where its end meets its start, and many events touch an end of their clip.
    """

    name = "seam"
    label_free = False  # the variant is chosen by the event marks of val

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Choose the variant by rolled exact match on val, both ways."""
        rule = max((start_after_jump, end_before_jump), key=lambda rule: _rolled_exact(val, rule))
        return Fitted(None, lambda corpus: TargetLocalizer(corpus, rule), 1)


class TargetChangePoint(System):
    """Take the window that differs most from its rest: Ward's between-group variance."""

    name = "target_change_point"

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit nothing."""
        return Fitted(None, lambda corpus: TargetLocalizer(corpus, change_point))


def start_after_jump(features: Float64[np.ndarray, "t d"], length: int) -> Float64[np.ndarray, "t"]:
    """Return minus the jump into each second."""
    return np.asarray(-np.linalg.norm(features - np.roll(features, 1, axis=0), axis=1))


def end_before_jump(features: Float64[np.ndarray, "t d"], length: int) -> Float64[np.ndarray, "t"]:
    """Return, for each window, minus the jump out of its last second."""
    return np.roll(start_after_jump(features, length), -length)


def change_point(features: Float64[np.ndarray, "t d"], length: int) -> Float64[np.ndarray, "t"]:
    """Return minus l (t - l) / t ||mean inside - mean outside||^2, Ward 1963; zeros if the window is the clip."""
    seconds = len(features)
    if length == seconds:
        return np.zeros(seconds)
    inside = np.stack([np.roll(features, -start, axis=0)[:length].mean(0) for start in range(seconds)])
    outside = (features.sum(0) - length * inside) / (seconds - length)
    return np.asarray(-length * (seconds - length) / seconds * np.square(inside - outside).sum(1))


def _rolled_exact(val: Corpus, rule: TargetRule) -> float:
    rolled = measure(val, None, TargetLocalizer(val, rule), galleries=1).localization["rolled"]
    return float(np.mean([np.nanmean(figures["exact"]) for figures in rolled.values()]))
