"""TNN-C-CCA: cluster CCA of sound and picture by class, then a network on it that a triplet loss trains.

Source: Zeng, Yu and Oyama, "Deep triplet neural networks with cluster-CCA for audio-visual cross-modal retrieval", ACM
TOMM 2020; the mean over the triplets that cost something is Hermans, Beyer and Leibe, "In defense of the triplet loss
for person re-identification", 2017.

The order of both parts, one network for both modalities, its three layers of 300 tanh units, dropout, epochs and margin
are in the released code, which has layers of 100 and the other order, too. Its ten outputs, for ten classes, are
squashed by tanh and a sigmoid, and a triplet begins with a sound; here 64 outputs are scaled to length 1, and triplets
begin with a picture, too. Principal components, ridge and width did best on val; the batch is a plain choice. Seconds
of background are one more class.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
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
from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import Correlation, EmbeddingScorer
from model.network.correlation import correlate_clusters

DIMENSIONS, COMPONENTS = 40, 128
RIDGE = 0.1
WIDTHS = (300, 300, 300, 64)
DROPOUT = 0.1
MARGIN = 0.4  # of the cosine distance
SCHEDULE = Schedule(batch=128, epochs=10, patience=4)


class TripletNetwork(nn.Module):
    """Map projections of either modality to unit embeddings."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((dimensions, *WIDTHS)):
            layers += [nn.Linear(before, after), nn.Tanh(), nn.Dropout(DROPOUT)]
        self.layers = nn.Sequential(*layers[:-2])

    def forward(self, projected: Float[Tensor, "batch dimensions"]) -> Float[Tensor, "batch width"]:
        """Return unit embeddings."""
        return nn.functional.normalize(self.layers(projected), dim=1)

    @torch.inference_mode()
    def embed(self, projected: Float64[np.ndarray, "n dimensions"]) -> Float32[np.ndarray, "n width"]:
        """Return the embeddings of any number of projections.

        Raises:
            TrainingError: they are not finite: the fit diverged.
        """
        device = next(self.parameters()).device
        found: Tensor = self(torch.from_numpy(projected).float().to(device))
        if not found.isfinite().all():
            raise TrainingError("the fit diverged: the network gives NaN or infinite numbers")
        return found.cpu().numpy()


class TnnCCca(System):
    """Rank by the cosine distance of the embeddings."""

    name = "tnn_c_cca"
    label_free = False

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Solve for the projections, then fit the network on them."""
        check_labels(train, val)
        rows, targets = labelled_seconds(train), targets_of(train)
        audio, visual, cluster = train.audio[rows], train.visual[rows], targets[rows]
        correlation = Correlation(*correlate_clusters(audio, visual, cluster, DIMENSIONS, COMPONENTS, RIDGE))
        torch.manual_seed(seed)
        network = TripletNetwork(correlation.audio.matrix.shape[1]).to(device)
        sounds, pictures = (
            torch.from_numpy(projected).float().to(device)
            for projected in (correlation.audio(train.audio), correlation.visual(train.visual))
        )
        target = torch.from_numpy(targets).to(device)

        def scorer(corpus: Corpus) -> EmbeddingScorer:
            heard, seen = correlation.audio(corpus.audio), correlation.visual(corpus.visual)
            return EmbeddingScorer(network.embed(heard), network.embed(seen))

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            heard, seen = network(sounds[batch]), network(pictures[batch])
            return triplet_loss(heard, seen, target[batch]) + triplet_loss(seen, heard, target[batch])

        def figure() -> float:
            found = scorer(val)
            return retrieval_figure(val, found) + localization_figure(val, ScoreLocalizer(found, val))

        fit_network(network, rows, loss, figure, SCHEDULE, seed)
        return Fitted(scorer, parameters=parameters_of(network) + correlation.parameters)


def triplet_loss(
    anchor: Float[Tensor, "n width"], other: Float[Tensor, "n width"], target: Int64[Tensor, "n"]
) -> Float[Tensor, ""]:
    """Return the mean cost, among triplets that cost something, of unit embeddings.

    An item of the anchor's class is to be nearer than one of another class, by the margin.
    """
    distance = 1 - anchor @ other.T
    same = target[:, None] == target
    cost = torch.relu(distance[:, :, None] - distance[:, None, :] + MARGIN) * (same[:, :, None] & ~same[:, None, :])
    return cost.sum() / (cost > 0).sum().clamp(min=1)
