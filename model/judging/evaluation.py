"""Measure retrieval and localization by the corrected protocol of docs/decisions/0004-protocol.md.

Retrieval: a gallery has one second of the event of each labelled video, the same for both modalities. Items of the
query's class are relevant. The query's own pair stays in the cross-modal gallery; the query itself is masked in A-A and
V-V. Localization: only videos whose event is shorter than the clip. `plain` takes the windows inside the clip, `rolled`
all circular windows, where position tells nothing.

Intervals of retrieval (docs/decisions/0018-intervals.md) let a video vary in both of its places, query and item: its
influence is what leaving it out, of queries and gallery, does to the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from model.data.corpus import UNLABELLED, Timeline
from model.data.draws import draw_seconds
from model.errors import NothingLabelled
from model.judging.localizers import Localizer, ScoreLocalizer
from model.judging.ranking import rank
from model.judging.scorers import Scorer
from model.modality import Modality

DIRECTIONS: dict[str, tuple[Modality, Modality]] = {
    "AA": ("audio", "audio"),
    "AV": ("audio", "visual"),
    "VA": ("visual", "audio"),
    "VV": ("visual", "visual"),
}
CROSSINGS: dict[str, tuple[Modality, Modality]] = {"A2V": ("audio", "visual"), "V2A": ("visual", "audio")}
METRICS = ("mrr", "map")
BOOTSTRAPS = 10_000
AT_ONCE = 500  # resamplings in memory

Values = Float64[np.ndarray, "_"]  # one per video


@dataclass(frozen=True)
class Interval:
    """Hold a mean over videos and its 95 % interval; None where nothing could be measured.

    `low` and `high` are None, too, where one video alone decides the figure. `n`: the number of queries or clips.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, eq=False)
class Figures:
    """Hold a system's figures per video, NaN where a video has none; all systems have the same videos.

    `retrieval[direction][mrr|map]` (labelled videos,), `localization[plain|rolled][crossing][exact|tiou]` (clips,).
    `influence`, in the shape of `retrieval`: see `influence_of`; without it intervals resample queries alone.
    `bounds`: what no mean, and so no interval, exceeds.
    """

    retrieval: dict[str, dict[str, Values]]
    localization: dict[str, dict[str, dict[str, Values]]]
    influence: dict[str, dict[str, Values]] | None = None
    bounds: tuple[float, float] = (0.0, 1.0)

    def combined(self, others: Sequence[Figures], combine: Callable[..., Values]) -> Figures:
        """Return figures whose every array is `combine` of this one's and the others'."""
        everyone = [self, *others]
        return Figures(
            of_each(combine, *(figures.retrieval for figures in everyone)),
            of_each(combine, *(figures.localization for figures in everyone)),
            of_each(combine, *(f.influence for f in everyone)) if all(f.influence for f in everyone) else None,
            self.bounds,
        )

    @staticmethod
    def mean(figures: Sequence[Figures]) -> Figures:
        """Return each video's mean, over seeds."""
        return figures[0].combined(figures[1:], lambda *values: np.asarray(np.mean(values, axis=0)))

    def __sub__(self, other: Figures) -> Figures:
        """Return the differences per video, for paired intervals."""
        return replace(self.combined([other], lambda ours, theirs: ours - theirs), bounds=(-1.0, 1.0))

    def contributions(self) -> dict[str, dict[str, Values]]:
        """Return, in the shape of `retrieval`, what to draw videos with: their mean is that of the figures."""
        if self.influence is None:
            return self.retrieval
        everything: dict[str, dict[str, Values]] = of_each(_contributions, self.retrieval, self.influence)
        return everything

    def report_means(self) -> dict[tuple[str, ...], float | None]:
        """Return the means over videos alone, by (direction, metric) and (view, crossing, metric)."""
        values = {(d, m): v for d, metrics in self.retrieval.items() for m, v in metrics.items()}
        placed = {
            (view, c, m): v
            for view, crossings in self.localization.items()
            for c, metrics in crossings.items()
            for m, v in metrics.items()
        }
        return {k: None if np.isnan(v).all() else float(np.nanmean(v)) for k, v in (values | placed).items()}

    def report(self, seed: int = 0) -> Report:
        """Return means and intervals; queries without a relevant item are counted as excluded."""
        missing = np.isnan(self.retrieval["AA"]["mrr"]) if "AA" in self.retrieval else np.zeros(0, bool)
        excluded = 0 if missing.all() else int(missing.sum())

        def bounded(values: Values, influence: Values | None = None) -> Interval:
            return interval(values, influence, seed, self.bounds)

        influence = () if self.influence is None else (self.influence,)
        return Report(of_each(bounded, self.retrieval, *influence), of_each(bounded, self.localization), excluded)


@dataclass(frozen=True)
class Report:
    """Hold a system's figures: means over videos with intervals, in the shape of `Figures`."""

    retrieval: dict[str, dict[str, Interval]]
    localization: dict[str, dict[str, dict[str, Interval]]]
    excluded_queries: int


def of_each(change: Callable[..., Any], *figures: Any) -> Any:
    """Return dictionaries, however deep, with `change` of what these hold at each place."""
    if not isinstance(figures[0], dict):
        return change(*figures)
    return {name: of_each(change, *(one[name] for one in figures)) for name in figures[0]}


def evaluate(timeline: Timeline, scorer: Scorer, galleries: int = 20, seed: int = 0) -> Report:
    """Measure a scorer, and the sum of its scores for localization, on the labelled videos of a timeline.

    Raises:
        NothingLabelled: fewer than two labelled videos have a second with both modalities in their event.
    """
    return measure(timeline, scorer, ScoreLocalizer(scorer, timeline), galleries, seed).report(seed)


