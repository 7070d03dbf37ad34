"""The comparison: every system fitted on `train` with several seeds and judged on one split, paired by video."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from model.archive import FeatureArchive
from model.baselines.system import System
from model.evaluation import Figures, Report, eligible_seconds, measure
from model.published_protocol import BUGS, Bug, measure_published

REFERENCE = "linear_cca"  # every system is paired with it, and the first system with every other
PROTOCOLS = ("corrected", "published")


@dataclass(frozen=True)
class Protocol:
    """Say how is measured; `bugs` are those of the published ranking that are kept."""

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


def compare(
    archive: FeatureArchive,
    systems: Sequence[System],
    seeds: int,
    galleries: int,
    split: str,
    protocol: Protocol,
    device: torch.device,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Outcome]:
    """Fit and judge; seed s sets the fit and the galleries, which are the same for every system.

    Raises:
        TrainingError: a split cannot train a system. NothingLabelled: the split cannot be judged on.
        ArchiveError: a split without videos.
    """
    train, val, judged = (archive.corpus(name) for name in ("train", "val", split))
    eligible_seconds(judged)  # before hours of training, not after
    outcomes = {}
    for system in systems:
        figures, seconds, parameters = [], [], 0
        for seed in range(seeds):
            start = time.perf_counter()
            fitted = system.fit(train, val, seed, device)
            seconds.append(time.perf_counter() - start)
            parameters = fitted.parameters
            if protocol.name == "published":
                figures.append(measure_published(judged, fitted, protocol.bugs, galleries, seed))
            else:
                figures.append(measure(judged, *fitted.judges(judged), galleries, seed))
            progress(f"{system.name} seed {seed}")
        outcomes[system.name] = Outcome(system.label_free, tuple(figures), float(np.mean(seconds)), parameters)
    return outcomes


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
