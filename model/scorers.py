"""What an evaluation compares: things that say how far one second is from another."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.spatial.distance import cdist

from model.checkpoint import Checkpoint
from model.corpus import Corpus
from model.correlation import correlate
from model.distance import ScoreWeights, distances
from model.encoder import Encoder
from model.latents import Latents
from model.msvae import MSVAE, Modality


class Scorer(ABC):
    """Score the seconds of one corpus against each other; rows are rows of that corpus."""

    @abstractmethod
    def score(
        self,
        query: Modality,
        queries: Int64[np.ndarray, "q"],
        target: Modality,
        items: Int64[np.ndarray, "d"],
    ) -> Float64[np.ndarray, "q d"]:
        """Return distances of the queries' modality to the items' modality; small is close."""


class LatentScorer(Scorer):
    """The MS-VAE score D of PAPER: W2 of the posteriors plus the distance of the generated pairs."""

    def __init__(self, latents: dict[Modality, Latents], weights: ScoreWeights) -> None:
        self._latents, self._weights = latents, weights

    @staticmethod
    def of_checkpoint(checkpoint: Checkpoint, corpus: Corpus, device: torch.device) -> LatentScorer:
        """Encode a corpus."""
        encoder = Encoder(checkpoint, device)
        latents: dict[Modality, Latents] = {
            "audio": encoder.latents("audio", corpus.audio),
            "visual": encoder.latents("visual", corpus.visual),
        }
        return LatentScorer(latents, checkpoint.weights)

    def score(
        self,
        query: Modality,
        queries: Int64[np.ndarray, "q"],
        target: Modality,
        items: Int64[np.ndarray, "d"],
    ) -> Float64[np.ndarray, "q d"]:
        """Return D, the weighted sum of both parts."""
        return distances(self._latents[query][queries], self._latents[target][items], self._weights).total


class RandomScorer(Scorer):
    """Chance: distances that mean nothing."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def score(
        self,
        query: Modality,
        queries: Int64[np.ndarray, "q"],
        target: Modality,
        items: Int64[np.ndarray, "d"],
    ) -> Float64[np.ndarray, "q d"]:
        """Return random numbers."""
        return self._rng.random((len(queries), len(items)))


class CorrelationScorer(Scorer):
    """The simplest baseline that learns: regularized linear CCA with cosine distance."""

    def __init__(self, train: Corpus, corpus: Corpus, dimensions: int = 40) -> None:
        pairs = train.paired
        audio, visual = correlate(train.audio[pairs], train.visual[pairs], dimensions)
        self._embedded = {"audio": audio(corpus.audio), "visual": visual(corpus.visual)}

    def score(
        self,
        query: Modality,
        queries: Int64[np.ndarray, "q"],
        target: Modality,
        items: Int64[np.ndarray, "d"],
    ) -> Float64[np.ndarray, "q d"]:
        """Return cosine distances."""
        return np.asarray(cdist(self._embedded[query][queries], self._embedded[target][items], "cosine"))


def untrained(checkpoint: Checkpoint, seed: int) -> Checkpoint:
    """Return a network of the same shape and normalization with random weights: what training adds to."""
    torch.manual_seed(seed)
    model = MSVAE(checkpoint.model.architecture).eval()
    return Checkpoint(
        model,
        checkpoint.normalization,
        checkpoint.front_end,
        checkpoint.front_end_identity,
        checkpoint.weights,
    )
