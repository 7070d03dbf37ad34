"""Train on a cluster: the same function in several processes, each of which computes a share of every batch."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from app.processes.cluster_group import together
from app.processes.cores import use_threads
from index.disk import writing
from model.data.corpus import Corpus
from model.frontends.prior import Prior
from model.training.plan import Trained, train
from model.training.recipe import Recipe

CPU = torch.device("cpu")


def train_together(
    workers: int,
    notes: Path,
    corpus: Corpus,
    recipe: Recipe,
    front_end: tuple[str, str],
    seed: int,
    validation: Corpus | None = None,
    state_path: Path | None = None,
    prior: Prior | None = None,
) -> Trained:
    """Train as `train` does, on the CPUs of the cluster; where a process dies, all go on after the last saved epoch.

    `notes`: a directory for what the processes share meanwhile; they see it, and `state_path`, under these paths.
    Nobody is told of too few videos: ask `few_videos` before.
    Raises WorkerFailure, and what `train` raises.
    """
    with writing(notes):
        notes.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ray-", dir=notes) as directory:
            kept = (state_path or Path(directory) / "run.state").absolute()
            arguments = (corpus, recipe, front_end, seed, validation, kept, prior)
            return together(_train, arguments, workers, Path(directory).absolute())


def _train(
    corpus: Corpus,
    recipe: Recipe,
    front_end: tuple[str, str],
    seed: int,
    validation: Corpus | None,
    state_path: Path,
    prior: Prior | None,
) -> Trained:
    use_threads(1)
    return train(corpus, recipe, front_end, seed, CPU, validation, state_path, prior=prior)
