"""Measure retrieval and localization, corrected as docs/decisions/0004-protocol.md says.

Retrieval: per labelled video one second of its event, the same for both modalities; relevant is what has the
query's class. The own pair stays in the cross-modal gallery; the own item is masked in A-A and V-V.
Localization: videos whose event is shorter than the clip; `plain` takes the windows inside the clip, `rolled`
all circular windows, where position tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from model.corpus import UNLABELLED, Timeline
from model.errors import NothingLabelled
from model.localization import window_distances
from model.msvae import Modality
from model.ranking import rank
from model.scorers import Scorer
from model.validation import draw_seconds

DIRECTIONS: dict[str, tuple[Modality, Modality]] = {
    "AA": ("audio", "audio"),
    "AV": ("audio", "visual"),
    "VA": ("visual", "audio"),
    "VV": ("visual", "visual"),
}
CROSSINGS: dict[str, tuple[Modality, Modality]] = {"A2V": ("audio", "visual"), "V2A": ("visual", "audio")}
BOOTSTRAPS = 10_000


@dataclass(frozen=True)
class Interval:
    """Hold a mean over videos and its 95 % bootstrap interval; None where nothing could be measured."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Report:
    """Hold a system's figures.

    `retrieval[direction][mrr|map]`, `localization[plain|rolled][crossing][exact|tiou]`.
    """

    retrieval: dict[str, dict[str, Interval]]
    localization: dict[str, dict[str, dict[str, Interval]]]
    excluded_queries: int


def evaluate(timeline: Timeline, scorer: Scorer, galleries: int = 20, seed: int = 0) -> Report:
    """Measure a scorer on the labelled videos of a timeline.

    Raises:
        NothingLabelled: fewer than two labelled videos have a second with both modalities in their event.
    """
    retrieval, excluded = _retrieval(timeline, scorer, galleries, seed)
    return Report(retrieval, _localization(timeline, scorer, seed), excluded)


