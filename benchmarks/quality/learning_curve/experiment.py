"""An experiment: train on some of the videos and judge by others.

Some videos hold others: those of one seed are the first ones of one random order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int64

from benchmarks.quality.learning_curve.layout import Layout
from model.data.corpus import FEWEST_VIDEOS, Corpus
from model.errors import TrainingError
from model.judging.evaluation import Figures
from model.network.checkpoint import Checkpoint

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Measured:
    """Hold each system's figures, and facts of the training."""

    systems: dict[str, Figures]
    facts: dict[str, Any]


class Experiment(ABC):
    """Train on so many videos by a recipe, and judge by others."""

    layout: ClassVar[Layout]
    facts: dict[str, Any]  # what a curve is of: figures of other facts are another curve's
    most: int  # videos that training can have
    sizes: tuple[int, ...]  # numbers of videos that are tried if none are named

    @abstractmethod
    def measure(self, size: int, seed: int, galleries: int) -> Measured:
        """Train on so many videos and judge every system. Raises TrainingError: they cannot be trained on."""


def order(videos: int, seed: int) -> Int64[np.ndarray, "videos"]:
    """Return the videos in a seed's order: training has the first ones."""
    return np.random.default_rng(seed).permutation(videos)


def paired(corpus: Corpus) -> Corpus:
    """Return the videos that have a second with both sound and picture. Raises TrainingError: too few."""
    usable = np.unique(corpus.video[corpus.paired])
    if len(usable) < FEWEST_VIDEOS:
        raise TrainingError(f"{len(usable)} videos with both sound and picture given, {FEWEST_VIDEOS} or more expected")
    return corpus.of_videos(usable)


def chosen(model: Checkpoint) -> dict[str, Any]:
    """Return what a training chose, and the held-out figures by which it did."""
    report = model.training
    told = {k: report[k] for k in ("videos", "kept_epoch", "generated_share", "footage_share")}
    return told | {"context_s": model.context.width_s, "validation": report["validation"]}
