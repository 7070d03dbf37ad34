"""How often an interval covers the truth: intervals that draw videos as queries alone, and as queries and items.

    python -m benchmarks.quality.intervals [--videos 30,100,400] [--samples 1000] [--galleries 5] [--seed 0] [--json F]

A population of videos of 28 kinds, some of them frequent, is made of random numbers. A video is a point near its kind;
its sounds and pictures lie around it, how far differs from video to video. Each sample is a library of so many videos,
measured as the evaluation does. The truth of a figure is its mean over all samples of one size; `covered` is the share
of samples whose interval holds it, .95 if the interval is what it says. `minus_other` is the difference to a system
with noisier sounds, paired by video. `width`: the mean length of the intervals; `deviation`: the standard deviation of
the figure over samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int64

from benchmarks.report import json_parser, tell
from model.baselines.blind import PositionLocalizer
from model.data.corpus import Timeline
from model.judging.evaluation import Interval, interval, measure
from model.judging.own_video import own_video_figures
from model.judging.scorers import EmbeddingScorer

KINDS, DIMENSIONS, SECONDS = 28, 16, 5
RULES = ("queries", "queries_and_items")
SPREAD, NOISE, LOUD = 0.7, 0.8, 1.5  # of a kind's videos, of a video's seconds, of the other system's sounds
_POPULATION = np.random.default_rng(0)
KIND = _POPULATION.standard_normal((KINDS, DIMENSIONS))
KIND_SHARE = _POPULATION.dirichlet(np.full(KINDS, 2.0))

Found = dict[str, tuple[Interval, Interval]]  # by figure: drawing queries alone, drawing queries and items


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--videos", default="30,100,400")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--galleries", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    report: dict[str, Any] = {"nominal": 0.95, "samples": arguments.samples, "galleries": arguments.galleries}
    for videos in map(int, arguments.videos.split(",")):
        rng = np.random.default_rng([arguments.seed, videos])
        found = [sample(videos, arguments.galleries, rng) for _ in range(arguments.samples)]
        report[str(videos)] = {name: coverage([one[name] for one in found]) for name in found[0]}
    tell(report, arguments.json)


def sample(videos: int, galleries: int, rng: np.random.Generator) -> Found:
    """Draw a library and return the intervals of its figures."""
    kind = rng.choice(KINDS, videos, p=KIND_SHARE)
    here = KIND[kind] + SPREAD * rng.standard_normal((videos, DIMENSIONS))
    noise = NOISE * np.exp(0.5 * rng.standard_normal((videos, 1)))
    of_videos = [here + noise * rng.standard_normal(here.shape) for _ in range(2)]
    sounds, pictures = (
        np.repeat(one, SECONDS, 0) + np.repeat(noise, SECONDS, 0) * rng.standard_normal((videos * SECONDS, DIMENSIONS))
        for one in of_videos
    )
    line = timeline(kind)
    scorer = EmbeddingScorer(sounds, pictures, "euclidean")
    other = EmbeddingScorer(sounds + LOUD * rng.standard_normal(sounds.shape), pictures, "euclidean")
    localizer, seed = PositionLocalizer(lambda windows, length: np.zeros(windows)), int(rng.integers(2**31))
    ours, theirs = (measure(line, one, localizer, galleries, seed) for one in (scorer, other))
    own, other_own = (
        own_video_figures(one, np.arange(len(line.video)), line.video, galleries, seed) for one in (scorer, other)
    )
    found = {}
    for name, figures, keys in (
        ("{} {}", ours, [(d, m) for d in ("AA", "AV") for m in ("mrr", "map")]),
        ("{} {} minus_other", ours - theirs, [("AV", "mrr"), ("AV", "map")]),
        ("{} own video of {}", own, [("AV", m) for m in own.retrieval["AV"]]),
        ("{} own video of {} minus_other", own - other_own, [("AV", m) for m in own.retrieval["AV"]]),
    ):
        report = figures.report(seed).retrieval
        for d, m in keys:
            found[name.format(d, m)] = (interval(figures.retrieval[d][m], seed), report[d][m])
    return found


def timeline(kind: Int64[np.ndarray, "videos"]) -> Timeline:
    """Return videos that show their kind all the time."""
    videos = len(kind)
    every = np.ones(videos * SECONDS, bool)
    return Timeline(
        heard=every,
        seen=every,
        event=every,
        video=np.repeat(np.arange(videos), SECONDS),
        start_s=np.tile(np.arange(SECONDS), videos),
        video_ids=tuple(map(str, range(videos))),
        label=kind,
        classes=tuple(map(str, range(KINDS))),
    )


def coverage(found: list[tuple[Interval, Interval]]) -> dict[str, Any]:
    """Return how often each rule's intervals hold the mean over samples, and how long they are."""
    means = np.array([one.mean for one, _ in found], np.float64)
    facts: dict[str, Any] = {"truth": float(means.mean()), "deviation": float(means.std())}
    for rule, intervals in zip(RULES, zip(*found, strict=True), strict=True):
        ends = np.array([(i.low, i.high) for i in intervals], np.float64)
        inside = (ends[:, 0] <= means.mean()) & (means.mean() <= ends[:, 1])
        facts[rule] = {"covered": float(inside.mean()), "width": float(np.diff(ends, axis=1).mean())}
    return facts


if __name__ == "__main__":
    main()
