"""Measure retrieval without labels: does the sound of a second find a picture of its own video, and the reverse?

A gallery has one second of each video, the same for both modalities. The figure is the mean reciprocal rank of the own
video. It falls as the gallery grows, so a second one has galleries of nine: the own video and eight others, the mean
over every such choice. That one can be compared between libraries. A copy of the own video counts as another video.

Recall at 1, 5 and 10 is the share of queries whose own video is among so many first ones of all, as in the audio-visual
retrieval tasks of MTEB (Muennighoff et al., "MTEB: Massive text embedding benchmark", EACL 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64, Int64

from model.data.draws import draw_seconds
from model.errors import NothingToMeasure
from model.judging.evaluation import CROSSINGS, Figures, Interval, Values, figures_of
from model.judging.scorers import Scorer

NINE = 9
RECALL_AT = (1, 5, 10)
DIRECTIONS = {"AV": CROSSINGS["A2V"], "VA": CROSSINGS["V2A"]}

Worth = Callable[[int], Values]  # of so many others: a query's figure where 0, 1, ... of them come before the own video


@dataclass(frozen=True)
class OwnVideoMRR:
    """Hold the MRR by direction, its chance, and how many videos a gallery has."""

    mrr: dict[str, Interval]
    chance: float
    gallery: int


@dataclass(frozen=True)
class OwnVideoRecall:
    """Hold the recall by direction and its chance."""

    recall: dict[str, Interval]
    chance: float


@dataclass(frozen=True)
class OwnVideo:
    """Hold the figures among one second of every video and, of nine videos or more, those among nine.

    `recall_at[1|5|10]`: the recall among all.
    """

    all: OwnVideoMRR
    nine: OwnVideoMRR | None
    recall_at: dict[str, OwnVideoRecall]


def own_video(
    scorer: Scorer, seconds: Int64[np.ndarray, "n"], video: Int64[np.ndarray, "n"], galleries: int = 20, seed: int = 0
) -> OwnVideo:
    """Measure a scorer as `own_video_figures` does; return means with chance and intervals."""
    report = own_video_figures(scorer, seconds, video, galleries, seed).report(seed).retrieval
    videos = len(np.unique(video))

    def mrr(name: str, gallery: int) -> OwnVideoMRR:
        return OwnVideoMRR({d: found[name] for d, found in report.items()}, chance_of(gallery), gallery)

    def recall(k: int) -> OwnVideoRecall:
        return OwnVideoRecall({d: found[f"recall_at_{k}"] for d, found in report.items()}, min(1.0, k / videos))

    nine = mrr("nine", NINE) if videos >= NINE else None
    return OwnVideo(mrr("all", videos), nine, {str(k): recall(k) for k in RECALL_AT})


def own_video_figures(
    scorer: Scorer, seconds: Int64[np.ndarray, "n"], video: Int64[np.ndarray, "n"], galleries: int = 20, seed: int = 0
) -> Figures:
    """Measure on `seconds`, rows of the scorer's corpus that have both modalities; `video` (n,) is theirs, ascending.

    Returns `retrieval[AV|VA][all|nine|recall_at_1|recall_at_5|recall_at_10]` per video; `nine` where there are nine.

    Raises:
        NothingToMeasure: fewer than two videos.
    """
    videos = len(np.unique(video))
    if videos < 2:
        raise NothingToMeasure(
            f"{videos} videos with both sound and picture given, at least 2 expected: a measurement looks for the own "
            "video among others; add footage with: echolens ingest PATH --library DIR"
        )
    rng = np.random.default_rng(seed)
    draws = seconds[draw_seconds(video, galleries, rng)]
    sizes = {"all": videos} | ({"nine": NINE} if videos >= NINE else {})
    worth: dict[str, Worth] = {size: partial(_reciprocal_ranks, gallery=gallery) for size, gallery in sizes.items()}
    worth |= {f"recall_at_{k}": partial(_recalls, k=k) for k in RECALL_AT}
    found = {}
    for name, (query, target) in DIRECTIONS.items():
        closer = [_closer(scorer.score(query, rows, target, rows), rng) for rows in draws]
        found[name] = {figure: _found(closer, of) for figure, of in worth.items()}
    return figures_of(found)


def own_pair_figures(
    scorer: Scorer | None,
    seconds: Int64[np.ndarray, "n"],
    video: Int64[np.ndarray, "n"],
    galleries: int = 20,
    seed: int = 0,
) -> Figures:
    """Return `retrieval[AV|VA][own_mrr|own_recall_at_1|...]` per video, among all; NaN without a scorer.

    Raises:
        NothingToMeasure: fewer than two videos.
    """
    names = {"own_mrr": "all"} | {f"own_recall_at_{k}": f"recall_at_{k}" for k in RECALL_AT}
    if scorer is None:
        nothing = np.full(len(np.unique(video)), np.nan)
        return Figures({direction: dict.fromkeys(names, nothing) for direction in DIRECTIONS}, {})
    found = own_video_figures(scorer, seconds, video, galleries, seed)

    def named(part: dict[str, dict[str, Values]] | None) -> dict[str, dict[str, Values]]:
        assert part is not None, "figures of own video have intervals"
        return {direction: {name: of[key] for name, key in names.items()} for direction, of in part.items()}

    return Figures(named(found.retrieval), {}, named(found.influence), named(found.pairs))


def own_pair_chance(videos: int) -> dict[str, float]:
    """Return what a random order of so many videos gives, by figure."""
    return {"own_mrr": chance_of(videos)} | {f"own_recall_at_{k}": min(1.0, k / videos) for k in RECALL_AT}


def among_two(
    scorer: Scorer, seconds: Int64[np.ndarray, "n"], video: Int64[np.ndarray, "n"], galleries: int = 20, seed: int = 0
) -> Values:
    """Return each video's expected reciprocal rank beside one other, over both directions; chance is .75.

    Unlike the figures among all or nine it does not depend on how many videos there are. At least two are needed.
    """
    rng = np.random.default_rng(seed)
    draws = seconds[draw_seconds(video, galleries, rng)]
    closer = [
        _closer(scorer.score(query, rows, target, rows), rng) for query, target in DIRECTIONS.values() for rows in draws
    ]
    others = draws.shape[1] - 1
    return np.asarray(1 - 0.5 * np.mean([before.sum(1) for before in closer], axis=0) / others)


def chance_of(gallery: int) -> float:
    """Return the mean reciprocal rank of one item among so many in random order."""
    return float(np.mean(1 / np.arange(1, gallery + 1)))


def _closer(distances: Float64[np.ndarray, "n n"], rng: np.random.Generator) -> Bool[np.ndarray, "n n"]:
    """Return which items come before the query's own, ties in random order."""
    tie = rng.random(distances.shape)
    own, own_tie = np.diagonal(distances)[:, None], np.diagonal(tie)[:, None]
    return np.asarray((distances < own) | ((distances == own) & (tie < own_tie)))


