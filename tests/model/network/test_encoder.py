"""From features to latents, and the device that does it."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus
from emulated_device import CPU, CUDA, emulated_device

from model.data.latents import Latents
from model.data.temporal_context import TemporalContext
from model.network.checkpoint import Checkpoint
from model.network.encoder import BATCH, Encoder
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization


@pytest.fixture
def encoder() -> Encoder:
    corpus = planted_corpus(noise=1.0)
    torch.manual_seed(0)
    model = MSVAE(Architecture((12,), (16,), latent=8, hidden=32, dropout=0.5))
    return Encoder(Checkpoint(model, Normalization.fit(corpus), "raw", "raw-1"), CPU)


def assert_close(one: Latents, other: Latents) -> None:
    for name in ("mu", "sigma", "generated"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-5)


def test_latents_are_the_posterior_of_standard_features(encoder: Encoder) -> None:
    """Row by row: standardize, encode, decode the mean; sigma is exp(log variance / 2)."""
    checkpoint, features = encoder.checkpoint, planted_corpus(seed=1).audio[:9]
    found = encoder.latents("audio", features)
    mean, scale = checkpoint.normalization.audio_mean.numpy(), float(checkpoint.normalization.audio_scale)
    for row in range(9):
        standard = torch.from_numpy((features[row : row + 1] - mean) / np.float32(scale))
        with torch.no_grad():
            mu, log_variance = checkpoint.model.encode("audio", standard)
            generated = checkpoint.model.decode(mu)
        np.testing.assert_allclose(found.mu[row], mu[0], atol=1e-5)
        np.testing.assert_allclose(found.sigma[row], np.exp(log_variance[0].numpy() / 2), rtol=1e-5)
        np.testing.assert_allclose(found.generated[row], generated[0], atol=1e-5)


def test_a_row_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    """One by one, or over more than one batch, latents agree within 1e-5."""
    features = planted_corpus(videos=60, seed=2).visual
    assert len(features) > BATCH
    whole = encoder.latents("visual", features)
    single = Latents.concatenate(encoder.latents("visual", features[i : i + 1]) for i in range(len(features)))
    assert_close(whole, single)


def test_encoding_twice_gives_the_same_bits(encoder: Encoder) -> None:
    """No dropout, no sampling; also in several threads at once."""
    features = planted_corpus(seed=3).audio
    expected = encoder.latents("audio", features).generated.tobytes()
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda _: encoder.latents("audio", features).generated.tobytes(), range(6))
        assert set(found) == {expected}


def test_an_encoder_turns_dropout_off(encoder: Encoder) -> None:
    """A model that was left in training mode does not serve in it."""
    corpus = planted_corpus()
    training = MSVAE(encoder.checkpoint.model.architecture).train()
    served = Encoder(Checkpoint(training, Normalization.fit(corpus), "raw", "raw-1"), CPU)
    assert_close(served.latents("audio", corpus.audio), served.latents("audio", corpus.audio))


def test_no_rows_give_no_latents(encoder: Encoder) -> None:
    """An empty batch keeps its widths."""
    found = encoder.latents("audio", np.zeros((0, 12), np.float32))
    assert (found.mu.shape, found.sigma.shape, found.generated.shape) == ((0, 8), (0, 8), (0, 28))


def test_what_is_said_of_several_seconds_has_a_posterior(encoder: Encoder) -> None:
    """The mean of several heads is put on the sphere and decoded like any second."""
    heads = encoder.heads("audio", planted_corpus(seed=4).audio[:5])
    mean = heads.mean(0, keepdims=True)
    found = encoder.posterior(mean)
    model = encoder.checkpoint.model
    with torch.no_grad():
        expected = model.posterior(torch.from_numpy(mean))
        generated = model.decode(expected.mu)
    np.testing.assert_allclose(found.mu, expected.mu, atol=1e-6)
    np.testing.assert_allclose(found.sigma, expected.sigma, atol=1e-6)
    np.testing.assert_allclose(found.generated, generated, atol=1e-6)


def test_heads_and_posterior_make_the_latents(encoder: Encoder) -> None:
    """Without context a second's latents are the posterior of what is said of it."""
    rows = planted_corpus(seed=5).visual[:3]
    assert_close(encoder.posterior(encoder.heads("visual", rows)), encoder.latents("visual", rows))


