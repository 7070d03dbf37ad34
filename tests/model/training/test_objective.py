"""Each term of the loss against a formula of another origin, and its gradient by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch.autograd import gradcheck
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as torch_kl

from model.network.msvae import MSVAE, Architecture, Posterior
from model.training import pair_losses
from model.training.discriminator import Discriminator
from model.training.objective import Negatives, Objective, PairLoss, Terms, direction_loss
from model.training.teacher import VIDEOS_PER_GROUP, Teacher
from model.training.terms import (
    centre_distance,
    cross_contrast,
    decorrelation,
    in_video_contrast,
    kl_divergence,
    reconstruction,
    released_reconstruction,
    sample_distance,
    wasserstein2_squared,
)

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


def terms(
    objective: Objective,
    model: MSVAE,
    pairs: tuple[Tensor, Tensor],
    teacher: Teacher | None = None,
    discriminator: Discriminator | None = None,
) -> Terms:
    """Return the terms under the same draw of latents each time."""
    torch.manual_seed(5)
    return objective(model, *pairs, VIDEO, teacher, discriminator)


def as_released(objective: Objective) -> Objective:
    return replace(objective, sum_kl=True, sampled_distance=True, cross_generation=None)


def taught() -> Teacher:
    """Return a teacher of two groupings of the batch's videos."""
    torch.manual_seed(6)
    videos = VIDEOS_PER_GROUP * 3
    teacher = Teacher(LATENT, (2, 3), videos).double()
    teacher.regroup(np.random.default_rng(6).standard_normal((videos, LATENT)), seed=0)
    return teacher


def judging() -> Discriminator:
    torch.manual_seed(7)
    return Discriminator(LATENT).double()


def value(tensor: Tensor) -> float:
    return float(tensor.detach())


def info_nce(one: Tensor, other: Tensor, rival: Callable[[int, int], bool], temperature: float) -> float:
    """Return -log of the own pair's share of exp(cosine / temperature) among its rivals, both ways, by a slow loop."""
    views, losses = [v.detach().numpy() for v in (one, other)], []
    for queries, items in (views, views[::-1]):
        for q in range(BATCH):
            rivals = [d for d in range(BATCH) if d == q or rival(q, d)]
            cosines = {d: queries[q] @ items[d] / np.linalg.norm(queries[q]) / np.linalg.norm(items[d]) for d in rivals}
            shares = {d: np.exp(c / temperature) for d, c in cosines.items()}
            losses.append(-np.log(shares[q] / sum(shares.values())))
    return float(np.mean(losses))


