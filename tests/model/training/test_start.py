"""Where training starts: a front-end's prior makes a model that no footage has taught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from named_samples import CONCEPTS, PRIOR, named_corpus

from model.data.distance import ScoreWeights
from model.data.temporal_context import SHARP
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.training.plan import Trained, train
from model.training.recipe import DEFAULT
from model.training.start import LATENT, PRIOR_AXES, axes_of, evidence_along_axes
from model.training.starting_model import starting_model
from model.training.validation import encode_pairs, validate, weights_of

CPU = torch.device("cpu")
SHAPES: dict[Modality, int] = {"audio": 12 + len(CONCEPTS.names), "visual": 16 + len(CONCEPTS.names)}
QUICK = replace(DEFAULT, epochs=2, footage_shares=(0.0, 0.5, 1.0), widths_s=(0, 2))


@pytest.fixture(scope="module")
def start() -> Checkpoint:
    return starting_model(("named", "named-1"), PRIOR, SHAPES)


def trained(seed: int = 0, **of_corpus: float) -> Trained:
    return train(named_corpus(**of_corpus), QUICK, ("named", "named-1"), seed, CPU, prior=PRIOR)  # type: ignore[arg-type]


def test_sound_finds_picture_before_any_footage(start: Checkpoint) -> None:
    """Ten kinds, a video each: names alone put the own video first nearly always."""
    found = validate(encode_pairs(Encoder(start, CPU), named_corpus(videos=10)), start.weights)
    assert found.mrr > 0.9
    assert found.chance < 0.3


def test_both_parts_of_the_distance_find_it(start: Checkpoint) -> None:
    """The means alone do, and the generated pairs alone do."""
    pairs = encode_pairs(Encoder(start, CPU), named_corpus(videos=10))
    for weights in (ScoreWeights(1.0, 0.0), ScoreWeights(0.0, 1.0)):
        assert validate(pairs, weights).mrr > 0.9
    latent, generated = weights_of(pairs, 0.25).latent, weights_of(pairs, 0.25).generated
    ratio = (start.weights.generated / start.weights.latent) / (generated / latent)
    assert 0.3 < ratio < 3


def test_the_mean_is_the_evidence_along_the_axes(start: Checkpoint) -> None:
    """Evidence, what is lacking halved, along orthonormal axes, on the sphere; the footage's dimensions are zero."""
    corpus, axes = named_corpus(videos=3), axes_of(CONCEPTS)
    np.testing.assert_allclose(axes.T @ axes, np.eye(PRIOR_AXES), atol=1e-9)
    evidence = PRIOR.evidence("audio", corpus.audio).astype(np.float64)
    along = np.where(evidence < 0, 0.5 * evidence, evidence) @ axes
    np.testing.assert_allclose(
        evidence_along_axes(PRIOR, "audio", corpus.audio), along / (0.5 * len(axes) ** 0.5), rtol=1e-6
    )
    expected = np.sqrt(LATENT) * along / np.linalg.norm(along, axis=1, keepdims=True)
    found = Encoder(replace(start, context=SHARP), CPU).latents("audio", corpus.audio).mu
    cosine = (found[:, :PRIOR_AXES] * expected).sum(1) / LATENT  # the hidden units round the corner at zero
    assert cosine.min() > 0.999
    assert not found[:, PRIOR_AXES:].any()


def test_the_generated_pair_is_the_evidence_that_the_latent_stands_for(start: Checkpoint) -> None:
    """From a sound, the evidence of picture and sound alike points where the sound's own does; embeddings are usual."""
    corpus = named_corpus(videos=6)
    encoder = Encoder(replace(start, context=SHARP), CPU)
    pair = encoder.pair(encoder.latents("audio", corpus.audio))
    axes = axes_of(CONCEPTS)
    own = evidence_along_axes(PRIOR, "audio", corpus.audio)
    for modality in ("audio", "visual"):
        generated = PRIOR.evidence(modality, pair[modality]) @ axes
        cosine = (generated * own).sum(1) / np.linalg.norm(generated, axis=1) / np.linalg.norm(own, axis=1)
        assert cosine.min() > 0.999
        np.testing.assert_allclose(pair[modality][:, : -len(CONCEPTS.names)], 0, atol=1e-4)


def test_little_evidence_gives_a_wide_posterior(start: Checkpoint) -> None:
    """Half of the same evidence has a larger sigma, none the largest."""
    whole = named_corpus(videos=10).audio
    usual = whole.copy()
    usual[:, -len(CONCEPTS.names) :] = PRIOR.usual["audio"]
    encoder = Encoder(start, CPU)
    sigma = [encoder.latents("audio", rows).sigma.mean(1) for rows in (whole, 0.5 * whole + 0.5 * usual, usual)]
    assert (sigma[0] < sigma[1]).all()
    assert (sigma[1] < sigma[2]).all()


def test_the_starting_model_has_the_same_bytes_each_time(start: Checkpoint, tmp_path: Path) -> None:
    """Its fingerprint does not change, after saving and loading either; context and match are kept."""
    assert starting_model(("named", "named-1"), PRIOR, SHAPES).fingerprint == start.fingerprint
    start.save(tmp_path / "start")
    loaded = Checkpoint.load(tmp_path / "start")
    assert (loaded.fingerprint, loaded.context, loaded.match) == (start.fingerprint, start.context, start.match)


def test_footage_counts_where_it_teaches() -> None:
    """Names that say nothing leave it to the footage; footage that says nothing leaves it to the names."""
    assert trained(naming=0.0).checkpoint.training["footage_share"] > 0
    assert trained(noise=50.0).checkpoint.training["footage_share"] < 1


def test_training_is_not_worse_than_its_start() -> None:
    """On the held-out videos that chose everything, the start with no footage is one of the choices."""
    corpus = named_corpus(naming=0.3)
    result = train(corpus, QUICK, ("named", "named-1"), 0, CPU, prior=PRIOR)
    alone = train(corpus, replace(QUICK, footage_shares=(0.0,)), ("named", "named-1"), 0, CPU, prior=PRIOR)
    assert result.validation.mrr >= alone.validation.mrr - 0.01


def test_the_context_is_chosen_and_kept() -> None:
    """Noisy names gain from neighbours; the match is fitted on held-out videos; a tenth at least is generated."""
    result = trained(naming=0.15, noise=5.0)
    checkpoint = result.checkpoint
    assert checkpoint.context.width_s == 2
    assert checkpoint.match is not None
    assert checkpoint.training["generated_share"] >= 0.1


def test_an_interrupted_training_from_a_prior_goes_on(tmp_path: Path) -> None:
    """Its states are read again, and the model has the same bytes."""
    corpus, state = named_corpus(videos=10), tmp_path / "state"
    first = train(corpus, QUICK, ("named", "named-1"), 0, CPU, None, state, prior=PRIOR)
    again = train(corpus, QUICK, ("named", "named-1"), 0, CPU, None, state, prior=PRIOR)
    assert again.checkpoint.fingerprint == first.checkpoint.fingerprint