def test_in_context_neighbours_of_the_scene_count(encoder: Encoder) -> None:
    """With a width of one, a second is the mean of itself and its neighbours, up to a cut."""
    rows, start_s, scene = planted_corpus(seed=5).visual[:4], np.arange(4), np.array([0, 0, 0, 1])
    wide = Encoder(replace(encoder.checkpoint, context=TemporalContext((1.0, 1.0))), CPU)
    heads = wide.heads("visual", rows)
    means = np.stack([heads[[0, 1]].mean(0), heads[:3].mean(0), heads[[1, 2]].mean(0), heads[3]])
    assert_close(wide.in_context("visual", rows, start_s, scene), wide.posterior(means))


def test_the_encoder_carries_the_fingerprint(encoder: Encoder) -> None:
    """It is the checkpoint's."""
    assert encoder.fingerprint == encoder.checkpoint.fingerprint


def test_a_device_gives_the_latents_of_the_cpu(encoder: Encoder) -> None:
    """Asked in each way it gives the same rows. Features, heads and latents are copied once each, by the batch."""
    features, start_s = planted_corpus(seed=5).visual, np.arange(120)
    wide = replace(encoder.checkpoint, context=TemporalContext((1.0, 0.5), cut=0.5))
    here = Encoder(wide, CPU)
    latents, means = here.latents("visual", features), here.means("visual", features)
    scenes = here.scenes(start_s, features, np.ones(120, bool))
    near, pair = here.in_context("visual", features, start_s, scenes), here.pair(latents)["visual"]
    with emulated_device() as device:
        there = Encoder(replace(wide, model=copy.deepcopy(wide.model)), CUDA)
        device.waits.clear()
        assert_close(there.latents("visual", features), latents)
        assert device.waits == {"copy to the device": 2, "copy to the host": 2}
        np.testing.assert_allclose(there.means("visual", features), means, atol=1e-5)
        np.testing.assert_array_equal(there.scenes(start_s, features, np.ones(120, bool)), scenes)
        assert_close(there.in_context("visual", features, start_s, scenes), near)
        np.testing.assert_allclose(there.pair(latents)["visual"], pair, atol=1e-5)


@pytest.mark.parametrize(("pair", "batch"), [(28, 279_620), (10_000, 1672), (100_000, 256)])
def test_a_gpu_takes_about_64_mib_at_a_time(pair: int, batch: int) -> None:
    """Counted in rows, at least as many as the processor takes."""
    architecture = Architecture((pair - 16,), (16,), latent=8, hidden=32)
    checkpoint = Checkpoint(MSVAE(architecture), Normalization((pair - 16,), (16,)), "raw", "raw-1")
    assert Encoder(checkpoint, CPU).batch == BATCH
    with emulated_device():
        assert Encoder(checkpoint, CUDA).batch == batch


@pytest.mark.gpu
def test_a_gpu_gives_the_latents_of_the_processor() -> None:
    """Within 1e-3, the matrix kernels being others."""
    corpus = planted_corpus()
    model = MSVAE(Architecture((12,), (16,), latent=8, hidden=32))
    checkpoint = Checkpoint(model, Normalization.fit(corpus), "raw", "raw-1")
    slow = Encoder(checkpoint, CPU).latents("audio", corpus.audio)
    fast = Encoder(checkpoint, CUDA).latents("audio", corpus.audio)
    np.testing.assert_allclose(fast.mu, slow.mu, atol=1e-3)
    np.testing.assert_allclose(fast.generated, slow.generated, atol=1e-3)
