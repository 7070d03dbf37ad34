"""The comparison: every system fitted on `train` with several seeds and judged on one split, paired by video."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from joblib import Parallel, delayed, parallel_config

from model.baselines.published_protocol import BUGS, Bug, measure_published
from model.baselines.system import System
from model.data.archive import FeatureArchive
from model.data.corpus import Corpus
from model.judging.evaluation import Figures, Report, eligible_seconds, measure
from model.judging.own_video import own_pair_chance, own_pair_figures

REFERENCE = "linear_cca"  # every system is paired with it, and the first system with every other
PROTOCOLS = ("corrected", "published")


@dataclass(frozen=True)
class Protocol:
    """Say how to measure; `bugs` are the errors of the published ranking that are kept."""

    name: str = "corrected"
    bugs: frozenset[Bug] = BUGS


@dataclass(frozen=True, eq=False)
class Outcome:
    """Hold a system's figures per video for each seed, the mean time of a fit and the size of the fitted system."""

    label_free: bool
    seeds: tuple[Figures, ...]
    train_s: float
    parameters: int

    @property
    def mean(self) -> Figures:
        """Return each video's mean over the seeds."""
        return Figures.mean(self.seeds)


@dataclass(frozen=True, eq=False)
class Contest:
    """Hold what every system is fitted on and judged by; seed s sets the fit and the galleries."""

    train: Corpus
    val: Corpus
    judged: Corpus
    galleries: int
    protocol: Protocol
    device: torch.device

    @staticmethod
    def on(archive: FeatureArchive, split: str, galleries: int, protocol: Protocol, device: torch.device) -> Contest:
        """Take `train`, `val` and the split to judge on.

        Raises:
            NothingLabelled: the split cannot be judged on. ArchiveError: a split without videos.
        """
        train, val, judged = (archive.corpus(name) for name in ("train", "val", split))
        eligible_seconds(judged)  # before hours of training, not after
        return Contest(train, val, judged, galleries, protocol, device)

    def trial(self, system: System, seed: int) -> Trial:
        """Fit a system and judge it.

        Raises:
            TrainingError: the splits cannot train it.
        """
        start = time.perf_counter()
        fitted = system.fit(self.train, self.val, seed, self.device)
        train_s = time.perf_counter() - start
        if self.protocol.name == "published":
            figures = measure_published(self.judged, fitted, self.protocol.bugs, self.galleries, seed)
        else:
            scorer, localizer = fitted.judges(self.judged)
            figures = measure(self.judged, scorer, localizer, self.galleries, seed)
            figures = figures.beside(own_pair_figures(scorer, *self._pairs(), self.galleries, seed))
        return Trial(system.name, seed, figures, train_s, fitted.parameters)

    def own_pair_chance(self) -> dict[str, float]:
        """Return what a random order gives of the figures by own pair; nothing under the published protocol."""
        return {} if self.protocol.name == "published" else own_pair_chance(len(np.unique(self._pairs()[1])))

    def _pairs(self) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
        """Return the seconds that have both modalities, labelled or not, and their videos."""
        paired = np.flatnonzero(self.judged.paired)
        return paired, self.judged.video[paired]


@dataclass(frozen=True, eq=False)
class Trial:
    """Hold what one seed gave a system."""

    system: str
    seed: int
    figures: Figures
    train_s: float
    parameters: int


def compare(
    contest: Contest,
    systems: Sequence[System],
    seeds: int,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Outcome]:
    """Try every system with every seed, in so many processes of one thread each.

    Raises:
        TrainingError: a split cannot train a system.
    """
    trials: dict[str, list[Trial]] = {system.name: [] for system in systems}
    wanted = (delayed(contest.trial)(system, seed) for system in systems for seed in range(seeds))
    with parallel_config("loky", inner_max_num_threads=1):
        done = Parallel(jobs, return_as="generator_unordered", mmap_mode="c")(wanted)
    for trial in done:
        trials[trial.system].append(trial)
        progress(f"{trial.system} seed {trial.seed}")
    return {
        system.name: Outcome(
            system.label_free,
            tuple(t.figures for t in sorted(trials[system.name], key=lambda t: t.seed)),
            float(np.mean([t.train_s for t in trials[system.name]])),
            trials[system.name][-1].parameters,
        )
        for system in systems
    }


def comparison_json(outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Return `systems` and `paired`, with intervals over videos; null where a figure does not apply."""
    means = {name: outcome.mean for name, outcome in outcomes.items()}
    names = list(outcomes)
    reports = {name: mean.report() for name, mean in means.items()}
    pairs = {name: [REFERENCE] if REFERENCE in means and name != REFERENCE else [] for name in names}
    if names:
        pairs[names[0]] = [other for other in names if other != names[0]]
    return {
        "systems": {
            name: {
                "label_free": outcome.label_free,
                **_plain(reports[name], [f.report_means() for f in outcome.seeds]),
                "train_s": outcome.train_s,
                "parameters": outcome.parameters,
                "excluded_queries": reports[name].excluded_queries,
            }
            for name, outcome in outcomes.items()
        },
        "paired": {
            name: {other: _plain((means[name] - means[other]).report(), None) for other in others}
            for name, others in pairs.items()
            if others
        },
    }


def _plain(report: Report, seeds: list[dict[tuple[str, ...], float | None]] | None) -> dict[str, Any]:
    """Return a report as JSON, with each seed's mean beside the mean."""

    def figure(interval: Any, *key: str) -> dict[str, Any]:
        found = {k: v for k, v in asdict(interval).items() if k != "n"}
        return found if seeds is None else found | {"seeds": [seed[key] for seed in seeds]}

    return {
        "retrieval": {
            direction: {metric: figure(i, direction, metric) for metric, i in figures.items()}
            for direction, figures in report.retrieval.items()
        },
        "localization": {
            view: {
                crossing: {metric: figure(i, view, crossing, metric) for metric, i in figures.items()}
                | {"n": figures["exact"].n}
                for crossing, figures in crossings.items()
            }
            for view, crossings in report.localization.items()
        },
    }
