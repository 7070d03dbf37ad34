"""L3-Net: corresponds or not, from two towers fused by concatenation.

Source: Arandjelovic and Zisserman, "Look, listen and learn", ICCV 2017. Their towers see raw pixels and spectra,
these the features; a batch gives all its pairings of different videos as non-pairs, which are half of the loss.

Nothing aligns the towers, so a distance between the embeddings of different modalities is chance by design, and the
figures across modalities that Zhu et al., ICASSP 2021, print for L3-Net are. What the network does know of a sound and
a picture is its verdict: across modalities the distance is minus the logit of "corresponds", within one it is the
cosine distance of the tower's embeddings.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor, nn

from model.baselines.fitting import Schedule, fit_network, parameters_of
from model.baselines.system import Fitted, System
from model.baselines.towers import Towers, batch_of, correspondence, figure_on, paired_seconds
from model.data.corpus import Corpus
from model.judging.scorers import EmbeddingScorer, Items, Matrix, Queries, Scorer
from model.modality import MODALITIES, Modality
from model.network.normalization import Normalization

WIDTHS = (512,)
FUSED = 128
DROPOUT = 0.4
SCHEDULE = Schedule(batch=128, epochs=10, patience=4)
BLOCK = 64  # sounds judged at a time: the fused layer holds every pair


class FusedTowers(Towers):
    """Judge a pair by a perceptron on both embeddings side by side."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(Normalization.fit(corpus), corpus, WIDTHS, DROPOUT)
        # The first layer on a concatenation is the sum of a layer on each part; this way n + m rows make n m pairs.
        self.fusion = nn.ModuleDict({m: nn.Linear(WIDTHS[-1], FUSED) for m in MODALITIES})
        self.verdict = nn.Linear(FUSED, 1)

    def logits(self, audio: Float[Tensor, "n width"], visual: Float[Tensor, "m width"]) -> Float[Tensor, "n m"]:
        """Return the logit that sound i and picture j correspond."""
        fused = self.fusion["audio"](audio.relu())[:, None] + self.fusion["visual"](visual.relu())
        logits: Tensor = self.verdict(fused.relu())[..., 0]
        return logits


class VerdictScorer(Scorer):
    """Score by the verdict across modalities, by the towers' cosine within one."""

    def __init__(self, network: FusedTowers, corpus: Corpus) -> None:
        self._network = network
        self._embedded = {
            "audio": network.embed("audio", corpus.audio),
            "visual": network.embed("visual", corpus.visual),
        }
        self._within = EmbeddingScorer(self._embedded["audio"], self._embedded["visual"])

    def score(self, query: Modality, queries: Queries, target: Modality, items: Items) -> Matrix:
        """Return distances; those across modalities are negative where the pair is thought to correspond."""
        if query == target:
            return self._within.score(query, queries, target, items)
        if query == "visual":
            return self.score(target, items, query, queries).T
        audio, visual = self._embedded["audio"][queries], self._embedded["visual"][items]
        blocks = [audio[i : i + BLOCK] for i in range(0, len(audio), BLOCK)] or [audio]
        return -np.concatenate([self._logits(block, visual) for block in blocks])

    @torch.inference_mode()
    def _logits(
        self, audio: Float32[np.ndarray, "n width"], visual: Float32[np.ndarray, "m width"]
    ) -> Float64[np.ndarray, "n m"]:
        device = next(self._network.parameters()).device
        logits = self._network.logits(torch.from_numpy(audio).to(device), torch.from_numpy(visual).to(device))
        return logits.double().cpu().numpy()


class L3Net(System):
    """Rank by the verdict across modalities, by the towers' cosine within one."""

    name = "l3_net"

    def __init__(self, schedule: Schedule = SCHEDULE) -> None:
        self._schedule = schedule

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit the towers and the fusion together."""
        rows = paired_seconds(train)
        torch.manual_seed(seed)
        network = FusedTowers(train).to(device)

        def scorer(corpus: Corpus) -> VerdictScorer:
            return VerdictScorer(network, corpus)

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            audio, visual, video = batch_of(train, batch, device)
            return correspondence(network.logits(network("audio", audio), network("visual", visual)), video)

        fit_network(network, rows, loss, figure_on(val, scorer), self._schedule, seed)
        return Fitted(scorer, parameters=parameters_of(network))
