"""Standard units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from corpus_samples import planted_corpus

from model.network.normalization import Normalization


def test_statistics_are_mean_per_element_and_one_scale() -> None:
    """The scale is the root of the mean of the elements' variances, which numpy gives directly."""
    corpus = planted_corpus(visual_shape=(3, 4, 5))
    fitted = Normalization.fit(corpus)
    np.testing.assert_allclose(fitted.visual_mean, corpus.visual.mean(0), atol=1e-5)
    assert float(fitted.visual_scale) == np.float32(np.sqrt(corpus.visual.astype(float).var(0).mean()))
    assert fitted.audio_scale.shape == ()


def test_standardized_features_have_mean_zero_and_mean_variance_one() -> None:
    """That is what standard units are for the corpus that gave the statistics."""
    corpus = planted_corpus()
    found = Normalization.fit(corpus)("audio", torch.from_numpy(corpus.audio)).numpy()
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.var(0).mean(), 1, rtol=1e-4)


def test_forward_and_inverse_are_inverse() -> None:
    """Both modalities come back from standard units."""
    corpus = planted_corpus(visual_shape=(3, 4, 5))
    fitted = Normalization.fit(corpus)
    for modality in ("audio", "visual"):
        features = torch.from_numpy(getattr(corpus, modality))
        torch.testing.assert_close(fitted.inverse(modality, fitted(modality, features)), features)


def test_masked_seconds_have_no_say() -> None:
    """Whatever lies in the rows of a missing modality, the statistics are those of the other rows."""
    corpus = planted_corpus()
    heard = corpus.heard.copy()
    heard[::3] = False
    spoilt = corpus.audio.copy()
    spoilt[::3] = np.nan
    found = Normalization.fit(replace(corpus, audio=spoilt, heard=heard))
    np.testing.assert_allclose(found.audio_mean, corpus.audio[heard].mean(0), atol=1e-5)
    assert torch.isfinite(found.audio_scale)


def test_constant_features_stay_finite() -> None:
    """A constant column becomes zero; where all columns are constant the scale is 1."""
    corpus = planted_corpus()
    column, all_of_it = corpus.audio.copy(), np.full_like(corpus.visual, 3)
    column[:, 2] = 255
    corpus = replace(corpus, audio=column, visual=all_of_it)
    fitted = Normalization.fit(corpus)
    assert not fitted("audio", torch.from_numpy(column))[:, 2].any()
    assert not fitted("visual", torch.from_numpy(all_of_it)).any()
    assert float(fitted.visual_scale) == 1


def test_a_far_mean_does_not_spoil_the_scale() -> None:
    """Features at 1,000 with a spread of 0.1 are measured without cancellation."""
    corpus = planted_corpus()
    spread = 0.1 * np.random.default_rng(0).standard_normal(corpus.audio.shape)
    fitted = Normalization.fit(replace(corpus, audio=(1000 + spread).astype(np.float32)))
    np.testing.assert_allclose(float(fitted.audio_scale), 0.1, rtol=0.05)
