"""EICS: two common spaces side by side, an explicit one that pairs shape and an implicit one that labels shape.

Source: Zeng, Wu, Hattori, Xu and Yu, "Learning explicit and implicit dual common subspaces for audio-visual cross-modal
retrieval", ACM TOMM 2023. As its abstract says, the explicit space keeps what sound and picture of a second have in
common, and in the implicit one each modality, by layers of its own, comes near its labels.

Its formulas, widths and rates could not be found; these are plain choices. One layer of both modalities leads to the
explicit space, where a second has to tell its own pair from those of other videos in the batch (van den Oord et al.,
"Representation learning with contrastive predictive coding", 2018). A layer of each modality leads to the implicit one,
where predicted labels come near the true ones by Euclidean distance. Both spaces count the same. Seconds of background
are one more class.
"""

from __future__ import annotations

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
from model.judging.scorers import EmbeddingScorer
from model.modality import MODALITIES, Modality
from model.network.normalization import Normalization

HIDDEN, WIDTH = 512, 64  # WIDTH: of each space
DROPOUT = 0.2
TEMPERATURE = 0.1
SCHEDULE = Schedule(epochs=15, patience=5)


class DualSubspaces(Towers):
    """Embed both modalities in both spaces, side by side, each part of length 1."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(Normalization.fit(corpus), corpus, (HIDDEN,), DROPOUT)
        self.explicit = nn.Linear(HIDDEN, WIDTH)
        self.implicit = nn.ModuleDict({m: nn.Linear(HIDDEN, WIDTH) for m in MODALITIES})
        self.classify = nn.Linear(WIDTH, len(corpus.classes) + 1)

    def spaces(
        self, modality: Modality, features: Float[Tensor, "batch *shape"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch width"]]:
        """Return the embeddings in the explicit space, of length 1, and in the implicit one."""
        hidden = super().forward(modality, features).relu()
        return nn.functional.normalize(self.explicit(hidden), dim=1), self.implicit[modality](hidden)

    def forward(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch both"]:
        """Return both embeddings side by side; the cosine of two of them is the mean of those in each space."""
        explicit, implicit = self.spaces(modality, features)
        return torch.cat([explicit, nn.functional.normalize(implicit, dim=1)], dim=1)

    def loss(
        self,
        audio: Float[Tensor, "batch *A"],
        visual: Float[Tensor, "batch *V"],
        video: Int64[Tensor, "batch"],
        target: Int64[Tensor, "batch"],
    ) -> Float[Tensor, ""]:
        """Return the surprise of the own pairs plus the distances from the labels."""
        (heard, of_sound), (seen, of_picture) = self.spaces("audio", audio), self.spaces("visual", visual)
        indicators = nn.functional.one_hot(target, self.classify.out_features)
        labels = [(self.classify(side) - indicators).norm(dim=1).mean() for side in (of_sound, of_picture)]
        total: Tensor = pair_surprise(heard @ seen.T, video) + labels[0] + labels[1]
        return total


class Eics(System):
    """Rank by the cosine distance, the mean of both spaces'."""

    name = "eics"
    label_free = False

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit both spaces together."""
        check_labels(train, val)
        rows, target = labelled_seconds(train), torch.from_numpy(targets_of(train)).to(device)
        torch.manual_seed(seed)
        network = DualSubspaces(train).to(device)

        def scorer(corpus: Corpus) -> EmbeddingScorer:
            return network.scorer(corpus, "cosine")

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            audio, visual, video = batch_of(train, batch, device)
            return network.loss(audio, visual, video, target[batch])

        def figure() -> float:
            found = scorer(val)
            return retrieval_figure(val, found) + localization_figure(val, ScoreLocalizer(found, val))

        fit_network(network, rows, loss, figure, SCHEDULE, seed)
        return Fitted(scorer, parameters=parameters_of(network))


def pair_surprise(cosine: Float[Tensor, "n n"], video: Int64[Tensor, "n"]) -> Float[Tensor, ""]:
    """Return the cross-entropy of the own pair among those of other videos, mean of both ways."""
    sibling = (video[:, None] == video) & ~torch.eye(len(video), dtype=torch.bool, device=video.device)
    logits = (cosine / TEMPERATURE).masked_fill(sibling, -torch.inf)
    own = torch.arange(len(video), device=video.device)
    return 0.5 * (nn.functional.cross_entropy(logits, own) + nn.functional.cross_entropy(logits.T, own))
