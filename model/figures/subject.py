"""What a page of figures is about, and which of its seconds are mapped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64

from model.data.corpus import UNLABELLED, Corpus
from model.data.draws import draw_seconds
from model.errors import FigureError, NothingLabelled
from model.judging.evaluation import eligible_seconds
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

FEWEST_POINTS = 8  # under this there is no neighbourhood to map
MOST_POINTS = 2000  # three maps of so many take a minute


@dataclass(frozen=True, eq=False)
class Subject:
    """Name a corpus, the model that judges it, and the seed of every draw; `source` says what the corpus is."""

    corpus: Corpus
    checkpoint: Checkpoint
    source: str
    seed: int
    device: torch.device

    def caption(self, n: str) -> str:
        """Return the line under a title: where the data are from, how many, which seed, how many were trained on."""
        seen = self.checkpoint.trained_on(self.corpus.video_ids)
        trained_on = f"; the model was trained on {seen} of the {len(self.corpus)} videos" if seen else ""
        return f"{self.source}, n = {n}, seed {self.seed}{trained_on}"


@dataclass(frozen=True, eq=False)
class Sample:
    """Hold the latent means of n seconds, one per video.

    `label` (n,): rows of `classes`, or -1 for all where too little is labelled.
    """

    audio: Float32[np.ndarray, "n latent"]
    visual: Float32[np.ndarray, "n latent"]
    label: Int64[np.ndarray, "n"]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def joint(self) -> Float32[np.ndarray, "n latent"]:
        """Return the mean of both means of each second."""
        return np.asarray((self.audio + self.visual) / 2)

    @property
    def labelled(self) -> bool:
        """Say whether the seconds have classes."""
        return bool((self.label != UNLABELLED).all())


def draw_sample(subject: Subject) -> Sample:
    """Draw one second of each labelled video's event, or of each video where fewer than two are labelled.

    Of more than 2,000 videos a random 2,000 are taken.

    Raises:
        FigureError: too few videos to map.
    """
    corpus, rng = subject.corpus, np.random.default_rng(subject.seed)
    try:
        seconds, label = eligible_seconds(corpus), corpus.label
    except NothingLabelled:
        seconds, label = np.flatnonzero(corpus.paired), np.full(len(corpus), UNLABELLED)
    rows = seconds[draw_seconds(corpus.video[seconds], 1, rng)[0]]
    if len(rows) < FEWEST_POINTS:
        raise FigureError(
            f"a map needs {FEWEST_POINTS} videos with sound and picture (in the event, where labelled), "
            f"{len(rows)} given; add footage"
        )
    if len(rows) > MOST_POINTS:
        rows = np.sort(rng.choice(rows, MOST_POINTS, replace=False))
    encoder = Encoder(subject.checkpoint, subject.device)
    audio = encoder.latents("audio", corpus.audio[rows]).mu
    visual = encoder.latents("visual", corpus.visual[rows]).mu
    return Sample(audio, visual, label[corpus.video[rows]], corpus.classes)
