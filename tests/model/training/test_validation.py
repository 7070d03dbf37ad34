"""Held-out figures without labels, and the choices made with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus
from latent_samples import clustered_latents

from model.data.distance import ScoreWeights, distances
from model.data.draws import draw_seconds
from model.data.latents import Latents
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization
from model.training.validation import (
    MOST_SECONDS,
    SHARES,
    PairedLatents,
    Validation,
    choose_temperature,
    encode_pairs,
    gallery_of,
    mean_validation,
    validate,
    validate_shares,
    weights_of,
)


def pairs_of(audio: Latents, visual: Latents, seconds: int) -> PairedLatents:
    videos = len(audio) // seconds
    return PairedLatents(audio, visual, np.repeat(np.arange(videos), seconds), np.tile(np.arange(seconds), videos))


def identical(videos: int = 12, seconds: int = 4) -> PairedLatents:
    """Return pairs whose two modalities have one latent; seconds of a video are alike."""
    latents = clustered_latents(videos)[np.repeat(np.arange(videos), seconds)]
    return pairs_of(latents, latents, seconds)


def unrelated(videos: int = 12, seconds: int = 4) -> PairedLatents:
    count = videos * seconds
    return pairs_of(clustered_latents(count, seed=1), clustered_latents(count, seed=2), seconds)


def test_a_model_that_pairs_perfectly_has_an_mrr_of_one() -> None:
    """Each sound finds its own video's picture first."""
    found = validate(identical(), ScoreWeights())
    assert (found.mrr, found.videos) == (1, 12)
    assert found.chance == pytest.approx(sum(1 / rank for rank in range(1, 13)) / 12)


def test_a_model_that_pairs_nothing_is_at_chance() -> None:
    """Where the modalities have nothing in common the figure is near H_n / n; equal distances are, too."""
    found = [validate(unrelated(40, 3), ScoreWeights(), seed) for seed in range(3)]
    assert np.mean([v.mrr for v in found]) == pytest.approx(found[0].chance, abs=0.04)
    flat = clustered_latents(1)[np.zeros(160, int)]
    constant = validate(pairs_of(flat, flat, 4), ScoreWeights())
    assert constant.mrr == pytest.approx(constant.chance, abs=0.03)


def test_both_directions_count() -> None:
    """A query set where one sound is nearest to every picture is easy one way and not the other."""
    zeros = np.zeros((3, 1), np.float32)
    audio = Latents(np.float32([[0], [10], [20]]), zeros, zeros)
    visual = Latents(np.float32([[0], [1], [2]]), zeros, zeros)
    # sounds find pictures at ranks 1, 2, 1; pictures find sounds at ranks 1, 2, 3
    found = validate(pairs_of(audio, visual, 1), ScoreWeights(1.0, 0.0))
    assert found.mrr == pytest.approx((1 + 1 / 2 + 1 + 1 + 1 / 2 + 1 / 3) / 6)


def test_a_share_splits_the_distance_by_medians() -> None:
    """Under the weights of a share the parts' medians stand as 1 - share to share, and sum to one."""
    pairs = unrelated()
    for share in SHARES:
        parts = distances(pairs.audio, pairs.visual, weights_of(pairs, share))
        assert np.median(parts.latent) == pytest.approx(1 - share)
        assert np.median(parts.generated) == pytest.approx(share)


def test_shares_are_validated_as_their_weights_are() -> None:
    """The figures of all shares at once are those of one validation each."""
    pairs = unrelated()
    expected = [validate(pairs, weights_of(pairs, share)) for share in SHARES]
    assert [v.mrr for v in validate_shares(pairs)] == pytest.approx([v.mrr for v in expected])


def test_the_share_follows_the_part_that_knows() -> None:
    """With latents that tell and pairs that do not, less of the generated part is better; and the reverse."""
    know, guess = identical(20), unrelated(20)
    latent = replace(
        know,
        audio=replace(know.audio, generated=guess.audio.generated),
        visual=replace(know.visual, generated=guess.visual.generated),
    )
    found = [v.mrr for v in validate_shares(latent)]
    assert (found[0], max(found)) == (1, 1)
    assert found[-1] < 0.5
    generated = replace(
        guess,
        audio=replace(guess.audio, generated=know.audio.generated),
        visual=replace(guess.visual, generated=know.visual.generated),
    )
    found = [v.mrr for v in validate_shares(generated)]
    assert found[-1] == 1
    assert found[0] < 0.5