def measure(
    timeline: Timeline, scorer: Scorer | None, localizer: Localizer, galleries: int = 20, seed: int = 0
) -> Figures:
    """Measure per video; without a scorer the figures of retrieval are NaN.

    Raises:
        NothingLabelled: fewer than two labelled videos have a second with both modalities in their event.
    """
    retrieval, influence = _retrieval(timeline, scorer, galleries, seed)
    return Figures(retrieval, localization(timeline, localizer, clips_of(timeline)), influence)


def interval(
    values: Values,
    influence: Values | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Return the mean over videos and its percentile bootstrap, which draws videos with their influence on the mean.

    NaN values are left out. The influence of a video is its value less the mean unless it is given, as it is where
    videos are items of each other's galleries. The interval is cut at `bounds`.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(None, None, None, 0)
    mean = float(known.mean())
    moves = known - mean if influence is None else influence
    if np.isnan(moves).any():
        return Interval(mean, None, None, len(known))
    around = np.percentile(bootstrap(lambda rows: moves[rows].mean(1), len(moves), seed), (2.5, 97.5))
    low, high = np.clip(mean + around, *bounds)
    return Interval(mean, float(low), float(high), len(known))


def _contributions(values: Values, influence: Values) -> Values:
    return values if np.isnan(values).all() else np.asarray(np.nanmean(values) + influence)


def influence_of(without: Float64[np.ndarray, "n"]) -> Values:
    """Return each video's influence on a mean, from the mean without it; the sum is zero.

    The jackknife: n - 1 times how far the mean falls. For a mean of values that do not depend on each other this is the
    value less the mean. NaN where a mean is.
    """
    return np.asarray((len(without) - 1) * (without.mean() - without))


def bootstrap(
    statistic: Callable[[Int64[np.ndarray, "b n"]], Values], videos: int, seed: int
) -> Float64[np.ndarray, "bootstraps"]:
    """Return a statistic of 10,000 bootstrap samples of so many videos; `statistic` gets 500 of them at a time."""
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, videos, (AT_ONCE, videos)) for _ in range(BOOTSTRAPS // AT_ONCE))
    return np.concatenate([statistic(rows) for rows in draws])


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
    timeline: Timeline, scorer: Scorer | None, galleries: int, seed: int
) -> tuple[dict[str, dict[str, Values]], dict[str, dict[str, Values]]]:
    """Return the figures and influences by direction and metric, means over the galleries."""
    rng = np.random.default_rng(seed)
    seconds = eligible_seconds(timeline)
    draws = draw_seconds(timeline.video[seconds], galleries, rng)
    label = timeline.label[np.unique(timeline.video[seconds])]
    if scorer is None:
        nothing = np.full(len(label), np.nan)
        unmeasured = {name: {"mrr": nothing, "map": nothing} for name in DIRECTIONS}
        return unmeasured, unmeasured
    relevant = label[:, None] == label
    own = np.eye(len(label), dtype=bool)
    figures, influence = {}, {}
    for name, (query, target) in DIRECTIONS.items():
        masked = own if query == target else None
        found, without = [], []
        for rows in draws:
            ranking = rank(scorer.score(query, seconds[rows], target, seconds[rows]), relevant, rng, masked)
            found.append((ranking.reciprocal_rank, ranking.average_precision))
            without.append(ranking.without_each())
        figures[name] = dict(zip(METRICS, np.mean(found, axis=0), strict=True))
        influence[name] = {m: influence_of(w) for m, w in zip(METRICS, np.mean(without, axis=0), strict=True)}
    return figures, influence


def localization(
    timeline: Timeline, localizer: Localizer, clips: Sequence[Clip]
) -> dict[str, dict[str, dict[str, Values]]]:
    """Return `[plain|rolled][crossing][exact|tiou]` (clips,) of what is to be found in each clip."""
    figures: dict[str, dict[str, dict[str, Values]]] = {}
    for view, rolled in (("plain", False), ("rolled", True)):
        figures[view] = {}
        for name, (query, target) in CROSSINGS.items():
            found = np.array(
                [_locate(timeline, localizer, clip, query, target, rolled) for clip in clips], np.float64
            ).reshape(-1, 2)
            figures[view][name] = {"exact": found[:, 0], "tiou": found[:, 1]}
    return figures


@dataclass(frozen=True, eq=False)
class Clip:
    """Hold rows of a video's seconds, and the one stretch, shorter than the clip, that is the query and to be found."""

    seconds: Int64[np.ndarray, "t"]
    start: int
    length: int

    @property
    def event(self) -> Int64[np.ndarray, "l"]:
        """Return the rows of the event's seconds."""
        return self.seconds[self.start : self.start + self.length]


def clips_of(timeline: Timeline) -> list[Clip]:
    """Return the labelled videos on which localization can be measured."""
    clips = []
    for video in range(len(timeline)):
        seconds = np.flatnonzero(timeline.video == video)
        inside = np.flatnonzero(timeline.event[seconds])
        if 0 < len(inside) < len(seconds) and inside[-1] - inside[0] + 1 == len(inside):
            clips.append(Clip(seconds, int(inside[0]), len(inside)))
    return clips


def _locate(
    timeline: Timeline, localizer: Localizer, clip: Clip, query: Modality, target: Modality, rolled: bool
) -> tuple[float, float]:
    """Return exact match and temporal IoU, ties shared; NaN where the query has a second without a latent."""
    present = {"audio": timeline.heard, "visual": timeline.seen}
    if not present[query][clip.event].all():
        return np.nan, np.nan
    windows = localizer.windows(query, clip.event, target, clip.seconds, rolled)
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
