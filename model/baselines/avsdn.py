"""AVSDN: a sequence-to-sequence network per modality, whose summaries of the clip meet, says what each second shows.

Source: Lin, Li and Wang, "Dual-modality seq2seq network for audio-visual event localization", ICASSP 2019. An encoder
per modality summarizes the clip, a decoder per modality starts from the summaries' mean and names each second's
class or background; the sum of both decoders' logits is trained, and either modality alone, since a query has only
one. Two departures, each better on val: the networks read in both directions (in one direction they found an
event's start too late: rolled exact match 22 %, not 32 %), and parts of clips and turned clips are trained on as well,
since a query is cut out and a target may be turned.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from model.baselines.fitting import Schedule, fit_network, parameters_of
from model.baselines.supervision import (
    Scores,
    check_labels,
    class_scorer,
    event_odds,
    figure_of,
    labelled_seconds,
    targets_of,
)
from model.baselines.system import Fitted, System
from model.data.corpus import UNLABELLED, Corpus
from model.errors import TrainingError
from model.judging.localizers import ClipRows, Event, Localizer, Windows
from model.judging.windows import window_distances
from model.modality import MODALITIES, Modality
from model.network.normalization import Normalization

HIDDEN = 128
DROPOUT = 0.3
NOISE = 0.5  # added to the inputs while training, in units of their spread
SCHEDULE = Schedule(epochs=8, patience=3, batch=64, learning_rate=2e-3)
BATCH = 1024

Sequences = Float[Tensor, "n t d"]
State = tuple[Float[Tensor, "2 n hidden"], Float[Tensor, "2 n hidden"]]


class SequenceNetwork(nn.Module):
    """Encode and decode sequences of either modality, or both."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__()
        self.normalization = Normalization.fit(corpus)
        widths = {"audio": math.prod(corpus.audio.shape[1:]), "visual": math.prod(corpus.visual.shape[1:])}
        self.encoders = nn.ModuleDict({m: _lstm(widths[m]) for m in MODALITIES})
        self.decoders = nn.ModuleDict({m: _lstm(widths[m]) for m in MODALITIES})
        self.heads = nn.ModuleDict({m: nn.Linear(2 * HIDDEN, len(corpus.classes) + 1) for m in MODALITIES})
        self.dropout = nn.Dropout(DROPOUT)

    def inputs(self, modality: Modality, features: Float[Tensor, "n t *shape"]) -> Sequences:
        """Return features in standard units, in training with noise."""
        standard = self.normalization(modality, features.flatten(0, 1)).flatten(1).unflatten(0, features.shape[:2])
        if self.training:
            standard = standard + NOISE * torch.randn_like(standard)
        dropped: Tensor = self.dropout(standard)
        return dropped

    def summary(self, modality: Modality, inputs: Sequences) -> State:
        """Return the encoder's last states."""
        state: State = self.encoders[modality](inputs)[1]
        return state

    def name(self, modality: Modality, inputs: Sequences, summary: State) -> Float[Tensor, "n t c"]:
        """Return logits per second: the classes and, last, background."""
        logits: Tensor = self.heads[modality](self.dropout(self.decoders[modality](inputs, summary)[0]))
        return logits

    @torch.inference_mode()
    def alone(self, modality: Modality, features: Float32[np.ndarray, "n t *shape"]) -> Float32[np.ndarray, "n t c"]:
        """Return the logits of any number of sequences of one modality alone.

        Raises:
            TrainingError: they are not finite: the fit diverged.
        """
        device = next(self.parameters()).device
        found = []
        for start in range(0, len(features), BATCH):
            inputs = self.inputs(modality, torch.from_numpy(features[start : start + BATCH]).to(device))
            found.append(self.name(modality, inputs, self.summary(modality, inputs)))
        logits = torch.cat(found)
        if not logits.isfinite().all():
            raise TrainingError("the fit diverged: the network gives NaN or infinite numbers")
        return logits.cpu().numpy()

    def seconds(self, corpus: Corpus) -> Scores:
        """Return the logits of every second, each a sequence of its own: what a retrieval compares."""
        audio, visual = corpus.audio[:, None], corpus.visual[:, None]
        return {"audio": self.alone("audio", audio)[:, 0], "visual": self.alone("visual", visual)[:, 0]}