def test_a_gallery_has_one_second_of_every_video() -> None:
    """Each draw takes, for every video, one of its own seconds, all equally often."""
    video = np.array([0, 0, 0, 2, 2, 7])
    drawn = draw_seconds(video, 6000, np.random.default_rng(0))
    assert (video[drawn] == [0, 2, 7]).all()
    assert np.bincount(drawn[:, 0], minlength=3) / 6000 == pytest.approx(np.full(3, 1 / 3), abs=0.03)
    assert np.bincount(drawn[:, 1])[3:] / 6000 == pytest.approx(np.full(2, 1 / 2), abs=0.03)


def test_the_chance_of_a_gallery_is_harmonic() -> None:
    """Videos without a pair are not in it."""
    corpus = planted_corpus(videos=5)
    assert gallery_of(corpus) == (pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 5), 5)
    assert gallery_of(replace(corpus, seen=corpus.seen & (corpus.video < 2))) == (pytest.approx(0.75), 2)


def test_the_mean_of_validations() -> None:
    """Figures and sizes are averaged over the folds."""
    found = mean_validation([Validation(0.4, 0.2, 3), Validation(0.6, 0.4, 5)])
    assert (found.mrr, found.chance, found.videos) == pytest.approx((0.5, 0.3, 4))


def test_pairs_are_encoded_from_paired_seconds_alone() -> None:
    """Silent and unseen seconds are left out; of a long collection some hundred seconds are taken."""
    corpus = planted_corpus(videos=100)
    corpus = replace(corpus, heard=corpus.start_s != 2)
    encoder = Encoder(
        Checkpoint(MSVAE(Architecture((12,), (16,), latent=4, hidden=8)), Normalization.fit(corpus), "raw", "raw-1"),
        torch.device("cpu"),
    )
    few = encode_pairs(encoder, corpus.of_videos(np.arange(3)))
    assert few.start_s.tolist() == [0, 1, 3, 4, 5] * 3
    assert few.video.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    expected = encoder.latents("audio", corpus.of_videos(np.arange(3)).audio[few.video * 6 + few.start_s])
    np.testing.assert_allclose(few.audio.mu, expected.mu, atol=1e-5)
    many = encode_pairs(encoder, corpus)
    assert len(many.audio) == len(many.visual) == MOST_SECONDS < 500
    assert 2 not in many.start_s
    assert (np.diff(many.video) >= 0).all()


def test_a_sure_model_has_a_lower_temperature() -> None:
    """Where seconds find themselves the temperature is small against the distances; where not, large."""
    sure = clustered_latents(60)
    temperatures = [
        choose_temperature(pairs, ScoreWeights())
        for pairs in (pairs_of(sure, sure, 10), pairs_of(sure, clustered_latents(60, seed=9), 10))
    ]
    assert temperatures[0] < 0.5 < 2 < temperatures[1]


def test_the_temperature_is_of_both_directions_and_of_several_scenes() -> None:
    """A video whose seconds are alike tells nothing of how far others lie: alone it is too sure. Both ways count."""
    audio, visual = (_with_noise(identical(seconds=10).audio, seed) for seed in (1, 2))
    pairs = pairs_of(audio, visual, 10)
    alone, beside = (choose_temperature(part, ScoreWeights()) for part in (_first(pairs), pairs))
    assert beside > 2 * alone
    assert choose_temperature(pairs_of(visual, audio, 10), ScoreWeights()) == beside


def _first(pairs: PairedLatents) -> PairedLatents:
    rows = np.flatnonzero(pairs.video == 0)
    return PairedLatents(pairs.audio[rows], pairs.visual[rows], pairs.video[rows], pairs.start_s[rows])


def _with_noise(latents: Latents, seed: int) -> Latents:
    noise = np.random.default_rng(seed).normal(size=latents.mu.shape, scale=0.1).astype(np.float32)
    return Latents(latents.mu + noise, latents.sigma, latents.generated)


def test_videos_too_short_to_localize_in_give_the_plain_temperature() -> None:
    """Under six seconds there is nothing to fit on."""
    assert choose_temperature(identical(seconds=5), ScoreWeights()) == 1.0