def _found(closer: list[Bool[np.ndarray, "n n"]], worth: Worth) -> tuple[Values, Float64[np.ndarray, "n n"]]:
    """Return each query's figure, and that without item i, for each i, means over the galleries."""
    videos = len(closer[0])
    whole, fewer = (worth(others) for others in (videos - 1, videos - 2))
    figures, without = np.zeros(videos), np.zeros((videos, videos))
    for others in closer:
        before = others.sum(1)
        figures += whole[before]
        without += fewer[np.minimum(before[:, None] - others, videos - 2)]
    return figures / len(closer), without / len(closer)


def _reciprocal_ranks(others: int, gallery: int) -> Float64[np.ndarray, "others_and_none"]:
    """Return the expected reciprocal rank where 0, 1, ... of the others come before the own video.

    A gallery draws its others, without replacement.
    """
    from scipy.stats import hypergeom  # here: slow to load, and needed where figures are made alone

    drawn = min(gallery - 1, others)
    before = np.arange(drawn + 1)
    chance = hypergeom.pmf(before, others, np.arange(others + 1)[:, None], drawn)
    return np.asarray((chance / (1 + before)).sum(1))


def _recalls(others: int, k: int) -> Float64[np.ndarray, "others_and_none"]:
    """Return 1 where fewer than k of the others come before the own video, else 0."""
    return np.asarray(np.arange(others + 1) < k, np.float64)
