"""VAE-CCA: a variational autoencoder per modality, drawn together by pairs and by classes, linear CCA on the latents.

Source: Zhang, Yu, Tang, Wu and Li, "Variational autoencoder with CCA for audio-visual cross-modal retrieval", ACM TOMM
2023. Widths, terms, their weights and the batch are those of the released code: a rectified layer per modality, then
layers that both share; the error of the generation, KL, the distance of predicted from true labels, the likelihood that
two latents are of one class (Zhen et al., "Deep supervised cross-modal retrieval", CVPR 2019), the distance of a pair's
latents, and that from the centre of the class (Wen et al., "A discriminative feature learning approach for deep face
recognition", ECCV 2016).

That code has no CCA, and where the paper puts it could not be found: here it is between the means of the training
pairs' latents, as in DCCA, before cosine distance. Centres are those of the batch, and seconds of background are one
more class. The rate is ten times theirs, since the epochs are far fewer than their 500.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from model.baselines.fitting import Schedule, fit_network, parameters_of
from model.baselines.supervision import (
    check_labels,
    labelled_seconds,
    localization_figure,
    retrieval_figure,
    targets_of,
)
from model.baselines.system import Fitted, System
from model.baselines.towers import Towers, batch_of
from model.data.corpus import Corpus
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import Correlation, EmbeddingScorer
from model.modality import MODALITIES, Modality
from model.network.correlation import correlate
from model.network.msvae import Posterior
from model.network.normalization import Normalization
from model.training.terms import kl_divergence

HIDDEN, LATENT = 512, 64
GENERATION, KL = 1e-4, 1e-2  # theirs is 1e-4 of the sum over a batch of 128
LABELS, CLASSES, PAIRS, CENTRES = 1.0, 1e-3, 0.1, 0.01
DIMENSIONS = 40
RIDGE = 1.0
SCHEDULE = Schedule(batch=128, epochs=15, patience=5)


class TwoAutoencoders(Towers):
    """Encode and decode each modality; all layers but the outermost are shared."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(Normalization.fit(corpus), corpus, (HIDDEN,), 0.0)
        self.narrow = nn.Linear(HIDDEN, LATENT)
        self.mean, self.log_variance = nn.Linear(LATENT, LATENT), nn.Linear(LATENT, LATENT)
        self.classify = nn.Linear(LATENT, len(corpus.classes) + 1)
        self.widen = nn.Linear(LATENT, HIDDEN)
        shapes = {"audio": corpus.audio.shape[1:], "visual": corpus.visual.shape[1:]}
        self.generate = nn.ModuleDict({m: nn.Linear(HIDDEN, math.prod(shapes[m])) for m in MODALITIES})

    def encode(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Posterior:
        """Return the posteriors of features as the archive holds them."""
        narrow = self.narrow(super().forward(modality, features).relu())
        return Posterior(self.mean(narrow), self.log_variance(narrow))

    def forward(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch latent"]:
        """Return the means of the posteriors."""
        return self.encode(modality, features).mu

    def loss(
        self, audio: Float[Tensor, "batch *A"], visual: Float[Tensor, "batch *V"], target: Int64[Tensor, "batch"]
    ) -> Float[Tensor, ""]:
        """Return the weighted sum of all terms."""
        sides: tuple[tuple[Modality, Tensor], ...] = (("audio", audio), ("visual", visual))
        total: Tensor = audio.new_zeros(())
        latents = []
        indicators = nn.functional.one_hot(target, self.classify.out_features)
        for modality, features in sides:
            posterior = self.encode(modality, features)
            latent = posterior.sample()
            error = self.generate[modality](self.widen(latent)) - self.normalization(modality, features).flatten(1)
            total = total + GENERATION * error.square().mean() + KL * kl_divergence(posterior)
            total = total + LABELS * (self.classify(latent) - indicators).norm(dim=1).mean()
            total = total + 0.5 * CENTRES * centre_distance(latent, target)
            latents.append(latent)
        heard, seen = latents
        total = total + PAIRS * (heard - seen).norm(dim=1).mean()
        pairings = ((heard, heard), (heard, seen), (seen, seen))
        total = total + CLASSES * torch.stack([class_surprise(*pairing, target) for pairing in pairings]).sum()
        return total


class VaeCca(System):
    """Compare the latents after linear CCA of those of the training pairs."""

    name = "vae_cca"
    label_free = False

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit both autoencoders together."""
        check_labels(train, val)
        rows, target = labelled_seconds(train), torch.from_numpy(targets_of(train)).to(device)
        torch.manual_seed(seed)
        network = TwoAutoencoders(train).to(device)

        def top() -> Correlation:
            audio, visual = network.embed("audio", train.audio[rows]), network.embed("visual", train.visual[rows])
            return Correlation(*correlate(audio, visual, DIMENSIONS, LATENT, RIDGE))

        def scorer(corpus: Corpus, correlation: Correlation) -> EmbeddingScorer:
            audio, visual = network.embed("audio", corpus.audio), network.embed("visual", corpus.visual)
            return EmbeddingScorer(correlation.audio(audio), correlation.visual(visual))

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            audio, visual, _ = batch_of(train, batch, device)
            return network.loss(audio, visual, target[batch])

        def figure() -> float:
            found = scorer(val, top())
            return retrieval_figure(val, found) + localization_figure(val, ScoreLocalizer(found, val))

        fit_network(network, rows, loss, figure, SCHEDULE, seed)
        final = top()
        return Fitted(lambda corpus: scorer(corpus, final), parameters=parameters_of(network) + final.parameters)


def class_surprise(
    one: Float[Tensor, "n latent"], other: Float[Tensor, "n latent"], target: Int64[Tensor, "n"]
) -> Float[Tensor, ""]:
    """Return minus the mean log likelihood of "of one class", and of "not", by half the correlation of two latents."""
    one, other = (nn.functional.normalize(side - side.mean(1, keepdim=True), dim=1) for side in (one, other))
    logits = 0.5 * one @ other.T
    same = (target[:, None] == target).to(logits.dtype)
    return nn.functional.binary_cross_entropy_with_logits(logits, same)


def centre_distance(latent: Float[Tensor, "n latent"], target: Int64[Tensor, "n"]) -> Float[Tensor, ""]:
    """Return the mean squared distance of a latent from the mean of its class in the batch."""
    same = (target[:, None] == target).to(latent.dtype)
    centre = same @ latent / same.sum(1, keepdim=True)
    return (latent - centre).square().sum(1).mean()
