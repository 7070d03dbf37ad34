"""DCCA: networks whose outputs correlate as much as they can, linear CCA on top, cosine distance.

Source: Andrew, Arora, Bilmes and Livescu, "Deep canonical correlation analysis", ICML 2013.
Big mini-batches, dropout and the epoch chosen on val stand in for their autoencoder pretraining and full-batch steps;
the ridge is a share of the outputs' variance, so that scaling them up does not evade it.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from model.baselines.fitting import Schedule, fit_network, parameters_of
from model.baselines.system import Fitted, System
from model.baselines.towers import Towers, batch_of, figure_on, paired_seconds
from model.data.corpus import Corpus
from model.judging.scorers import Correlation, EmbeddingScorer
from model.network.correlation import correlate
from model.network.normalization import Normalization

WIDTHS = (512, 64)
DROPOUT = 0.2
RIDGE = 0.1  # a share of the mean variance of an output
DIMENSIONS = 40
TOP_RIDGE = 1.0
SCHEDULE = Schedule(batch=1024, epochs=20)


class Dcca(System):
    """Compare the outputs of the networks after linear CCA of those of the training pairs."""

    name = "dcca"

    def __init__(self, schedule: Schedule = SCHEDULE) -> None:
        self._schedule = schedule

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit the networks on big batches: a batch must tell its covariances."""
        rows = paired_seconds(train)
        torch.manual_seed(seed)
        network = Towers(Normalization.fit(train), train, WIDTHS, DROPOUT).to(device)

        def top() -> Correlation:
            audio, visual = network.embed("audio", train.audio[rows]), network.embed("visual", train.visual[rows])
            return Correlation(*correlate(audio, visual, DIMENSIONS, WIDTHS[-1], TOP_RIDGE))

        def scorer(corpus: Corpus, correlation: Correlation) -> EmbeddingScorer:
            audio, visual = network.embed("audio", corpus.audio), network.embed("visual", corpus.visual)
            return EmbeddingScorer(correlation.audio(audio), correlation.visual(visual))

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            audio, visual, _ = batch_of(train, batch, device)
            return -total_correlation(network("audio", audio), network("visual", visual))

        fit_network(network, rows, loss, figure_on(val, lambda corpus: scorer(corpus, top())), self._schedule, seed)
        final = top()
        return Fitted(lambda corpus: scorer(corpus, final), parameters=parameters_of(network) + final.parameters)


def total_correlation(
    audio: Float[Tensor, "batch width"], visual: Float[Tensor, "batch width"], ridge: float = RIDGE
) -> Float[Tensor, ""]:
    """Return the sum of the canonical correlations: the singular values of the whitened cross-covariance."""
    audio, visual = audio - audio.mean(0), visual - visual.mean(0)
    roots = [torch.linalg.cholesky(_covariance(side, ridge)) for side in (audio, visual)]
    half = torch.linalg.solve_triangular(roots[0], audio.T @ visual / len(audio), upper=False)
    whitened = torch.linalg.solve_triangular(roots[1], half.T, upper=False)
    correlations: Tensor = torch.linalg.svdvals(whitened)
    return correlations.sum()


def _covariance(centred: Float[Tensor, "batch width"], ridge: float) -> Float[Tensor, "width width"]:
    covariance = centred.T @ centred / len(centred)
    return covariance + (ridge * covariance.diagonal().mean() + 1e-6) * torch.eye(
        len(covariance), device=centred.device
    )