def errors(generated: np.ndarray, pairs: tuple[Tensor, Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared errors of sound and picture, cut out of [visual | audio] by hand."""
    audio, visual = pairs[0].numpy(), pairs[1].reshape(BATCH, 256).numpy()
    return (generated[:, 256:] - audio) ** 2, (generated[:, :256] - visual) ** 2


def slope_and_difference(
    function: Callable[[], Tensor], parameters: list[Tensor], step: float = 1e-6
) -> tuple[float, float]:
    """Return the slope along a random direction, by the gradient and by central differences."""
    torch.manual_seed(1)
    direction = [torch.randn_like(p) for p in parameters]
    gradient = torch.autograd.grad(function(), parameters, allow_unused=True)
    slope = sum(float((g * d).sum()) for g, d in zip(gradient, direction, strict=True) if g is not None)
    values = []
    for move in (step, -2 * step):
        with torch.no_grad():
            for parameter, along in zip(parameters, direction, strict=True):
                parameter.add_(move * along)
            values.append(float(function()))
    return slope, (values[0] - values[1]) / (2 * step)


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


def test_free_bits_punish_a_dimension_above_them_alone(draw: torch.Generator) -> None:
    """A dimension's mean KL, by torch.distributions, counts for no less; below is no gradient, above all of it."""
    one = posterior(draw)
    one.mu.data[:, :2] *= 0.1
    one.log_variance.data[:, :2] *= 0.1
    each = torch_kl(Normal(one.mu, one.sigma), Normal(0.0, 1.0)).mean(0)
    assert each[:2].max() < 0.3 < each[2:].min()
    found = kl_divergence(one, free_bits=0.3)
    torch.testing.assert_close(found, 0.6 + each[2:].sum())
    gradients = torch.autograd.grad(found, tuple(one))
    whole = torch.autograd.grad(kl_divergence(one), tuple(one))
    for part, full in zip(gradients, whole, strict=True):
        assert not part[:, :2].any()
        torch.testing.assert_close(part[:, 2:], full[:, 2:])


def test_free_bits_of_more_than_there_is_leave_nothing_to_punish(draw: torch.Generator) -> None:
    """KL is then the bits themselves; without free bits it is KL."""
    one = posterior(draw)
    assert value(kl_divergence(one, free_bits=50.0)) == pytest.approx(50 * LATENT)
    assert value(kl_divergence(one, free_bits=0.0)) == value(kl_divergence(one))
    assert value(kl_divergence(one, free_bits=1e-9)) == pytest.approx(value(kl_divergence(one)))


def test_reconstruction_is_numpys_mean_of_squares(pairs: tuple[Tensor, Tensor], draw: torch.Generator) -> None:
    """Per modality, whatever its size; as released, one mean over both."""
    generated = torch.randn(BATCH, 261, generator=draw, dtype=torch.float64)
    heard, seen = errors(generated.numpy(), pairs)
    found = reconstruction(generated, *pairs)
    assert value(found["audio"]) == pytest.approx(heard.mean())
    assert value(found["visual"]) == pytest.approx(seen.mean())
    released = np.concatenate([heard.ravel(), seen.ravel()]).mean()
    assert value(released_reconstruction(generated, *pairs)) == pytest.approx(released)
    assert released != pytest.approx((heard.mean() + seen.mean()) / 2)


def test_the_sampled_distance_is_numpys_norm(draw: torch.Generator) -> None:
    """Unsquared, between samples, averaged over the batch."""
    one, other = (posterior(draw).mu.detach() for _ in range(2))
    expected = np.mean([np.sqrt(sum((a - b) ** 2)) for a, b in zip(one.numpy(), other.numpy(), strict=True)])
    assert value(sample_distance(one, other)) == pytest.approx(expected)


def test_contrast_is_that_of_a_slow_loop(draw: torch.Generator) -> None:
    """-log of the own pair's share of exp(cosine / temperature), siblings left out, both ways."""
    one, other = (posterior(draw).mu for _ in range(2))
    handled = info_nce(one, other, lambda q, d: bool(VIDEO[d] != VIDEO[q]), 0.5)
    assert value(cross_contrast(one, other, VIDEO, 0.5)) == pytest.approx(handled)
    everyone = info_nce(one, other, lambda q, d: True, 0.5)
    assert value(cross_contrast(one, other, torch.arange(BATCH), 0.5)) == pytest.approx(everyone)
    assert handled < everyone


def test_the_centre_distance_is_that_of_a_slow_loop(draw: torch.Generator) -> None:
    """Half of each direction's squared distance to the mean direction of its group, over both modalities."""
    one, other = (posterior(draw).mu.detach() for _ in range(2))
    directions = [(v / v.norm(), int(g)) for view in (one, other) for v, g in zip(view, VIDEO, strict=True)]
    expected = 0.0
    for direction, group in directions:
        centre = torch.stack([d for d, g in directions if g == group]).mean(0)
        expected += 0.5 * float((direction - centre).square().sum()) / len(directions)
    assert value(centre_distance(one, other, VIDEO)) == pytest.approx(expected)
    assert expected > 0


def test_groups_of_one_direction_have_no_centre_distance() -> None:
    """Whatever the lengths of the means."""
    directions = torch.eye(LATENT, dtype=torch.float64)[VIDEO]
    lengths = torch.arange(1.0, BATCH + 1, dtype=torch.float64)[:, None]
    assert value(centre_distance(directions, lengths * directions, VIDEO)) == pytest.approx(0, abs=1e-12)


def test_contrast_within_videos_is_that_of_a_slow_loop(draw: torch.Generator) -> None:
    """The rivals are the seconds of one's own video; alone in one's video one is found."""
    one, other = (posterior(draw).mu for _ in range(2))
    expected = info_nce(one, other, lambda q, d: bool(VIDEO[d] == VIDEO[q]), 0.5)
    assert value(in_video_contrast(one, other, VIDEO, 0.5)) == pytest.approx(expected)
    assert value(in_video_contrast(one, other, torch.arange(BATCH), 0.5)) == 0


def test_gradients_of_the_parts_are_finite_differences(draw: torch.Generator, pairs: tuple[Tensor, Tensor]) -> None:
    """torch.autograd.gradcheck in float64."""
    one, other = posterior(draw), posterior(draw)
    means = one.mu, other.mu
    assert gradcheck(lambda m, v: kl_divergence(Posterior(m, v)), tuple(one))
    assert gradcheck(lambda m, v: kl_divergence(Posterior(m, v), 0.8), tuple(one))
    assert gradcheck(lambda a, b, c, d: wasserstein2_squared(Posterior(a, b), Posterior(c, d)), (*one, *other))
    assert gradcheck(sample_distance, means)
    assert gradcheck(lambda a, b: decorrelation(a, b, 0.1), means)
    assert gradcheck(lambda a, b: cross_contrast(a, b, VIDEO, 0.5), means)
    assert gradcheck(lambda a, b: cross_contrast(a, b, torch.arange(BATCH), 0.5), means)
    assert gradcheck(lambda a, b: in_video_contrast(a, b, VIDEO, 0.5), means)
    assert gradcheck(lambda a, b: centre_distance(a, b, VIDEO), means)
    generated = torch.randn(BATCH, 261, generator=draw, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda g: tuple(reconstruction(g, *pairs).values()), (generated,))
    assert gradcheck(lambda g: released_reconstruction(g, *pairs), (generated,))


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("term", Terms._fields)
def test_gradients_of_the_terms_are_finite_differences(
    model: MSVAE, pairs: tuple[Tensor, Tensor], term: str, released: bool
) -> None:
    """Along a random direction in all parameters, central differences give the slope of each term."""
    objective = Objective(kl=0.3, wasserstein=0.7, correlation=0.5, contrast=0.4, in_video=0.6, centre=0.8)
    objective = as_released(objective) if released else objective
    teacher = taught() if term in ("grouping", "centre") else None
    discriminator = judging() if term == "adversarial" else None
    slope, difference = slope_and_difference(
        lambda: getattr(terms(objective, model, pairs, teacher, discriminator), term), list(model.parameters())
    )
    assert slope != 0
    if term == "adversarial":
        slope = -slope  # encoders are to raise what the discriminator lowers
    assert difference == pytest.approx(slope, rel=1e-4)


def released_direction(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> Tensor:
    """Return the released loss from sound under the same draw each time."""
    torch.manual_seed(5)
    return direction_loss(model, "audio", *pairs, kl=0.3, wasserstein=0.7)


def test_the_released_direction_is_that_of_the_formulas(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """Rebuilt in numpy from the same draw."""
    found = released_direction(model, pairs)
    torch.manual_seed(5)
    (mu, log_variance), aim = model.encode("audio", pairs[0]), model.encode("visual", pairs[1])
    noise = [torch.randn(BATCH, LATENT, dtype=torch.float64) for _ in range(2)]
    sample, other = mu + (0.5 * log_variance).exp() * noise[0], aim.mu + aim.sigma * noise[1]
    heard, seen = errors(model.decode(sample).detach().numpy(), pairs)
    m, v = mu.detach().numpy(), log_variance.detach().numpy()
    kl = 0.5 * (m**2 + np.exp(v) - 1 - v).sum() / BATCH
    norms = np.linalg.norm((sample - other).detach().numpy(), axis=1)
    assert value(found) == pytest.approx((heard.sum() + seen.sum()) / (BATCH * 261) + 0.3 * kl + 0.7 * norms.mean())


def test_the_released_direction_leaves_the_other_encoder_alone(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """Its gradient is that of finite differences in its own encoder and the decoder, none in the other encoder."""
    own = [*model.encoders["audio"].parameters(), *model.decoder.parameters()]
    slope, difference = slope_and_difference(lambda: released_direction(model, pairs), own)
    assert difference == pytest.approx(slope, rel=1e-4)
    assert slope != 0
    others = torch.autograd.grad(
        released_direction(model, pairs), list(model.encoders["visual"].parameters()), allow_unused=True
    )
    assert all(g is None for g in others)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_cross_generation_shares_the_error_out(model: MSVAE, pairs: tuple[Tensor, Tensor], share: float) -> None:
    """A pair from sound pays for its picture with the share, for its sound with the rest, and the reverse; in numpy."""
    found = terms(Objective(cross_generation=share), model, pairs)
    torch.manual_seed(5)
    expected = 0.0
    posteriors = [model.encode("audio", pairs[0]), model.encode("visual", pairs[1])]
    for source, sample in enumerate([p.sample() for p in posteriors]):
        each = [error.mean() for error in errors(model.decode(sample).detach().numpy(), pairs)]
        expected += (1 - share) * each[source] + share * each[1 - source]
    assert value(found.reconstruction) == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_gradient_of_cross_generation_is_a_finite_difference(
    model: MSVAE, pairs: tuple[Tensor, Tensor], share: float
) -> None:
    """Of the whole loss, with free bits in it."""
    objective = Objective(cross_generation=share, kl=0.2, free_bits=0.1)
    slope, difference = slope_and_difference(lambda: terms(objective, model, pairs).loss, list(model.parameters()))
    assert difference == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("negatives", ["all", "other_videos", "other_groups"])
def test_negatives_are_whom_the_objective_names(
    model: MSVAE, pairs: tuple[Tensor, Tensor], negatives: Negatives
) -> None:
    """Everyone, the seconds of other videos, or those of other groups of the finest grouping."""
    teacher = taught() if negatives == "other_groups" else None
    group = teacher.get_buffer("group")[1][VIDEO] if teacher else VIDEO
    found = terms(Objective(negatives=negatives), model, pairs, teacher)
    means = [model.encode("audio", pairs[0]).mu, model.encode("visual", pairs[1]).mu]
    expected = info_nce(*means, lambda q, d: negatives == "all" or bool(group[q] != group[d]), 0.1)
    assert value(found.contrast) == pytest.approx(expected)


@pytest.mark.parametrize("released", [False, True])
def test_terms_are_those_of_the_formulas(model: MSVAE, pairs: tuple[Tensor, Tensor], released: bool) -> None:
    """Rebuilt in numpy from the same draw: means over dimensions, or the released sums and norm."""
    found = terms(as_released(Objective()) if released else Objective(), model, pairs)
    torch.manual_seed(5)
    posteriors = [model.encode("audio", pairs[0]), model.encode("visual", pairs[1])]
    noise = [torch.randn(BATCH, LATENT, dtype=torch.float64) for _ in range(2)]
    samples = [p.mu + (0.5 * p.log_variance).exp() * n for p, n in zip(posteriors, noise, strict=True)]
    expected = 0.0
    for sample in samples:
        heard, seen = errors(model.decode(sample).detach().numpy(), pairs)
        each = (seen.sum() + heard.sum()) / (BATCH * 261) if released else (seen.mean() + heard.mean()) / 2
        expected += each
    assert value(found.reconstruction) == pytest.approx(expected)
    per = 1 if released else LATENT
    assert value(found.kl_audio) == pytest.approx(value(kl_divergence(posteriors[0])) / per)
    assert value(found.kl_visual) == pytest.approx(value(kl_divergence(posteriors[1])) / per)
    if released:
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


def test_contrast_of_other_groups_stands_beside_the_teacher(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """Both terms are weighed then."""
    objective = Objective(kl=0.0, wasserstein=0.0, contrast=0.4, grouping=0.6, negatives="other_groups")
    t = terms(objective, model, pairs, taught())
    assert value(t.contrast) > 0
    torch.testing.assert_close(t.loss, t.reconstruction + 0.6 * t.grouping + 0.4 * t.contrast)


def test_the_loss_is_the_weighted_sum(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """Reconstruction counts once, KL over both modalities, each other term with its weight."""
    objective = Objective(kl=0.3, wasserstein=0.7, correlation=0.5, contrast=0.4, in_video=0.6)
    t = terms(objective, model, pairs)
    expected = t.reconstruction + 0.3 * (t.kl_audio + t.kl_visual) + 0.7 * t.wasserstein
    torch.testing.assert_close(t.loss, expected + 0.5 * t.correlation + 0.4 * t.contrast + 0.6 * t.in_video)


def test_a_term_of_weight_zero_has_no_part(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """Without W (the paper's ablation) the loss is that without its term; unused terms are zero."""
    with_w, without = (terms(Objective(wasserstein=w, correlation=0.0, contrast=0.0), model, pairs) for w in (0.1, 0.0))
    torch.testing.assert_close(with_w.loss - without.loss, 0.1 * with_w.wasserstein)
    assert without.correlation == without.contrast == without.in_video == 0


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("hinge", lambda one, other, rival: pair_losses.hinge(one, other, rival, 0.4)),
        ("masked_margin", lambda one, other, rival: pair_losses.masked_margin(one, other, rival, 0.4, 0.3)),
        ("triplet", lambda one, other, rival: pair_losses.triplet(one, other, rival, 0.4)),
        ("lifted_structure", lambda one, other, rival: pair_losses.lifted_structure(one, other, rival, 0.4)),
        ("n_pair", pair_losses.n_pair),
    ],
)
@pytest.mark.parametrize("negatives", ["all", "other_videos"])
def test_another_loss_of_pairs_stands_in_the_place_of_contrast(
    model: MSVAE,
    pairs: tuple[Tensor, Tensor],
    name: PairLoss,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    negatives: Negatives,
) -> None:
    """With its margin, the temperature, the negatives and the weight of the objective; a teacher replaces it too."""
    objective = Objective(
        kl=0.0, wasserstein=0.0, contrast=0.7, margin=0.4, contrast_temperature=0.3, pair_loss=name, negatives=negatives
    )
    found = terms(objective, model, pairs)
    means = [model.encode("audio", pairs[0]).mu, model.encode("visual", pairs[1]).mu]
    own = torch.arange(BATCH) if negatives == "all" else VIDEO
    torch.testing.assert_close(found.contrast, loss(*means, own[:, None] != own))
    torch.testing.assert_close(found.loss, found.reconstruction + 0.7 * found.contrast)
    assert value(terms(objective, model, pairs, taught()).contrast) == 0


def test_centre_and_discriminator_stand_beside_the_teacher(model: MSVAE, pairs: tuple[Tensor, Tensor]) -> None:
    """The centre distance is the mean over the teacher's groupings; both terms are weighed."""
    objective = Objective(kl=0.0, wasserstein=0.0, grouping=0.6, centre=0.3, adversarial=0.2)
    teacher, discriminator = taught(), judging()
    t = terms(objective, model, pairs, teacher, discriminator)
    means = model.encode("audio", pairs[0]).mu, model.encode("visual", pairs[1]).mu
    groups = teacher.get_buffer("group")[:, VIDEO]
    expected = 0.5 * (centre_distance(*means, groups[0]) + centre_distance(*means, groups[1]))
    torch.testing.assert_close(t.centre, expected)
    torch.testing.assert_close(t.adversarial, discriminator(*means))
    torch.testing.assert_close(t.loss, t.reconstruction + 0.6 * t.grouping + 0.3 * t.centre + 0.2 * t.adversarial)
    assert value(terms(objective, model, pairs).centre) == 0


@pytest.mark.parametrize("with_teacher", [True, False])
def test_the_default_loss_is_bit_for_bit_what_it_was(
    model: MSVAE, pairs: tuple[Tensor, Tensor], with_teacher: bool
) -> None:
    """Loss and gradients are those of the sum of the terms that are on, in its order."""
    objective, teacher = Objective(), taught() if with_teacher else None
    t = terms(objective, model, pairs, teacher)
    zero = torch.zeros((), dtype=torch.float64)
    expected = t.reconstruction + objective.kl * (t.kl_audio + t.kl_visual) + objective.wasserstein * t.wasserstein
    expected = expected + objective.correlation * zero + objective.contrast * t.contrast
    expected = expected + objective.grouping * t.grouping + objective.in_video * zero
    assert torch.equal(t.loss, expected)
    weights = list(model.parameters())
    found, before = (torch.autograd.grad(loss, weights, retain_graph=True) for loss in (t.loss, expected))
    assert all(torch.equal(one, other) for one, other in zip(found, before, strict=True))
