"""What the two-tower systems share: a perceptron per modality, its embeddings, and their label-free figure on val."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from model.baselines.system import ScorerOf
from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.scorers import EmbeddingScorer
from model.modality import MODALITIES, Modality
from model.network.normalization import Normalization
from model.training.validation import MOST_SECONDS, own_video_mrr

BATCH = 1024


class Towers(nn.Module):
    """Map a modality's features, in standard units, to an embedding by a perceptron of its own."""

    def __init__(self, normalization: Normalization, corpus: Corpus, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.normalization = normalization
        shapes = {"audio": corpus.audio.shape[1:], "visual": corpus.visual.shape[1:]}
        self.towers = nn.ModuleDict({m: perceptron([math.prod(shapes[m]), *widths], dropout) for m in MODALITIES})

    def forward(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch width"]:
        """Return the embeddings of features as the archive holds them."""
        embedded: Tensor = self.towers[modality](self.normalization(modality, features).flatten(1))
        return embedded

    @torch.inference_mode()
    def embed(self, modality: Modality, features: Float32[np.ndarray, "n *shape"]) -> Float32[np.ndarray, "n width"]:
        """Return the embeddings of any number of rows.

        Raises:
            TrainingError: they are not finite: the fit diverged.
        """
        device = next(self.parameters()).device
        batches = [features[i : i + BATCH] for i in range(0, len(features), BATCH)] or [features]
        found = torch.cat([self(modality, torch.from_numpy(batch).to(device)) for batch in batches])
        if not found.isfinite().all():
            raise TrainingError("the fit diverged: the network gives NaN or infinite numbers")
        return found.cpu().numpy()

    def scorer(self, corpus: Corpus, metric: str) -> EmbeddingScorer:
        """Return the distances of a corpus's embeddings; `metric` as scipy's cdist names it."""
        return EmbeddingScorer(self.embed("audio", corpus.audio), self.embed("visual", corpus.visual), metric)


class UnitTowers(Towers):
    """Embed both modalities on one unit sphere."""

    def forward(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch width"]:
        """Return unit embeddings."""
        return nn.functional.normalize(super().forward(modality, features), dim=1)


def perceptron(widths: Sequence[int], dropout: float) -> nn.Sequential:
    """Return linear layers of these widths, ReLU and dropout between them, dropout before the first."""
    layers: list[nn.Module] = [nn.Dropout(dropout)]
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])


def paired_seconds(corpus: Corpus) -> Int64[np.ndarray, "n"]:
    """Return the rows of the seconds that have both modalities.

    Raises:
        TrainingError: they come from fewer than two videos.
    """
    rows = np.flatnonzero(corpus.paired)
    if (videos := len(np.unique(corpus.video[rows]))) < 2:
        raise TrainingError(f"{videos} videos with both sound and picture given, at least 2 expected; add footage")
    return rows


def batch_of(
    corpus: Corpus, rows: Int64[np.ndarray, "batch"], device: torch.device
) -> tuple[Float[Tensor, "batch *A"], Float[Tensor, "batch *V"], Int64[Tensor, "batch"]]:
    """Return the sound, the picture and the video of these seconds."""
    audio, visual, video = (torch.from_numpy(x[rows]).to(device) for x in (corpus.audio, corpus.visual, corpus.video))
    return audio, visual, video


def figure_on(val: Corpus, scorer_of: ScorerOf) -> Callable[[], float]:
    """Return what measures, without labels, how often a second's sound finds its own video's picture, and back.

    It looks at 400 seconds of `val`, drawn at random but the same at every call.

    Raises:
        TrainingError: `val` has fewer than two videos with both modalities.
    """
    rows = np.sort(np.random.default_rng(0).permutation(paired_seconds(val))[:MOST_SECONDS])
    return lambda: own_video_mrr(scorer_of(val).score("audio", rows, "visual", rows), val.video[rows])


def correspondence(logits: Float[Tensor, "n n"], video: Int64[Tensor, "n"]) -> Float[Tensor, ""]:
    """Return the cross-entropy of "corresponds": true on the diagonal, false for different videos, half of each.

    Other seconds of the same video count as neither.
    """
    different = logits[video[:, None] != video]
    untrue = nn.functional.softplus(different).sum() / max(1, different.numel())
    return 0.5 * (nn.functional.softplus(-logits.diagonal()).mean() + untrue)
