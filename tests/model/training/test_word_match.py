"""The calibration of words: a second has a word if its own evidence names it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from named_samples import CONCEPTS, KINDS, PRIOR, named_corpus

from model.data.distance import distances
from model.data.latents import Latents
from model.network.encoder import Encoder
from model.network.match import Match
from model.training.starting_model import starting_model
from model.training.word_match import with_words

CPU = torch.device("cpu")
SHAPES = {"audio": 12 + len(CONCEPTS.names), "visual": 16 + len(CONCEPTS.names)}


def test_a_word_matches_what_shows_it() -> None:
    """Dogs match "dog" and "piano" does not, by sound and by picture; a library of dogs has no piano."""
    corpus = named_corpus(videos=20)
    encoder = Encoder(starting_model(("named", "named-1"), PRIOR, SHAPES), CPU)  # type: ignore[arg-type]
    match = with_words(Match({}, {}), encoder, corpus, PRIOR)
    for target in ("audio", "visual"):
        assert match.knows("text", target)  # type: ignore[arg-type]
        items = encoder.of_corpus(target, corpus)  # type: ignore[arg-type]
        dogs = corpus.video % len(KINDS) == KINDS.index("dog")
        for word, expected in (("dog", dogs), ("piano", corpus.video % len(KINDS) == KINDS.index("piano"))):
            text = encoder.latents(target, PRIOR.row(target, [word], [], encoder.usual(target)))  # type: ignore[arg-type]
            found = _matches(match, encoder, target, text, items)
            assert found[expected].min() > 0.8
            assert found[~expected].max() < 0.5
            others = float(found[~expected].max())
            assert match.verdict("text", target, float(found.max()), 20) in ("strong", "fair")  # type: ignore[arg-type]
            assert match.verdict("text", target, others, 20) in ("weak", "nothing")  # type: ignore[arg-type]


def test_seconds_that_name_nothing_calibrate_nothing() -> None:
    """Without any evidence there is no direction, and what was there stays."""
    corpus = named_corpus(videos=6)
    usual = {m: np.zeros_like(getattr(corpus, m)) for m in ("audio", "visual")}
    for modality, features in usual.items():
        features[:, -len(CONCEPTS.names) :] = PRIOR.usual[modality]  # type: ignore[index]
    encoder = Encoder(starting_model(("named", "named-1"), PRIOR, SHAPES), CPU)  # type: ignore[arg-type]
    before = Match({"audio-visual": (1.0, -1.0, 0.0, 0.0)}, {"audio-visual": (0.0, 1.0)})
    assert with_words(before, encoder, replace(corpus, **usual), PRIOR) == before


def _matches(match: Match, encoder: Encoder, target: str, text: Latents, items: Latents) -> np.ndarray:
    total = distances(text, items, encoder.checkpoint.weights).total[0]  # type: ignore[arg-type]
    return match.probability("text", target, text, items, total)  # type: ignore[arg-type]
