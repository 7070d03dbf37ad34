"""What is chosen before the first epoch, by the start alone: the footage's share in it, and the temporal context."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from model.data.corpus import Corpus
from model.data.distance import ScoreWeights
from model.data.temporal_context import SHARP, TemporalContext
from model.network.encoder import Encoder
from model.training.recipe import Recipe
from model.training.start import Start
from model.training.validation import encode_pairs, validate

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Choice:
    """Hold the footage's share in the start, 0..1, and the context in which seconds are found."""

    share: float = 0.0
    context: TemporalContext = SHARP

    def of(self, start: Start | None) -> tuple[Start, float] | None:
        """Return a start, if there is one, and the footage's share in it."""
        return None if start is None else (start, self.share)


def choose(splits: list[tuple[Corpus, Corpus]], starts: list[Start], recipe: Recipe, seed: int) -> Choice:
    """Return the share and the context that find held-out videos best, each split judged from its own start."""
    contexts = [TemporalContext((1.0,) * (1 + width_s)) for width_s in recipe.widths_s]
    choices = [Choice(share, context) for share in recipe.footage_shares for context in contexts]
    figures = []
    for (rest, part), start in zip(splits, starts, strict=True):
        for share in recipe.footage_shares:
            encoder = Encoder(start.checkpoint(rest, share, seed), CPU)
            for context in contexts:
                judged = Encoder(replace(encoder.checkpoint, context=context), CPU)
                figures.append(validate(encode_pairs(judged, part), ScoreWeights(1.0, 0.0)).mrr)
    means = np.mean(np.reshape(figures, (len(splits), len(choices))), axis=0)
    return choices[int(np.argmax(means))]
