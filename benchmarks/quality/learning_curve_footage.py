"""What a learning curve is made on: videos to train with, so many at a time, and others that judge.

`ArchiveFootage`: a feature archive, without a prior. Trains on videos of `train`, judges on `test`, four directions;
seconds of the query's class are right. `ClipFootage`: a library whose front-end has a prior. Own video among nine, by
five folds (benchmarks/quality/own_video_folds.py): a held-out clip is judged by what was made of the others. The prior,
and the starting model's match, are measured on all the others, as footage that is not the user's; training and CCA
have so many of these.

Some videos hold others: those of one seed are the first ones of one random order.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int64

from app.library.features import corpus_of
from app.library.session import Session
from benchmarks.learning.generic_footage import measure_prior
from benchmarks.quality.own_video_folds import Table, add_ranks, folds, in_context, same_video_groups, start_of
from model.baselines.msvae import ARCHIVE
from model.concepts.concepts import Concepts
from model.data.archive import load_archive
from model.data.corpus import FEWEST_VIDEOS, Corpus
from model.data.draws import draw_seconds
from model.errors import TrainingError
from model.judging.evaluation import Figures, eligible_seconds, measure
from model.judging.localizers import ScoreLocalizer
from model.judging.own_video import DIRECTIONS as CROSSINGS
from model.judging.scorers import Correlation, LatentScorer, RandomScorer, Scorer
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.training.plan import train
from model.training.recipe import DEFAULT

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Layout:
    """Name the columns, each a direction and a metric, and the systems.

    `fixed`: systems that no training video changes. `grown`: those that learn, the trained model last. `rival`: what
    the trained model must beat.
    """

    columns: dict[str, tuple[str, str]]
    fixed: tuple[str, ...]
    grown: tuple[str, ...]
    rival: str


@dataclass(frozen=True, eq=False)
class Measured:
    """Hold each system's figures, and facts of the training."""

    systems: dict[str, Figures]
    facts: dict[str, Any]


class Footage(ABC):
    """Train on some videos and judge by others."""

    layout: ClassVar[Layout]
    facts: dict[str, Any]  # what a curve is of: figures of other facts are another curve's
    most: int  # videos that training can have
    sizes: tuple[int, ...]  # numbers of videos that are tried if none are named

    @abstractmethod
    def measure(self, size: int, seed: int, galleries: int) -> Measured:
        """Train on so many videos and judge every system. Raises TrainingError: they cannot be trained on."""


class ArchiveFootage(Footage):
    """A feature archive."""

    layout = Layout(
        {"A-A": ("AA", "mrr"), "A-V": ("AV", "mrr"), "V-A": ("VA", "mrr"), "V-V": ("VV", "mrr")},
        ("chance",),
        ("linear_cca", "trained"),
        "linear_cca",
    )
    SIZES = (50, 100, 200, 400, 800, 1600)

    def __init__(self, path: Path) -> None:
        """Read it. Raises NothingLabelled, ArchiveError or TrainingError: it cannot be trained and judged on."""
        archive = load_archive(path)
        self._train, self._judged = _paired(archive.corpus("train")), archive.corpus("test")
        eligible_seconds(self._judged)  # before hours of training, not after
        self.facts = {"archive": archive.sha256}
        self.most = len(self._train)
        self.sizes = (*(size for size in self.SIZES if size < self.most), self.most)

    def measure(self, size: int, seed: int, galleries: int) -> Measured:
        """Judge on the test split, by one second."""
        footage = self._train.of_videos(np.sort(_order(self.most, seed)[:size]))
        begin = time.perf_counter()
        model = train(footage, DEFAULT, ARCHIVE, seed, CPU).checkpoint
        fit_s = time.perf_counter() - begin
        scorers: dict[str, Scorer] = {
            "chance": RandomScorer(seed),
            "linear_cca": Correlation.fit(footage)(self._judged),
            "trained": LatentScorer.of_checkpoint(model, self._judged, CPU),
        }
        systems = {
            name: measure(self._judged, scorer, ScoreLocalizer(scorer, self._judged), galleries, seed)
            for name, scorer in scorers.items()
        }
        return Measured(systems, {"fit_s": fit_s, "chosen": [_chosen(model)]})


