"""MS-VAE as it was released (Zhu et al., ICASSP 2021): the recipe behind the published figures, flaws and all.

KL is summed over dimensions and the squared error averaged, so that the posterior collapses; W is the unsquared norm
between samples. A step takes one video's event seconds, raw, and videos come sorted by class, never shuffled. Two
Adams own one encoder each and both the decoder: first the loss from sound, then the loss from the picture.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int64

from model.baselines.fitting import parameters_of
from model.baselines.system import Fitted, System
from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.scorers import LatentScorer
from model.modality import MODALITIES
from model.network.checkpoint import Checkpoint
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization
from model.training.objective import direction_loss
from model.training.recipe import PUBLISHED, Recipe


class MsvaePublished(System):
    """Train for the published number of epochs and keep the last weights; D with w = g = 1 on raw features."""

    name = "msvae_published"
    label_free = False  # event marks choose the seconds, labels their order

    def __init__(self, recipe: Recipe = PUBLISHED) -> None:
        self._recipe = recipe

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit on the event seconds of `train`; nothing is chosen, so `val` is not looked at.

        Raises:
            TrainingError: no event second has both modalities, or the fit diverged.
        """
        steps = class_sorted_events(train)
        torch.manual_seed(seed)
        shapes = train.audio.shape[1:], train.visual.shape[1:]
        model = MSVAE(Architecture(*shapes, latent=self._recipe.latent, spherical=False, paper_widths=True)).to(device)
        self._train(model, train, steps, device)
        # a new Normalization changes nothing: test features are raw, as those of training
        checkpoint = Checkpoint(model.eval(), Normalization(*shapes), self.name, self.name)
        return Fitted(
            lambda corpus: LatentScorer.of_checkpoint(checkpoint, corpus, device), parameters=parameters_of(model)
        )

    def _train(self, model: MSVAE, corpus: Corpus, steps: list[Int64[np.ndarray, "_"]], device: torch.device) -> None:
        audio, visual = (torch.from_numpy(x).to(device) for x in (corpus.audio, corpus.visual))
        pairs = [(audio[rows], visual[rows]) for rows in steps]
        optimizers = {
            m: torch.optim.Adam(
                [*model.encoders[m].parameters(), *model.decoder.parameters()],
                lr=self._recipe.learning_rate,
                fused=True,
            )
            for m in MODALITIES
        }
        for epoch in range(self._recipe.epochs):
            kl = self._recipe.kl_of(epoch)
            for heard, seen in pairs:
                for source, optimizer in optimizers.items():
                    optimizer.zero_grad(set_to_none=True)
                    loss = direction_loss(model, source, heard, seen, kl, self._recipe.objective.wasserstein)
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
            if not torch.isfinite(loss):
                raise TrainingError(f"the fit diverged in epoch {epoch}: its loss is {loss.item()}")


def class_sorted_events(corpus: Corpus) -> list[Int64[np.ndarray, "_"]]:
    """Return, for each video in order of class, the rows of its event's seconds with both modalities.

    Raises:
        TrainingError: there is none.
    """
    usable = corpus.paired & corpus.event
    videos = [np.flatnonzero(usable & (corpus.video == v)) for v in np.argsort(corpus.label, kind="stable")]
    steps = [rows for rows in videos if len(rows)]
    if not steps:
        raise TrainingError(
            "no event marked on a second with both sound and picture given; the published recipe trains on events alone"
        )
    return steps
