"""CM-VAE: a variational autoencoder per modality, joined by generating each modality from the other's latent.

Source: the ablation of Zhu et al., ICASSP 2021, with separate decoders; cross-generation is Spurr et al., "Cross-modal
deep variational hand pose estimation", CVPR 2018. As in MS-VAE a latent of either modality generates both, but by a
decoder of each one's own, and no Wasserstein term ties the posteriors. The encoders are those of this project's MS-VAE,
means on a sphere included, but do not start at CCA.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from model.baselines.fitting import Schedule, fit_network, parameters_of
from model.baselines.system import Fitted, System
from model.baselines.towers import batch_of, paired_seconds
from model.data.corpus import Corpus
from model.data.distance import ScoreWeights
from model.judging.scorers import LatentScorer
from model.modality import MODALITIES
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization
from model.training.terms import kl_divergence
from model.training.validation import SHARES, encode_pairs, validate, validate_shares, weights_of

LATENT = 64
HIDDEN = 256
DROPOUT = 0.2
SPHERICAL = True  # posterior means of one length: they do better on val than free ones
KL = 1e-3  # of the mean per dimension
SCHEDULE = Schedule()


class SeparateDecoders(MSVAE):
    """Encode as MS-VAE does; generate each modality by a decoder of its own."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        del self.decoder
        self.decoders = nn.ModuleList(  # in the order of a pair
            nn.Sequential(
                nn.Linear(architecture.latent, architecture.hidden),
                nn.GELU(),
                nn.Linear(architecture.hidden, math.prod(shape)),
            )
            for shape in (architecture.visual_shape, architecture.audio_shape)
        )

    def decode(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch pair"]:
        """Return the pair that each latent generates, flat, [visual | audio], in normalized units."""
        return torch.cat([decoder(latent) for decoder in self.decoders], dim=1)

    def loss(self, audio: Float[Tensor, "batch *A"], visual: Float[Tensor, "batch *V"]) -> Float[Tensor, ""]:
        """Return the errors of all four generations, each modality's mean counting the same, plus KL."""
        total = audio.new_zeros(())
        for modality, features in zip(MODALITIES, (audio, visual), strict=True):
            posterior = self.encode(modality, features)
            sample = posterior.sample()
            for decoder, target in zip(self.decoders, (visual, audio), strict=True):
                total = total + 0.5 * (decoder(sample) - target.flatten(1)).square().mean()
            total = total + KL * kl_divergence(posterior) / self.architecture.latent
        return total


class CmVae(System):
    """Rank by W2 of the posteriors plus the distance of the generated pairs, weighted as does best on val."""

    name = "cm_vae"

    def __init__(self, schedule: Schedule = SCHEDULE) -> None:
        self._schedule = schedule

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit encoders and decoders together; choose the epoch at equal weights, then the weights."""
        rows = paired_seconds(train)
        paired_seconds(val)
        torch.manual_seed(seed)
        shapes = train.audio.shape[1:], train.visual.shape[1:]
        network = SeparateDecoders(Architecture(*shapes, LATENT, HIDDEN, DROPOUT, SPHERICAL)).to(device)
        normalization = Normalization.fit(train).to(device)

        def checkpoint(weights: ScoreWeights) -> Checkpoint:
            return Checkpoint(network, normalization, self.name, self.name, weights)

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            audio, visual, _ = batch_of(train, batch, device)
            return network.loss(normalization("audio", audio), normalization("visual", visual))

        def figure() -> float:
            pairs = encode_pairs(Encoder(checkpoint(ScoreWeights()), device), val)
            return validate(pairs, weights_of(pairs, 0.5)).mrr

        fit_network(network, rows, loss, figure, self._schedule, seed)
        pairs = encode_pairs(Encoder(checkpoint(ScoreWeights()), device), val)
        best = max(zip(validate_shares(pairs), SHARES, strict=True), key=lambda found: found[0].mrr)
        chosen = checkpoint(weights_of(pairs, best[1]))
        return Fitted(
            lambda corpus: LatentScorer.of_checkpoint(chosen, corpus, device), parameters=parameters_of(network)
        )
