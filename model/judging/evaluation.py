"""Measure retrieval and localization by the corrected protocol of docs/decisions/0004-protocol.md.

Retrieval: a gallery has one second of the event of each labelled video, the same for both modalities. Items of the
query's class are relevant. The query's own pair stays in the cross-modal gallery; the query itself is masked in A-A and
V-V. Localization: only videos whose event is shorter than the clip. `plain` takes the windows inside the clip, `rolled`
all circular windows, where position tells nothing.

Intervals of retrieval draw videos as queries and as items of the gallery (model/judging/spread.py); those of
localization are percentile bootstraps over videos.
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
from model.judging.spread import ends, spread_of
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
    `influence` and `pairs`, in the shape of `retrieval`: see `spread_of`; without them intervals draw queries alone.
    `bounds`: what no mean, and so no interval, exceeds.
    """

    retrieval: dict[str, dict[str, Values]]
    localization: dict[str, dict[str, dict[str, Values]]]
    influence: dict[str, dict[str, Values]] | None = None
    pairs: dict[str, dict[str, Values]] | None = None
    bounds: tuple[float, float] = (0.0, 1.0)

    def combined(self, others: Sequence[Figures], combine: Callable[..., Values]) -> Figures:
        """Return figures whose every array is `combine` of this one's and the others'."""
        everyone = [vars(figures) for figures in (self, *others)]
        parts = ("retrieval", "localization", "influence", "pairs")
        return Figures(
            **{
                part: of_each(combine, *(one[part] for one in everyone))
                for part in parts
                if all(one[part] is not None for one in everyone)
            },
            bounds=self.bounds,
        )

    @staticmethod
    def mean(figures: Sequence[Figures]) -> Figures:
        """Return each video's mean, over seeds."""
        return figures[0].combined(figures[1:], lambda *values: np.asarray(np.mean(values, axis=0)))

    def beside(self, other: Figures) -> Figures:
        """Return these figures with another's of retrieval beside them; both have intervals, or neither has."""

        def both(part: str) -> Any:
            ours, theirs = getattr(self, part), getattr(other, part)
            return ours and {direction: figures | theirs.get(direction, {}) for direction, figures in ours.items()}

        return replace(self, **{part: both(part) for part in ("retrieval", "influence", "pairs")})

    def __sub__(self, other: Figures) -> Figures:
        """Return the differences per video, for paired intervals."""
        return replace(self.combined([other], lambda ours, theirs: ours - theirs), bounds=(-1.0, 1.0))

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

        if self.influence is None:
            retrieval = of_each(lambda values: interval(values, seed), self.retrieval)
        else:
            retrieval = of_each(self._interval, self.retrieval, self.influence, self.pairs)
        return Report(retrieval, of_each(lambda values: interval(values, seed), self.localization), excluded)

    def _interval(self, values: Values, influence: Values, pairs: Values) -> Interval:
        known = values[~np.isnan(values)]
        if not len(known):
            return Interval(None, None, None, 0)
        mean = float(known.mean())
        found = ends(mean, influence, pairs)
        low, high = (None, None) if found is None else np.clip(found, *self.bounds).tolist()
        return Interval(mean, low, high, len(known))


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
    figures = _retrieval(timeline, scorer, galleries, seed)
    return replace(figures, localization=localization(timeline, localizer, clips_of(timeline)))


def interval(values: Values, seed: int = 0) -> Interval:
    """Return the mean over videos and the percentile bootstrap over videos; NaN values are left out.

    Right for figures of videos alone. One that is found in a gallery of the same videos varies with these, too.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(None, None, None, 0)
    low, high = np.percentile(bootstrap(lambda rows: known[rows].mean(1), len(known), seed), (2.5, 97.5))
    return Interval(float(known.mean()), float(low), float(high), len(known))


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


def _retrieval(timeline: Timeline, scorer: Scorer | None, galleries: int, seed: int) -> Figures:
    rng = np.random.default_rng(seed)
    seconds = eligible_seconds(timeline)
    draws = draw_seconds(timeline.video[seconds], galleries, rng)
    label = timeline.label[np.unique(timeline.video[seconds])]
    if scorer is None:
        nothing = np.full(len(label), np.nan)
        return Figures({name: dict.fromkeys(METRICS, nothing) for name in DIRECTIONS}, {})
    relevant = label[:, None] == label
    own = np.eye(len(label), dtype=bool)
    found = {}
    for name, (query, target) in DIRECTIONS.items():
        masked = own if query == target else None
        figures = {metric: np.zeros(len(label)) for metric in METRICS}
        without = {metric: np.zeros(own.shape) for metric in METRICS}
        for rows in draws:
            ranking = rank(scorer.score(query, seconds[rows], target, seconds[rows]), relevant, rng, masked)
            each = (ranking.reciprocal_rank, ranking.average_precision)
            for metric, values, others in zip(METRICS, each, ranking.without_each(), strict=True):
                figures[metric] += values
                without[metric] += others
        found[name] = {metric: (figures[metric] / galleries, without[metric] / galleries) for metric in METRICS}
    return figures_of(found)


def figures_of(found: dict[str, dict[str, tuple[Values, Float64[np.ndarray, "n n"]]]]) -> Figures:
    """Return figures of retrieval; `found` has them by direction and metric, each with those without item i."""
    spread = of_each(lambda one: spread_of(*one), found)
    figures, influence, pairs = (
        of_each(lambda one, part=part: one[part], of) for of, part in ((found, 0), (spread, 0), (spread, 1))
    )
    return Figures(figures, {}, influence, pairs)


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
