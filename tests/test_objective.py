"""Each term of the loss against a formula of another origin, and its gradient by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch.autograd import gradcheck
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as torch_kl

from model.msvae import MSVAE, Architecture, Posterior
from model.objective import (
    Objective,
    Terms,
    cross_contrast,
    decorrelation,
    kl_divergence,
    wasserstein2_squared,
)
from model.teacher import VIDEOS_PER_GROUP, Teacher

BATCH, LATENT = 6, 4
VIDEO = torch.tensor([0, 0, 1, 1, 2, 3])


@pytest.fixture
def draw() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def posterior(draw: torch.Generator) -> Posterior:
    values = [torch.randn(BATCH, LATENT, generator=draw, dtype=torch.float64) for _ in range(2)]
    return Posterior(*(v.requires_grad_() for v in values))


@pytest.fixture
def model() -> MSVAE:
    torch.manual_seed(0)
    return MSVAE(Architecture((5,), (2, 16, 16)[1:], latent=LATENT, hidden=8)).double()


@pytest.fixture
def pairs(draw: torch.Generator) -> tuple[Tensor, Tensor]:
    return (
        torch.randn(BATCH, 5, generator=draw, dtype=torch.float64),
        torch.randn(BATCH, 16, 16, generator=draw, dtype=torch.float64),
    )


def terms(objective: Objective, model: MSVAE, pairs: tuple[Tensor, Tensor], teacher: Teacher | None = None) -> Terms:
    """Return the terms under the same draw of latents each time."""
    torch.manual_seed(5)
    return objective(model, *pairs, VIDEO, teacher)


def taught() -> Teacher:
    """Return a teacher of two groupings of the batch's videos."""
    torch.manual_seed(6)
    videos = VIDEOS_PER_GROUP * 3
    teacher = Teacher(LATENT, (2, 3), videos).double()
    teacher.regroup(np.random.default_rng(6).standard_normal((videos, LATENT)), seed=0)
    return teacher


def value(tensor: Tensor) -> float:
    return float(tensor.detach())


def test_kl_is_that_of_torch_distributions(draw: torch.Generator) -> None:
    """Summed over dimensions, averaged over the batch, in nats."""
    one = posterior(draw)
    gaussian = Independent(Normal(one.mu, one.sigma), 1)
    prior = Independent(Normal(torch.zeros_like(one.mu), torch.ones_like(one.mu)), 1)
    torch.testing.assert_close(kl_divergence(one), torch_kl(gaussian, prior).mean())


def test_w2_is_that_of_matrix_square_roots(draw: torch.Generator) -> None:
    """The general Gaussian formula with covariance matrices gives the same squares."""
    one, other = posterior(draw), posterior(draw)
    found = wasserstein2_squared(one, other).detach()
    for row in range(BATCH):
        c1, c2 = (np.diag(p.sigma[row].detach().numpy() ** 2) for p in (one, other))
        root = np.real(sqrtm(c2))
        bures = np.trace(c1 + c2 - 2 * np.real(sqrtm(root @ c1 @ root)))
        means = float((one.mu[row] - other.mu[row]).detach().square().sum())
        assert float(found[row]) == pytest.approx(means + bures)


def test_decorrelation_is_of_numpys_correlations(draw: torch.Generator) -> None:
    """(sum (1 - c_ii)^2 + redundancy * sum c_ij^2) / latent with numpy.corrcoef's cross block."""
    one, other = (100 * posterior(draw).mu.detach() + 7 for _ in range(2))
    block = np.corrcoef(one.T, other.T)[:LATENT, LATENT:]
    diagonal = np.diag(block)
    expected = (((1 - diagonal) ** 2).sum() + 0.3 * ((block**2).sum() - (diagonal**2).sum())) / LATENT
    assert float(decorrelation(one, other, 0.3)) == pytest.approx(expected, rel=1e-6)


def test_equal_views_without_redundancy_have_no_decorrelation_left() -> None:
    """Two equal views with uncorrelated dimensions are the optimum, zero."""
    view = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    assert float(decorrelation(view, 5 * view + 3, 1.0)) == pytest.approx(0, abs=1e-9)
    assert float(decorrelation(view, -view, 0.0)) == pytest.approx(4)  # (1 - -1)^2


def test_contrast_is_that_of_a_slow_loop(draw: torch.Generator) -> None:
    """-log of the own pair's share of exp(cosine / temperature), siblings left out, both ways."""
    one, other = (posterior(draw).mu.detach().numpy() for _ in range(2))
    losses = []
    for queries, items in ((one, other), (other, one)):
        for q in range(BATCH):
            rivals = [d for d in range(BATCH) if d == q or VIDEO[d] != VIDEO[q]]
            cosines = {d: queries[q] @ items[d] / np.linalg.norm(queries[q]) / np.linalg.norm(items[d]) for d in rivals}
            shares = {d: np.exp(c / 0.5) for d, c in cosines.items()}
            losses.append(-np.log(shares[q] / sum(shares.values())))
    found = cross_contrast(torch.from_numpy(one), torch.from_numpy(other), VIDEO, 0.5)
    assert float(found) == pytest.approx(np.mean(losses))


