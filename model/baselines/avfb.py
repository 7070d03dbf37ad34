"""AVFB: an event classifier of seconds whose sound and picture meet in factorized bilinear pooling.

Source: Ramaswamy and Das, "See the sound, hear the pixels", WACV 2020; the pooling is Yu et al., "Multi-modal
factorized bilinear pooling", ICCV 2017. Only the fusion block is built: features of a second have no places to attend
to. Factors are rectified, which did better on val. One modality alone is judged with the other side's factors at
their mean, and the network is trained so as well: trained on pairs alone it retrieved far worse on val.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from model.baselines.fitting import Schedule, fit_network, parameters_of
from model.baselines.supervision import (
    EventScorer,
    Scores,
    check_labels,
    class_scorer,
    figure_of,
    labelled_seconds,
    targets_of,
)
from model.baselines.system import Fitted, System
from model.baselines.towers import Towers, batch_of
from model.data.corpus import Corpus
from model.judging.localizers import ScoreLocalizer
from model.modality import MODALITIES, Modality
from model.network.normalization import Normalization

OUTPUTS, FACTORS = 256, 4  # each output is the sum of so many products of factors
LENGTH = 16.0  # of the fused vector
DROPOUT = 0.3
SCHEDULE = Schedule(epochs=10, patience=4)


class FusionBlock(Towers):
    """Fuse factors of sound and picture by products; classify the fusion, background last."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(Normalization.fit(corpus), corpus, (OUTPUTS * FACTORS,), DROPOUT)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(OUTPUTS, len(corpus.classes) + 1)
        for modality in MODALITIES:
            self.register_buffer(f"{modality}_mean", torch.zeros(OUTPUTS * FACTORS))

    def forward(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch factors"]:
        """Return the factors of one modality, none negative."""
        return torch.relu(super().forward(modality, features))

    def classify(
        self, one: Float[Tensor, "batch factors"], other: Float[Tensor, "#batch factors"]
    ) -> Float[Tensor, "batch c"]:
        """Return logits: products, summed in groups, their roots, scaled to one length, a linear layer."""
        pooled = self.dropout(one * other).unflatten(1, (OUTPUTS, FACTORS)).sum(2)
        fused = LENGTH * nn.functional.normalize(torch.sqrt(pooled + 1e-8), dim=1)
        logits: Tensor = self.head(fused)
        return logits

    @torch.inference_mode()
    def keep_means(self, corpus: Corpus, rows: Int64[np.ndarray, "n"]) -> None:
        """Keep the mean factors of these seconds, for judging one modality alone."""
        self.get_buffer("audio_mean").copy_(torch.from_numpy(self.embed("audio", corpus.audio[rows]).mean(0)))
        self.get_buffer("visual_mean").copy_(torch.from_numpy(self.embed("visual", corpus.visual[rows]).mean(0)))

    @torch.inference_mode()
    def logits(self, corpus: Corpus) -> Scores:
        """Return the logits of every second from either modality alone."""
        device = self.head.weight.device
        found: Scores = {}
        sides: tuple[tuple[Modality, Float32[np.ndarray, "n *_"], Modality], ...]
        sides = (("audio", corpus.audio, "visual"), ("visual", corpus.visual, "audio"))
        for one, features, other in sides:
            factors = torch.from_numpy(self.embed(one, features)).to(device)
            found[one] = self.classify(factors, self.get_buffer(f"{other}_mean")[None]).cpu().numpy()
        return found


class Avfb(System):
    """Compare the classes that either modality alone suggests."""

    name = "avfb"
    label_free = False

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit on pairs and on either modality alone."""
        check_labels(train, val)
        rows, targets = labelled_seconds(train), torch.from_numpy(targets_of(train)).to(device)
        torch.manual_seed(seed)
        network = FusionBlock(train).to(device)

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            audio, visual, _ = batch_of(train, batch, device)
            heard, seen = network("audio", audio), network("visual", visual)
            sides = ((heard, seen), (heard, seen.mean(0, keepdim=True)), (seen, heard.mean(0, keepdim=True)))
            return torch.stack(
                [nn.functional.cross_entropy(network.classify(*side), targets[batch]) for side in sides]
            ).sum()

        def figure() -> float:
            network.keep_means(train, rows)
            return figure_of(val, network.logits(val))

        fit_network(network, rows, loss, figure, SCHEDULE, seed)
        return Fitted(
            class_scorer(train, val, network.logits),
            lambda corpus: ScoreLocalizer(EventScorer(network.logits(corpus)), corpus),
            parameters_of(network),
        )
