"""Footage whose seconds show and sound like concepts of the shipped table, and a prior that knows them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from corpus_samples import planted_corpus

from model.concepts.concepts import Concepts
from model.data.corpus import Corpus
from model.frontends.prior import EVIDENCE_FLOOR, Prior
from model.modality import MODALITIES

CONCEPTS = Concepts.load()
KINDS = ("dog", "piano", "helicopter", "waterfall", "cat", "train", "rain", "church", "frog", "guitar")
PRIOR = Prior(
    CONCEPTS,
    {m: np.full(len(CONCEPTS.names), np.log(2 * floor), np.float32) for m, floor in EVIDENCE_FLOOR.items()},
    {"audio": 0.5, "visual": 0.5},
)


def named_corpus(videos: int = 20, seconds: int = 6, naming: float = 1.0, seed: int = 0, noise: float = 0.3) -> Corpus:
    """Return videos of a kind each: embeddings as in `planted_corpus`, then the log evidence of the concepts.

    `naming`, 0..1: how much of each second's scores is its kind's, the rest is of random classes.
    """
    corpus = planted_corpus(videos, seconds, seed=seed, noise=noise)
    random = np.random.default_rng(seed + 1)
    features = {}
    for m in MODALITIES:
        members = CONCEPTS.classes(m)
        scores = (1 - naming) * random.dirichlet(np.full(members.shape[1], 0.02), len(corpus.video))
        for row, video in enumerate(corpus.video):
            kind = members[CONCEPTS.names.index(KINDS[video % len(KINDS)])]
            scores[row, kind] += naming * random.dirichlet(np.ones(int(kind.sum())))
        evidence = np.stack([PRIOR.log_evidence(m, row) for row in scores.astype(np.float32)])
        features[m] = np.concatenate([getattr(corpus, m), evidence], axis=1).astype(np.float32)
    return replace(corpus, audio=features["audio"], visual=features["visual"])
