"""Small trainings, in one process or as one of several that train together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from corpus_samples import planted_corpus
from torch import Tensor, distributed

from model.errors import TrainingError
from model.training.objective import Objective
from model.training.recipe import DEFAULT, PUBLISHED, Recipe
from model.training.run import Run

SMALL = replace(DEFAULT, latent=8, hidden=32, epochs=2, taught_epochs=2, held_epochs=1, batch=30)
EVERY_TERM = Objective(
    correlation=0.1, in_video=0.1, free_bits=0.1, negatives="other_groups", centre=0.1, adversarial=0.1
)
RECIPES = {
    "default": SMALL,
    "taught by a teacher": replace(SMALL, groups=(1,), regroup_epochs=(0,), objective=EVERY_TERM),
    "pictures": replace(SMALL, warm_start=False),
    "published": replace(PUBLISHED, latent=8, epochs=2, learning_rate=1e-3),
}
SHAPES = {"pictures": ((16, 32), (3, 16, 16))}


def weights_of(name: str) -> dict[str, Tensor]:
    """Train by a recipe on 70 seconds, of which no batch divides evenly; return the weights."""
    recipe: Recipe = RECIPES[name]
    corpora = [planted_corpus(videos, 7, *SHAPES.get(name, ((12,), (16,))), seed=videos) for videos in (10, 3)]
    run = Run(*corpora, recipe, ("raw", "raw-1"), 0, torch.device("cpu"))
    run.train(recipe.epochs, None)
    return {key: value.clone() for key, value in run.model.state_dict().items()}


def resumes_apart(state: Path) -> bool:
    """Say whether a training is refused that goes on from a state which only the first of a group has saved."""
    recipe, corpora = SMALL, [planted_corpus(videos, 7, seed=videos) for videos in (10, 3)]
    for epochs in (1, 2):
        try:
            Run(*corpora, recipe, ("raw", "raw-1"), 0, torch.device("cpu")).train(epochs, None, state)
        except TrainingError:
            return epochs == 2
    return False


def train_in_group(rank: int, count: int, directory: Path) -> None:
    """Be one of `count` processes that train together, by each recipe; the first writes the weights."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{directory}/group", rank=rank, world_size=count)
    found = {name: weights_of(name) for name in RECIPES}
    if resumes_apart(directory / f"{rank}.state"):
        (directory / f"{rank}.refused").touch()
    if rank == 0:
        torch.save(found, directory / "weights.pt")
    distributed.destroy_process_group()