def test_gradients_of_the_parts_are_finite_differences(draw: torch.Generator) -> None:
    """torch.autograd.gradcheck in float64, for KL, W2, decorrelation and contrast."""
    one, other = posterior(draw), posterior(draw)
    assert gradcheck(lambda m, v: kl_divergence(Posterior(m, v)), tuple(one))
    assert gradcheck(lambda a, b, c, d: wasserstein2_squared(Posterior(a, b), Posterior(c, d)), (*one, *other))
    assert gradcheck(lambda a, b: decorrelation(a, b, 0.1), (one.mu, other.mu))
    assert gradcheck(lambda a, b: cross_contrast(a, b, VIDEO, 0.5), (one.mu, other.mu))


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("term", Terms._fields)
def test_gradients_of_the_terms_are_finite_differences(
    model: MSVAE, pairs: tuple[Tensor, Tensor], term: str, published: bool
) -> None:
    """Along a random direction in all parameters, central differences give the slope of each term."""
    objective = Objective(kl=0.3, wasserstein=0.7, correlation=0.5, contrast=0.4, published=published)
    parameters = list(model.parameters())
    teacher = taught() if term == "grouping" else None
    torch.manual_seed(1)
    direction = [torch.randn_like(p) for p in parameters]
    gradient = torch.autograd.grad(
        getattr(terms(objective, model, pairs, teacher), term), parameters, allow_unused=True
    )
    slope = sum(float((g * d).sum()) for g, d in zip(gradient, direction, strict=True) if g is not None)
    values, step = [], 1e-6
    for move in (step, -2 * step):
        with torch.no_grad():
            for parameter, along in zip(parameters, direction, strict=True):
                parameter.add_(move * along)
            values.append(float(getattr(terms(objective, model, pairs, teacher), term)))
    assert slope != 0
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("published", [False, True])
def test_terms_are_those_of_the_formulas(model: MSVAE, pairs: tuple[Tensor, Tensor], published: bool) -> None:
    """Rebuilt in numpy from the same draw: means over dimensions, or the released sums and norm."""
    found = terms(Objective(published=published), model, pairs)
    torch.manual_seed(5)
    posteriors = [model.encode("audio", pairs[0]), model.encode("visual", pairs[1])]
    noise = [torch.randn(BATCH, LATENT, dtype=torch.float64) for _ in range(2)]
    samples = [p.mu + (0.5 * p.log_variance).exp() * n for p, n in zip(posteriors, noise, strict=True)]
    audio, visual = pairs[0].numpy(), pairs[1].reshape(BATCH, 256).numpy()
    reconstruction = 0.0
    for sample in samples:
        pair = model.decode(sample).detach().numpy()
        seen, heard = (pair[:, :256] - visual) ** 2, (pair[:, 256:] - audio) ** 2
        each = (seen.sum() + heard.sum()) / (BATCH * 261) if published else (seen.mean() + heard.mean()) / 2
        reconstruction += each
    assert value(found.reconstruction) == pytest.approx(reconstruction)
    per = 1 if published else LATENT
    assert value(found.kl_audio) == pytest.approx(value(kl_divergence(posteriors[0])) / per)
    assert value(found.kl_visual) == pytest.approx(value(kl_divergence(posteriors[1])) / per)
    if published:
        norms = np.linalg.norm((samples[0] - samples[1]).detach().numpy(), axis=1)
        assert value(found.wasserstein) == pytest.approx(norms.mean())
    else:
        squares = wasserstein2_squared(*posteriors).detach().numpy()
        assert value(found.wasserstein) == pytest.approx(squares.mean() / LATENT)


def test_a_teacher_takes_the_place_of_contrast(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """With a teacher the loss has its term, from both modalities, and no contrast."""
    objective, teacher = Objective(kl=0.0, wasserstein=0.0, contrast=0.4, grouping=0.6), taught()
    t = terms(objective, model, pairs, teacher)
    means = [model.encode("audio", pairs[0]).mu, model.encode("visual", pairs[1]).mu]
    torch.testing.assert_close(t.grouping, teacher(means[0], VIDEO) + teacher(means[1], VIDEO))
    torch.testing.assert_close(t.loss, t.reconstruction + 0.6 * t.grouping)
    assert value(t.contrast) == 0


def test_the_loss_is_the_weighted_sum(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """Reconstruction counts once, KL over both modalities, each other term with its weight."""
    objective = Objective(kl=0.3, wasserstein=0.7, correlation=0.5, contrast=0.4)
    t = terms(objective, model, pairs)
    expected = t.reconstruction + 0.3 * (t.kl_audio + t.kl_visual) + 0.7 * t.wasserstein
    torch.testing.assert_close(t.loss, expected + 0.5 * t.correlation + 0.4 * t.contrast)


def test_a_term_of_weight_zero_has_no_part(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """Without W (the paper's ablation) the loss is that without its term; unused terms are zero."""
    with_w, without = (terms(Objective(wasserstein=w, correlation=0.0, contrast=0.0), model, pairs) for w in (0.1, 0.0))
    torch.testing.assert_close(with_w.loss - without.loss, 0.1 * with_w.wasserstein)
    assert without.correlation == without.contrast == 0
