"""The calibration of matches: fitted on held-out pairs and non-pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents
from model.training.match_fit import fit_match
from model.training.validation import PairedLatents

WEIGHTS = ScoreWeights(0.5, 0.0)


def pairs(videos: int = 30, seconds: int = 5, noise: float = 0.5, seed: int = 0) -> PairedLatents:
    """Return sounds and pictures that lie about a place of their video."""
    random = np.random.default_rng(seed)
    place = np.repeat(random.normal(size=(videos, 6)), seconds, axis=0)

    def near() -> Latents:
        mu = (place + noise * random.normal(size=place.shape)).astype(np.float32)
        return Latents(mu, np.exp(0.1 * random.normal(size=mu.shape)).astype(np.float32), mu[:, :2])

    return PairedLatents(near(), near(), np.repeat(np.arange(videos), seconds), np.tile(np.arange(seconds), videos))


def test_the_match_is_calibrated_on_videos_that_it_was_not_fitted_on() -> None:
    """As many of pairs and as many weighed non-pairs belong together as the match says, tenth by tenth."""
    match, other = fit_match([(pairs(seed=1), WEIGHTS)], 0), pairs(seed=2)
    assert match is not None
    total = distances(other.audio, other.visual, WEIGHTS).total
    found = np.stack(
        [
            match.probability("audio", "visual", other.audio[i : i + 1], other.visual, total[i])
            for i in range(len(total))
        ]
    )
    same = other.video[:, None] == other.video
    weight = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    error = 0.0
    for tenth in range(10):
        inside = np.minimum((10 * found).astype(int), 9) == tenth
        error += abs(weight[inside & same].sum() - (found * weight)[inside].sum())
    assert error < 0.05


def test_a_second_of_its_own_video_matches_better() -> None:
    """In all four directions, on average by far."""
    match, data = fit_match([(pairs(), WEIGHTS)], 0), pairs(seed=3)
    assert match is not None
    for query in ("audio", "visual"):
        for target in ("audio", "visual"):
            asked, hits = getattr(data, query), getattr(data, target)
            total = distances(asked, hits, WEIGHTS).total
            found = match.probability(query, target, asked[:1], hits, total[0])  # type: ignore[arg-type]
            same = data.video == 0
            same[0] = query != target
            assert found[same].mean() > 0.7
            assert found[data.video != 0].mean() < 0.3


def test_overlapping_contexts_are_no_pairs_where_there_are_others() -> None:
    """Seconds that share what they were averaged from make every match look easy: they count only in short videos."""
    alike = np.repeat(np.random.default_rng(0).normal(size=(30, 5, 6)), 2, axis=1)  # two seconds at a time are one
    mu = alike.reshape(300, 6).astype(np.float32)
    data = pairs(videos=30, seconds=10)
    held = replace(data, audio=Latents(mu, data.audio.sigma, mu[:, :2]))
    apart, near = fit_match([(held, WEIGHTS)], 2), fit_match([(held, WEIGHTS)], 0)
    assert apart is not None
    assert near is not None
    same = np.array([0.0])
    asked = held.audio[:1]
    assert apart.probability("audio", "audio", asked, asked, same) < near.probability(
        "audio", "audio", asked, asked, same
    )


def test_short_videos_are_calibrated_all_the_same() -> None:
    """Videos of two seconds, in a context of three on either side: every direction is there."""
    match = fit_match([(pairs(seconds=2), WEIGHTS)], 3)
    assert match is not None
    assert all(match.knows(q, t) for q in ("audio", "visual") for t in ("audio", "visual"))  # type: ignore[arg-type]


def test_videos_of_one_second_are_calibrated_across_modalities_alone() -> None:
    """Within a modality there is no pair."""
    match = fit_match([(pairs(seconds=1), WEIGHTS)], 0)
    assert match is not None
    assert match.knows("audio", "visual")
    assert not match.knows("audio", "audio")


def test_one_video_cannot_be_calibrated_by() -> None:
    """There is no non-pair."""
    assert fit_match([(pairs(videos=1), WEIGHTS)], 0) is None


def test_the_best_elsewhere_is_what_a_verdict_compares_with() -> None:
    """Mean and deviation of the best match in each other video, written out for one direction."""
    data = pairs(videos=6)
    match = fit_match([(data, WEIGHTS)], 0)
    assert match is not None
    a, *b = match.coefficients["audio-visual"]
    total = distances(data.audio, data.visual, WEIGHTS).total
    own, hit = np.log(data.audio.sigma.mean(1, dtype=float)), np.log(data.visual.sigma.mean(1, dtype=float))
    logit = a + b[0] * total + b[1] * own[:, None] + b[2] * hit
    best = [logit[i, data.video == v].max() for i in range(len(logit)) for v in range(6) if v != data.video[i]]
    np.testing.assert_allclose(match.unrelated["audio-visual"], (np.mean(best), np.std(best)), rtol=1e-6)
