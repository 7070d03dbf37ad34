"""Recipes: the settings of a training, by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from model.errors import TrainingError
from model.training.objective import Objective


@dataclass(frozen=True)
class Recipe:
    """Set a training run.

    With a front-end's prior a warm start is at the prior (model/training/start.py, which then sets latent and hidden):
    `footage_shares` says how much the CCA of the footage may count beside it, `widths_s` how wide the temporal context
    may be; of both the best on held-out videos is taken.
    `paper_widths`: see `Architecture`. `warm_start`: encoders of vectors start from linear CCA and keep its means for
    the first `held_epochs`.
    `groups`: how many groups of videos the teacher makes, a number per granularity; at `regroup_epochs` it makes them
    again. There is a teacher only where encoders start from CCA and train on `taught_videos` or more. Such a run lasts
    `taught_epochs`, holds no means, and keeps its last weights.
    `lowest_rate`: the last epochs' learning rate, as a share of `learning_rate`; with 1 the rate is constant.
    `kl_warm_up`: (epochs, weight): the weight of KL in the first epochs, before the objective's own.
    `one_video_steps`: a step takes the seconds of one video, unshuffled, instead of a shuffled mini-batch.
    `whole_videos`: a step takes all seconds of some videos, shuffled, about `batch` seconds.
    """

    name: str = "default"
    latent: int = 64
    hidden: int = 256
    dropout: float = 0.2
    spherical: bool = True
    paper_widths: bool = False
    footage_shares: tuple[float, ...] = (0.0, 0.35, 0.5, 0.65, 1.0)
    widths_s: tuple[int, ...] = (0, 1, 2, 3)
    warm_start: bool = True
    held_epochs: int = 10
    groups: tuple[int, ...] = (16, 32, 64, 128)
    regroup_epochs: tuple[int, ...] = (0, 5, 10)
    taught_epochs: int = 15
    taught_videos: int = 640
    batch: int = 256
    epochs: int = 30
    patience: int = 8
    learning_rate: float = 1e-3
    lowest_rate: float = 0.05
    weight_decay: float = 1e-2
    objective: Objective = field(default_factory=Objective)
    kl_warm_up: tuple[int, float] = (0, 0.0)
    one_video_steps: bool = False
    whole_videos: bool = False
    augment: bool = True

    def kl_of(self, epoch: int) -> float:
        """Return the weight of KL in an epoch, counted from 0."""
        epochs, weight = self.kl_warm_up
        return weight if epoch < epochs else self.objective.kl


DEFAULT = Recipe()
PUBLISHED = Recipe(
    name="published",
    latent=100,
    dropout=0.0,
    spherical=False,
    paper_widths=True,
    warm_start=False,
    held_epochs=0,
    groups=(),
    epochs=15,
    patience=15,
    learning_rate=1e-5,
    lowest_rate=1.0,
    weight_decay=0.0,
    objective=Objective(
        kl=0.01,
        sum_kl=True,
        wasserstein=1.0,
        sampled_distance=True,
        cross_generation=None,
        contrast=0.0,
        grouping=0.0,
    ),
    kl_warm_up=(10, 0.1),
    one_video_steps=True,
    augment=False,
)
RECIPES = {recipe.name: recipe for recipe in (DEFAULT, PUBLISHED)}


def recipe_named(name: str) -> Recipe:
    """Return a recipe.

    Raises:
        TrainingError: no recipe has that name.
    """
    if name not in RECIPES:
        raise TrainingError(f"recipe {name!r} given, one of {', '.join(RECIPES)} expected")
    return RECIPES[name]


def completed(saved: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe as JSON has it, with the settings that an earlier version did not know at their defaults."""
    return asdict(DEFAULT) | saved | {"objective": asdict(DEFAULT.objective) | saved["objective"]}