def interval(values: Float64[np.ndarray, "videos"], seed: int = 0) -> Interval:
    """Return the mean over videos and the percentile bootstrap over videos; NaN values are left out."""
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(None, None, None, 0)
    rng = np.random.default_rng(seed)
    means = [known[rng.integers(0, len(known), (500, len(known)))].mean(1) for _ in range(BOOTSTRAPS // 500)]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return Interval(float(known.mean()), float(low), float(high), len(known))


def eligible_seconds(timeline: Timeline) -> Int64[np.ndarray, "n"]:
    """Return the seconds of labelled events that have both modalities.

    Raises:
        NothingLabelled: they come from fewer than two videos.
    """
    labelled = timeline.label[timeline.video] != UNLABELLED
    seconds = np.flatnonzero(timeline.paired & timeline.event & labelled)
    if len(np.unique(timeline.video[seconds])) < 2:
        raise NothingLabelled(
            "a measurement needs at least two labelled videos with sound and picture in their event; label "
            "some with: echolens ingest DIR --labels CSV, or PATCH /videos/{id}"
        )
    return seconds


def _retrieval(
    timeline: Timeline, scorer: Scorer, galleries: int, seed: int
) -> tuple[dict[str, dict[str, Interval]], int]:
    rng = np.random.default_rng(seed)
    seconds = eligible_seconds(timeline)
    draws = draw_seconds(timeline.video[seconds], galleries, rng)
    label = timeline.label[np.unique(timeline.video[seconds])]
    relevant = label[:, None] == label
    own = np.eye(len(label), dtype=bool)
    figures, excluded = {}, 0
    for name, (query, target) in DIRECTIONS.items():
        masked = own if query == target else None
        rankings = [
            rank(scorer.score(query, seconds[rows], target, seconds[rows]), relevant, rng, masked) for rows in draws
        ]
        mrr = np.mean([r.reciprocal_rank for r in rankings], axis=0)
        precision = np.mean([r.average_precision for r in rankings], axis=0)
        figures[name] = {"mrr": interval(mrr, seed), "map": interval(precision, seed)}
        excluded = max(excluded, int(np.isnan(mrr).sum()))
    return figures, excluded


def blind_rules(timeline: Timeline, seed: int = 0) -> dict[str, dict[str, dict[str, dict[str, Interval]]]]:
    """Return localization by rules that look at nothing: uniform, always_first, always_last.

    In the rolled view first and last mean nothing: the target is turned by every offset, so each is uniform.
    """
    clips = [clip for v in range(len(timeline)) if (clip := _clip(timeline, v)) is not None]
    choices: dict[str, Callable[[int], Int64[np.ndarray, "m"]]] = {
        "uniform": np.arange,
        "always_first": lambda windows: np.array([0]),
        "always_last": lambda windows: np.array([windows - 1]),
    }
    report: dict[str, dict[str, dict[str, dict[str, Interval]]]] = {}
    for name, choose in choices.items():
        report[name] = {}
        for view, rolled in (("plain", False), ("rolled", True)):
            exact, overlap = [], []
            for clip in clips:
                overlaps = window_overlaps(len(clip.seconds), clip.length, clip.start, rolled)
                best = (np.arange if rolled else choose)(len(overlaps))
                exact.append(float(np.mean(best == clip.start)))
                overlap.append(float(overlaps[best].mean()))
            figures = {"exact": interval(np.array(exact), seed), "tiou": interval(np.array(overlap), seed)}
            report[name][view] = dict.fromkeys(CROSSINGS, figures)
    return report


def _localization(timeline: Timeline, scorer: Scorer, seed: int) -> dict[str, dict[str, dict[str, Interval]]]:
    clips = [clip for v in range(len(timeline)) if (clip := _clip(timeline, v)) is not None]
    report: dict[str, dict[str, dict[str, Interval]]] = {}
    for view, rolled in (("plain", False), ("rolled", True)):
        report[view] = {}
        for name, (query, target) in CROSSINGS.items():
            found = np.array(
                [_locate(timeline, scorer, clip, query, target, rolled) for clip in clips], np.float64
            ).reshape(-1, 2)
            report[view][name] = {
                "exact": interval(found[:, 0], seed),
                "tiou": interval(found[:, 1], seed),
            }
    return report


@dataclass(frozen=True, eq=False)
class _Clip:
    seconds: Int64[np.ndarray, "t"]
    start: int
    length: int


def _clip(timeline: Timeline, video: int) -> _Clip | None:
    """Return a labelled video whose event is one stretch, shorter than the clip."""
    seconds = np.flatnonzero(timeline.video == video)
    inside = np.flatnonzero(timeline.event[seconds])
    if not 0 < len(inside) < len(seconds) or inside[-1] - inside[0] + 1 != len(inside):
        return None
    return _Clip(seconds, int(inside[0]), len(inside))


def _locate(
    timeline: Timeline, scorer: Scorer, clip: _Clip, query: Modality, target: Modality, rolled: bool
) -> tuple[float, float]:
    """Return exact match and temporal IoU, ties shared; NaN where the query has a second without a latent."""
    present = {"audio": timeline.heard, "visual": timeline.seen}
    event = clip.seconds[clip.start : clip.start + clip.length]
    if not present[query][event].all():
        return np.nan, np.nan
    matrix = scorer.score(query, event, target, clip.seconds)
    matrix[:, ~present[target][clip.seconds]] = np.nan
    windows = window_distances(matrix, rolled)
    if np.isnan(windows).all():
        return 0.0, 0.0
    best = np.flatnonzero(windows == np.nanmin(windows))
    overlap = window_overlaps(len(clip.seconds), clip.length, clip.start, rolled)
    return float(np.mean(best == clip.start)), float(overlap[best].mean())


def window_overlaps(seconds: int, length: int, start: int, rolled: bool) -> Float64[np.ndarray, "windows"]:
    """Return the temporal IoU of every window with the event [start, start + length)."""
    inside = np.zeros(seconds, bool)
    inside[start : start + length] = True
    windows = np.arange(seconds if rolled else seconds - length + 1)
    shared = inside[(windows[:, None] + np.arange(length)) % seconds].sum(1)
    return np.asarray(shared / (2 * length - shared), np.float64)
