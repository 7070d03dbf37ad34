"""MS-VAE in its variants, trained soundly: the paper's terms with and without W, the project's recipe, no training."""

from __future__ import annotations

from dataclasses import replace

import torch

from model.baselines.fitting import parameters_of
from model.baselines.system import Fitted, System
from model.data.corpus import Corpus
from model.data.temporal_context import TemporalContext
from model.judging.context import ContextLocalizer, fit_weights
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import Correlation, LatentScorer
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.network.msvae import MSVAE
from model.network.normalization import Normalization
from model.training.objective import Objective
from model.training.plan import train
from model.training.recipe import DEFAULT, Recipe
from model.training.run import architecture_of
from model.training.validation import encode_pairs, validate

ARCHIVE = ("archive", "archive")

# Reconstruction, KL and W alone, from random weights; the weight of W was chosen on val (docs/model-study.md).
WITH_W = replace(
    DEFAULT,
    name="msvae_w",
    warm_start=False,
    held_epochs=0,
    groups=(),
    objective=Objective(wasserstein=0.3, contrast=0.0, grouping=0.0),
)
WITHOUT_W = replace(WITH_W, name="msvae", objective=replace(WITH_W.objective, wasserstein=0.0))


class Msvae(System):
    """Train by a recipe; epoch and score weights are chosen on val without labels."""

    def __init__(self, name: str, recipe: Recipe) -> None:
        self.name, self._recipe = name, recipe

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Train."""
        checkpoint = _trained(train, val, self._recipe, seed, device)
        return Fitted(
            lambda corpus: LatentScorer.of_checkpoint(checkpoint, corpus, device),
            parameters=parameters_of(checkpoint.model),
            checkpoint=checkpoint,
        )


class Echolens(System):
    """The project's best: the default recipe of `echolens train`, and localization in context."""

    name = "echolens"

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Train, and fit the weights of localization on the training videos, without labels."""
        checkpoint = _trained(train, val, DEFAULT, seed, device)
        correlation = Correlation.fit(train)
        weights = fit_weights(train, correlation(train))
        return Fitted(
            lambda corpus: LatentScorer.of_checkpoint(checkpoint, corpus, device),
            lambda corpus: ContextLocalizer(corpus, correlation(corpus), weights),
            parameters_of(checkpoint.model) + sum(w.size for w in weights.values()),
        )


class EcholensInContext(System):
    """The project's best with each second in its temporal context: not the one-second protocol of the other systems."""

    name = "echolens_in_context"

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Train; the width of the context is chosen on val without labels."""
        checkpoint = _trained(train, val, DEFAULT, seed, device)
        widths = [replace(checkpoint, context=TemporalContext((1.0,) * (1 + w))) for w in DEFAULT.widths_s]
        best = max(widths, key=lambda c: validate(encode_pairs(Encoder(c, device), val), c.weights).mrr)
        return Fitted(
            lambda corpus: LatentScorer.of_checkpoint(best, corpus, device),
            lambda corpus: ScoreLocalizer(LatentScorer.of_checkpoint(checkpoint, corpus, device), corpus),
            parameters_of(checkpoint.model),
        )


class RandomInit(System):
    """The default network with random weights: what training adds to."""

    name = "random_init"

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Draw weights; the features' normalization alone is fitted."""
        torch.manual_seed(seed)
        model = MSVAE(architecture_of(train, DEFAULT)).eval()
        checkpoint = Checkpoint(model, Normalization.fit(train), *ARCHIVE)
        return Fitted(
            lambda corpus: LatentScorer.of_checkpoint(checkpoint, corpus, device), parameters=parameters_of(model)
        )


def _trained(corpus: Corpus, val: Corpus, recipe: Recipe, seed: int, device: torch.device) -> Checkpoint:
    return train(corpus, recipe, ARCHIVE, seed, device, val).checkpoint
