"""The experiment on a library whose front-end has a prior: own video among nine, by five folds.

A held-out clip is judged by what was made of the others (benchmarks/quality/own_video_folds.py). The prior, and the
starting model's match, are measured on all the others, as footage that is not the user's; training and CCA have so many
of these.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from app.library.features import corpus_of
from app.library.session import Session
from benchmarks.learning.generic_footage import measure_prior
from benchmarks.quality.learning_curve.experiment import CPU, Experiment, Measured, chosen, order, paired
from benchmarks.quality.learning_curve.layout import Layout
from benchmarks.quality.own_video_folds import Table, add_ranks, folds, in_context, same_video_groups, start_of
from model.concepts.concepts import Concepts
from model.data.draws import draw_seconds
from model.errors import TrainingError
from model.judging.own_video import DIRECTIONS
from model.judging.scorers import Correlation, LatentScorer, RandomScorer, Scorer
from model.network.encoder import Encoder
from model.training.plan import train
from model.training.recipe import Recipe


class ClipExperiment(Experiment):
    """Train on some clips of a library."""

    layout = Layout(
        {"A-V of nine": ("AV", "nine"), "V-A of nine": ("VA", "nine")},
        ("chance", "start"),
        ("linear_cca_in_context", "trained"),
        "start",
    )
    SIZES = (9, 18, 26, 35)

    def __init__(self, directory: Path, recipe: Recipe) -> None:
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
        self._corpus, self._recipe = paired(corpus), recipe
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
        ordered = order(len(corpus), seed)
        tables = {name: Table.empty(len(corpus)) for name in (*self.layout.fixed, *self.layout.grown)}
        begin = time.perf_counter()
        choices = []
        for held in folds(groups, seed):
            others = corpus.of_videos(np.flatnonzero(~held))
            footage = corpus.of_videos(np.sort(ordered[~held[ordered]][:size]))
            prior = measure_prior(others, self._concepts)
            model = train(footage, self._recipe, self._front_end, seed, CPU, prior=prior).checkpoint
            systems: dict[str, Scorer] = {
                "chance": RandomScorer(seed),
                "start": LatentScorer.of_checkpoint(start_of(others, prior, self._front_end), corpus, CPU),
                "linear_cca_in_context": in_context(Correlation.fit(footage), Encoder(model, CPU), corpus),
                "trained": LatentScorer.of_checkpoint(model, corpus, CPU),
            }
            for name, scorer in systems.items():
                for direction in DIRECTIONS:
                    add_ranks(tables[name], direction, scorer, held, same, draws, np.random.default_rng(seed))
            choices.append(chosen(model) | {"held_out": int(held.sum())})
        facts = {"fit_s": time.perf_counter() - begin, "chosen": choices}
        return Measured({name: table.figures(1) for name, table in tables.items()}, facts)
