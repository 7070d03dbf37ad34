"""Fit the calibration of matches of words, without labels: a second has a word if its own evidence names it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.data.corpus import Corpus
from model.data.distance import distances
from model.frontends.prior import Prior
from model.modality import MODALITIES
from model.network.encoder import Encoder
from model.network.match import Match
from model.training.match_fit import logistic

MOST_SECONDS = 2000
HITS = 10  # the nearest videos of a word are what a user sees, and what is hard to tell
PRESENT = 0.35  # the strength from which a second has a concept


def with_words(match: Match, encoder: Encoder, corpus: Corpus, prior: Prior) -> Match:
    """Add the directions "text-audio" and "text-visual": every concept is asked for, and its nearest videos are judged.

    A match then is the probability that a hit has the concept, among hits. Only the distance counts. A direction in
    which all hits have their concept, or none, is left out.
    """
    coefficients = dict(match.coefficients)
    for target in MODALITIES:
        rows = np.flatnonzero(corpus.heard if target == "audio" else corpus.seen)
        if len(rows) > MOST_SECONDS:
            rows = np.sort(np.random.default_rng(0).choice(rows, MOST_SECONDS, replace=False))
        asked = np.flatnonzero(prior.concepts.classes(target).any(1))
        texts = [prior.row(target, [prior.concepts.names[c]], [], encoder.usual(target)) for c in asked]
        words, items = encoder.latents(target, np.concatenate(texts)), encoder.of_corpus(target, corpus, rows)
        total = distances(words, items, encoder.checkpoint.weights).total
        first = np.flatnonzero(np.diff(corpus.video[rows], prepend=-1))  # the seconds of a video are neighbours
        nearest = np.minimum.reduceat(total, first, axis=1)
        strengths = prior.strengths(target, getattr(corpus, target)[rows])[:, asked].T
        has = np.maximum.reduceat(strengths, first, axis=1) >= PRESENT
        hits = np.argsort(nearest, axis=1)[:, :HITS]
        distance, right = (np.take_along_axis(values, hits, axis=1).ravel() for values in (nearest, has))
        if right.all() or not right.any():
            continue
        intercept, slope = logistic(distance[:, None], right, balanced=False)
        coefficients[f"text-{target}"] = intercept, slope, 0.0, 0.0
    return replace(match, coefficients=coefficients)
