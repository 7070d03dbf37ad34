"""The experiment on a feature archive, without a prior.

Trains on videos of `train` and judges on another split, by one second in four directions: seconds of the query's class
are right.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.quality.learning_curve.experiment import CPU, Experiment, Measured, chosen, order, paired
from benchmarks.quality.learning_curve.layout import Layout
from model.baselines.msvae import ARCHIVE
from model.data.archive import load_archive
from model.judging.evaluation import eligible_seconds, measure
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import Correlation, LatentScorer, RandomScorer, Scorer
from model.training.plan import train
from model.training.recipe import Recipe


class ArchiveExperiment(Experiment):
    """Train on some videos of a feature archive."""

    layout = Layout(
        {"A-A": ("AA", "mrr"), "A-V": ("AV", "mrr"), "V-A": ("VA", "mrr"), "V-V": ("VV", "mrr")},
        ("chance",),
        ("linear_cca", "trained"),
        "linear_cca",
    )
    SIZES = (50, 100, 200, 400, 800, 1600)

    def __init__(self, path: Path, split: str, recipe: Recipe) -> None:
        """Read it. Raises NothingLabelled, ArchiveError or TrainingError: it cannot be trained and judged on."""
        archive = load_archive(path)
        self._train, self._judged, self._recipe = paired(archive.corpus("train")), archive.corpus(split), recipe
        eligible_seconds(self._judged)  # before hours of training, not after
        self.facts = {"archive": archive.sha256, "split": split}
        self.most = len(self._train)
        self.sizes = (*(size for size in self.SIZES if size < self.most), self.most)

    def measure(self, size: int, seed: int, galleries: int) -> Measured:
        """Judge by one second."""
        footage = self._train.of_videos(np.sort(order(self.most, seed)[:size]))
        begin = time.perf_counter()
        model = train(footage, self._recipe, ARCHIVE, seed, CPU).checkpoint
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
        return Measured(systems, {"fit_s": fit_s, "chosen": [chosen(model)]})