class SequenceLocalizer(Localizer):
    """Read the query's seconds as one sequence and the target as another; compare them by `event_odds`."""

    def __init__(self, network: SequenceNetwork, corpus: Corpus) -> None:
        self._network = network
        self._features = {"audio": corpus.audio, "visual": corpus.visual}
        self._present = {"audio": corpus.heard, "visual": corpus.seen}

    def windows(self, query: Modality, event: Event, target: Modality, clip: ClipRows, rolled: bool) -> Windows:
        """Return mean distances; `rolled`, their mean over all turns of the target."""
        asked = self._network.alone(query, self._features[query][event][None])[0]
        turns = np.arange(len(clip) if rolled else 1)
        rows = clip[(turns[:, None] + np.arange(len(clip))) % len(clip)]
        shown = self._network.alone(target, self._features[target][rows])
        found = []
        for turn, seconds, logits in zip(turns, rows, shown, strict=True):
            matrix = event_odds(asked, logits)
            matrix[:, ~self._present[target][seconds]] = np.nan
            found.append(np.roll(window_distances(matrix, rolled), turn))
        return np.asarray(np.mean(found, axis=0))


class Avsdn(System):
    """Compare what either modality alone says of a second."""

    name = "avsdn"
    label_free = False

    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit on sequences of both modalities together and of each alone."""
        check_labels(train, val)
        targets = np.where(train.paired, targets_of(train), UNLABELLED)
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        network = SequenceNetwork(train).to(device)

        def loss(batch: Int64[np.ndarray, "batch"]) -> Tensor:
            rows = cut(train, batch, rng)
            audio, visual = (torch.from_numpy(x[rows]).to(device) for x in (train.audio, train.visual))
            return _losses(network, audio, visual, torch.from_numpy(targets[rows]).to(device))

        videos = np.unique(train.video[labelled_seconds(train)])
        fit_network(network, videos, loss, lambda: figure_of(val, network.seconds(val)), SCHEDULE, seed)
        return Fitted(
            class_scorer(train, val, network.seconds),
            lambda corpus: SequenceLocalizer(network, corpus),
            parameters_of(network),
        )


def cut(corpus: Corpus, videos: Int64[np.ndarray, "n"], rng: np.random.Generator) -> Int64[np.ndarray, "n t"]:
    """Draw rows of one stretch per video, all of one length: whole clips half of the time, turned half of the time.

    A quarter are single seconds, and a quarter have a length drawn at random. No stretch is longer than the
    shortest of the videos.
    """
    first = np.searchsorted(corpus.video, videos)[:, None]
    count = np.searchsorted(corpus.video, videos, side="right")[:, None] - first
    longest = int(count.min())
    length = (1, int(rng.integers(1, longest + 1)), longest, longest)[rng.integers(4)]
    turn = rng.integers(0, count) if rng.random() < 0.5 else 0
    start = rng.integers(0, count - length + 1)
    return np.asarray(first + (start + turn + np.arange(length)) % count)


def _losses(
    network: SequenceNetwork, audio: Tensor, visual: Tensor, targets: Int64[Tensor, "n t"]
) -> Float[Tensor, ""]:
    """Return the cross-entropies of both modalities together and of each alone, summed."""
    inputs: dict[Modality, Tensor] = {
        "audio": network.inputs("audio", audio),
        "visual": network.inputs("visual", visual),
    }
    heard, seen = network.summary("audio", inputs["audio"]), network.summary("visual", inputs["visual"])
    own: dict[Modality, State] = {"audio": heard, "visual": seen}
    shared = ((heard[0] + seen[0]) / 2, (heard[1] + seen[1]) / 2)
    together = [network.name(m, inputs[m], shared) for m in MODALITIES]
    alone = [network.name(m, inputs[m], own[m]) for m in MODALITIES]
    known = targets != UNLABELLED
    judged = (together[0] + together[1], *alone)
    return torch.stack([_cross_entropy(logits[known], targets[known]) for logits in judged]).sum()


def _cross_entropy(logits: Float[Tensor, "n c"], targets: Int64[Tensor, "n"]) -> Float[Tensor, ""]:
    """Return the mean over the seconds, 0 where there is none."""
    return nn.functional.cross_entropy(logits, targets, reduction="sum") / max(1, len(targets))


def _lstm(width: int) -> nn.LSTM:
    return nn.LSTM(width, HIDDEN, batch_first=True, bidirectional=True)
