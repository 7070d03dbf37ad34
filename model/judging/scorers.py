"""Scorers: how far is one second from another?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from scipy.spatial.distance import cdist

from model.data.corpus import Corpus
from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents
from model.modality import MODALITIES, Modality
from model.network.checkpoint import Checkpoint
from model.network.correlation import Projection, correlate
from model.network.encoder import Encoder
from model.network.msvae import MSVAE

Queries = Int64[np.ndarray, "q"]  # rows of the corpus that is judged, as items are
Items = Int64[np.ndarray, "d"]
Matrix = Float64[np.ndarray, "q d"]  # distances


class Scorer(ABC):
    """Score the seconds of one corpus against each other."""

    @abstractmethod
    def score(self, query: Modality, queries: Queries, target: Modality, items: Items) -> Matrix:
        """Return distances of the queries' modality to the items' modality; small is close."""


class LatentScorer(Scorer):
    """The MS-VAE score D of Zhu et al., ICASSP 2021: W2 of the posteriors plus the distance of the generated pairs.

    `mean_square` compares generated pairs by their mean squared difference instead, as the released retrieval does.
    """

    def __init__(self, latents: dict[Modality, Latents], weights: ScoreWeights, mean_square: bool = False) -> None:
        self._latents, self._weights, self._mean_square = latents, weights, mean_square

    def by_mean_square(self) -> LatentScorer:
        """Return the scorer of the same latents that compares generated pairs by their mean squared difference."""
        return LatentScorer(self._latents, self._weights, mean_square=True)

    @staticmethod
    def of_checkpoint(checkpoint: Checkpoint, corpus: Corpus, device: torch.device) -> LatentScorer:
        """Encode a corpus, each second in the checkpoint's context."""
        encoder = Encoder(checkpoint, device)
        return LatentScorer({m: encoder.of_corpus(m, corpus) for m in MODALITIES}, checkpoint.weights)

    def score(self, query: Modality, queries: Queries, target: Modality, items: Items) -> Matrix:
        """Return D, the weighted sum of both parts."""
        these, those = self._latents[query][queries], self._latents[target][items]
        if not self._mean_square:
            return distances(these, those, self._weights).total
        parts = distances(these, those, ScoreWeights())
        pair = these.generated.shape[1]
        return np.asarray(self._weights.latent * parts.latent + self._weights.generated * parts.generated**2 / pair)


class RandomScorer(Scorer):
    """Random distances: the level of chance."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def score(self, query: Modality, queries: Queries, target: Modality, items: Items) -> Matrix:
        """Return random numbers."""
        return self._rng.random((len(queries), len(items)))


class EmbeddingScorer(Scorer):
    """Both modalities as points of one space; `metric` as scipy's cdist names it."""

    def __init__(
        self, audio: Float[np.ndarray, "n d"], visual: Float[np.ndarray, "n d"], metric: str = "cosine"
    ) -> None:
        self._embedded, self._metric = {"audio": audio, "visual": visual}, metric

    def score(self, query: Modality, queries: Queries, target: Modality, items: Items) -> Matrix:
        """Return distances by the metric; a zero row has no direction: its cosine distance is 1."""
        found = cdist(self._embedded[query][queries], self._embedded[target][items], self._metric)
        return np.nan_to_num(found, nan=1.0) if self._metric == "cosine" else np.asarray(found)


@dataclass(frozen=True, eq=False)
class Correlation:
    """Hold the regularized linear CCA of one corpus's pairs; call it to judge another corpus by cosine distance."""

    audio: Projection
    visual: Projection

    @staticmethod
    def fit(train: Corpus, dimensions: int = 40) -> Correlation:
        """Fit on the seconds that have both modalities."""
        pairs = train.paired
        return Correlation(*correlate(train.audio[pairs], train.visual[pairs], dimensions))

    def __call__(self, corpus: Corpus) -> EmbeddingScorer:
        """Project a corpus."""
        return EmbeddingScorer(self.audio(corpus.audio), self.visual(corpus.visual))

    @property
    def parameters(self) -> int:
        """Return how many numbers were fitted."""
        return sum(side.mean.size + side.matrix.size for side in (self.audio, self.visual))


def untrained(checkpoint: Checkpoint, seed: int) -> Checkpoint:
    """Return a checkpoint of the same architecture and normalization with random weights, to compare with."""
    torch.manual_seed(seed)
    model = MSVAE(checkpoint.model.architecture).eval()
    return Checkpoint(
        model,
        checkpoint.normalization,
        checkpoint.front_end,
        checkpoint.front_end_identity,
        checkpoint.weights,
    )
