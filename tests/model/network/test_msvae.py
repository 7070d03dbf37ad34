"""The network: sizes by hand, shapes, determinism and the sphere."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from model.modality import MODALITIES
from model.network.correlation import Projection
from model.network.msvae import MSVAE, Architecture, Posterior, VectorEncoder

KINDS = {
    "vectors": Architecture((12,), (20,), latent=8, hidden=32, dropout=0.5),
    "raw": Architecture((64, 32), (3, 32, 32), latent=8, hidden=32, dropout=0.5),
    "mixed": Architecture((64, 32), (20,), latent=8, hidden=32, dropout=0.5, spherical=False),
    "published": Architecture((128,), (512,), latent=100, spherical=False, paper_widths=True),
}


def batch(architecture: Architecture, modality: str, count: int = 5) -> torch.Tensor:
    return torch.randn(count, *getattr(architecture, f"{modality}_shape"))


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> MSVAE:
    torch.manual_seed(0)
    return MSVAE(KINDS[request.param]).eval()


def parameters_of_chain(*widths: int) -> int:
    """Count the weights and biases of linear layers from width to width."""
    return sum(before * after + after for before, after in pairwise(widths))


def test_published_widths_give_the_count_by_hand() -> None:
    """Features 512 through layers 512-512-512-128-128, 128 through 128-128-128, heads 2 x 100, and the decoder.

    The decoder is 100-512-512-512-640-640-640, its last 640 being [visual 512 | audio 128].
    """
    model = MSVAE(KINDS["published"])
    expected = {
        "visual": parameters_of_chain(512, 512, 512, 128, 128, 200),
        "audio": parameters_of_chain(128, 128, 128, 200),
        "decoder": parameters_of_chain(100, 512, 512, 512, 640, 640, 640),
    }
    modules = {**model.encoders, "decoder": model.decoder}
    found = {name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()}
    assert found == expected
    assert sum(p.numel() for p in model.parameters()) == sum(expected.values())


def test_published_networks_are_linear_layers_and_relus() -> None:
    """No normalization layers, no dropout, nothing after the last layer."""
    kinds = {type(m).__name__ for m in MSVAE(KINDS["published"]).modules() if not list(m.children())}
    assert kinds == {"Linear", "ReLU", "Flatten"}


def test_every_kind_of_features_has_its_shapes(model: MSVAE) -> None:
    """Either modality gives (batch, latent) posteriors, and either latent the whole pair, flat."""
    architecture = model.architecture
    pair = math.prod(architecture.visual_shape) + math.prod(architecture.audio_shape)
    for modality in MODALITIES:
        for count in (1, 5):
            features = batch(architecture, modality, count)
            posterior = model.encode(modality, features)
            assert posterior.mu.shape == posterior.sigma.shape == (count, architecture.latent)
            assert model(modality, features).shape == (count, pair) == (count, architecture.pair)


def test_forward_is_decode_of_encode(model: MSVAE) -> None:
    """Forward generates from the posterior mean: z = mu."""
    for modality in MODALITIES:
        features = batch(model.architecture, modality)
        torch.testing.assert_close(model(modality, features), model.decode(model.encode(modality, features).mu))


def test_inference_is_deterministic(model: MSVAE) -> None:
    """In eval mode the same features give the same bits: no dropout, no sampling."""
    for modality in MODALITIES:
        features = batch(model.architecture, modality)
        assert torch.equal(model(modality, features), model(modality, features))


def test_training_mode_drops_out() -> None:
    """The dropout that eval mode turns off is there: two passes in training differ."""
    for kind in ("vectors", "raw"):
        model = MSVAE(KINDS[kind]).train()
        features = batch(KINDS[kind], "audio")
        assert not torch.equal(model.encode("audio", features).mu, model.encode("audio", features).mu)


def test_rows_do_not_depend_on_their_batch(model: MSVAE) -> None:
    """Each row of a batch is, within 1e-5, what it is alone, also beside huge neighbours."""
    for modality in MODALITIES:
        features = batch(model.architecture, modality)
        neighbours = features.clone()
        neighbours[1:] *= 100
        with torch.no_grad():
            alone = model(modality, features[:1])
            for company in (features, neighbours):
                torch.testing.assert_close(model(modality, company)[:1], alone, atol=1e-5, rtol=1e-5)


def test_spherical_means_have_the_norm_of_the_prior() -> None:
    """Their norm is sqrt(latent), that of a draw from N(0, I), whatever the features; else it is free."""
    for kind in ("vectors", "raw"):
        model = MSVAE(KINDS[kind]).eval()
        for factor in (1e-3, 1.0, 1e3):
            norms = model.encode("visual", factor * batch(KINDS[kind], "visual")).mu.norm(dim=1)
            torch.testing.assert_close(norms, torch.full((5,), math.sqrt(8)))
    free = MSVAE(KINDS["mixed"]).eval()
    assert free.encode("visual", batch(KINDS["mixed"], "visual")).mu.norm(dim=1).std() > 1e-3


def test_zero_features_are_fine(model: MSVAE) -> None:
    """A row of zeros (a modality that is missing) gives finite numbers."""
    for modality in MODALITIES:
        features = torch.zeros(2, *getattr(model.architecture, f"{modality}_shape"))
        posterior = model.encode(modality, features)
        assert all(torch.isfinite(t).all() for t in (*posterior, posterior.sigma, model(modality, features)))


def test_deviations_stay_in_range() -> None:
    """Extreme features cannot make a sigma of zero or infinity: log variance lies in [-12, 6]."""
    model = MSVAE(KINDS["mixed"]).eval()
    posterior = model.encode("visual", 1e6 * batch(KINDS["mixed"], "visual"))
    assert posterior.log_variance.min() == -12
    assert posterior.log_variance.max() == 6


def test_the_decoder_is_shared() -> None:
    """One decoder serves both modalities: equal latents give equal pairs, and its gradient comes from both."""
    model = MSVAE(KINDS["vectors"]).eval()
    weight = next(model.decoder.parameters())
    for modality in MODALITIES:
        gradient = torch.autograd.grad(model(modality, batch(KINDS["vectors"], modality)).sum(), weight)[0]
        assert gradient.abs().sum() > 0


def test_the_pair_is_visual_then_audio() -> None:
    """The visual head writes the first numbers of the pair, the audio head the rest."""
    model = MSVAE(KINDS["vectors"]).eval()
    latent = torch.randn(3, 8)
    before = model.decode(latent)
    with torch.no_grad():
        for parameter in model.decoder.heads[0].parameters():
            parameter.add_(1)
    changed = (model.decode(latent) != before).all(0)
    assert changed.tolist() == [True] * 20 + [False] * 12


def test_samples_have_the_mean_and_deviation_of_the_posterior() -> None:
    """A hundred thousand draws have, within a percent, the moments they are drawn with."""
    torch.manual_seed(0)
    mu, sigma = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([0.1, 1.0, 3.0])
    draws = Posterior(mu.expand(100_000, 3), (2 * sigma.log()).expand(100_000, 3)).sample()
    torch.testing.assert_close(draws.mean(0), mu, atol=0.03, rtol=0.01)
    torch.testing.assert_close(draws.std(0), sigma, atol=0, rtol=0.01)


def test_a_vector_encoder_starts_at_its_projection() -> None:
    """Its means are then the projected features, the spare dimensions zero."""
    random = np.random.default_rng(0)
    projection = Projection(random.standard_normal(12), random.standard_normal((12, 5)))
    encoder = VectorEncoder(12, 32, Architecture((12,), (20,), latent=8, hidden=32)).eval()
    encoder.start(projection)
    features = random.standard_normal((6, 12)).astype(np.float32)
    mu = encoder(torch.from_numpy(features))[:, :8].detach().numpy()
    np.testing.assert_allclose(mu[:, :5], (features - projection.mean) @ projection.matrix, atol=1e-5)
    assert not mu[:, 5:].any()