class ClipFootage(Footage):
    """A library whose front-end has a prior."""

    layout = Layout(
        {"A-V of nine": ("AV", "nine"), "V-A of nine": ("VA", "nine")},
        ("chance", "start"),
        ("linear_cca_in_context", "trained"),
        "start",
    )
    SIZES = (9, 18, 26, 35)

    def __init__(self, directory: Path) -> None:
        """Read it. Raises TrainingError: its front-end has no prior, or it has too few videos."""
        with Session.open(directory, CPU, create=False) as session:
            prior = session.front_end.prior
            if prior is None:
                raise TrainingError(
                    f"front-end {session.front_end.name} given, one with a prior expected, such as pretrained"
                )
            self._front_end = (session.front_end.name, session.front_end.identity)
            corpus = corpus_of(session)
        self._concepts: Concepts = prior.concepts
        self._corpus = _paired(corpus)
        self.facts = {"videos": list(self._corpus.video_ids), "front_end": self._front_end[1]}
        self.most = len(self._corpus) - len(self._corpus) // 5
        self.sizes = tuple(size for size in self.SIZES if size <= self.most)

    def measure(self, size: int, seed: int, galleries: int) -> Measured:
        """Judge each clip by what was made without its fold; of a fold with fewer other clips, training has all."""
        corpus = self._corpus
        groups = same_video_groups(corpus)
        same = groups[:, None] == groups
        seconds = np.flatnonzero(corpus.paired)
        draws = seconds[draw_seconds(corpus.video[seconds], galleries, np.random.default_rng(seed))]
        order = _order(len(corpus), seed)
        tables = {name: Table.empty(len(corpus)) for name in (*self.layout.fixed, *self.layout.grown)}
        begin = time.perf_counter()
        chosen = []
        for held in folds(groups, seed):
            others = corpus.of_videos(np.flatnonzero(~held))
            footage = corpus.of_videos(np.sort(order[~held[order]][:size]))
            prior = measure_prior(others, self._concepts)
            model = train(footage, DEFAULT, self._front_end, seed, CPU, prior=prior).checkpoint
            systems: dict[str, Scorer] = {
                "chance": RandomScorer(seed),
                "start": LatentScorer.of_checkpoint(start_of(others, prior, self._front_end), corpus, CPU),
                "linear_cca_in_context": in_context(Correlation.fit(footage), Encoder(model, CPU), corpus),
                "trained": LatentScorer.of_checkpoint(model, corpus, CPU),
            }
            for name, scorer in systems.items():
                for direction in CROSSINGS:
                    add_ranks(tables[name], direction, scorer, held, same, draws, np.random.default_rng(seed))
            chosen.append(_chosen(model) | {"held_out": int(held.sum())})
        facts = {"fit_s": time.perf_counter() - begin, "chosen": chosen}
        return Measured({name: table.figures(1) for name, table in tables.items()}, facts)


def _order(videos: int, seed: int) -> Int64[np.ndarray, "videos"]:
    return np.random.default_rng(seed).permutation(videos)


def _paired(corpus: Corpus) -> Corpus:
    """Return the videos that have a second with both sound and picture."""
    usable = np.unique(corpus.video[corpus.paired])
    if len(usable) < FEWEST_VIDEOS:
        raise TrainingError(f"{len(usable)} videos with both sound and picture given, {FEWEST_VIDEOS} or more expected")
    return corpus.of_videos(usable)


def _chosen(model: Checkpoint) -> dict[str, Any]:
    report = model.training
    told = {k: report[k] for k in ("videos", "kept_epoch", "generated_share", "footage_share")}
    return told | {"context_s": model.context.width_s, "validation": report["validation"]}


def recipe() -> dict[str, Any]:
    """Return the recipe of all trainings."""
    return asdict(DEFAULT)
