"""The score D against formulas that do not use the closed form."""

from __future__ import annotations

import numpy as np
import pytest
from latent_samples import clustered_latents, lattice_latents
from scipy.linalg import sqrtm
from scipy.stats import norm

from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents


def test_the_latent_part_is_w2_by_matrix_square_roots() -> None:
    """W2^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C2^.5 C1 C2^.5)^.5), the general Gaussian formula."""
    queries, items = clustered_latents(4, seed=1), clustered_latents(5, seed=2)
    found = distances(queries, items, ScoreWeights()).latent
    for q in range(4):
        for d in range(5):
            c1, c2 = (np.diag(x.sigma[i].astype(float) ** 2) for x, i in ((queries, q), (items, d)))
            root = np.real(sqrtm(c2))
            means = np.sum((queries.mu[q].astype(float) - items.mu[d]) ** 2)
            expected = means + np.trace(c1 + c2 - 2 * np.real(sqrtm(root @ c1 @ root)))
            assert found[q, d] ** 2 == pytest.approx(expected, rel=1e-6)


def test_the_latent_part_is_the_cost_of_the_optimal_transport() -> None:
    """In one dimension the optimal plan joins equal quantiles; its root mean square is W2."""
    gaussians = np.float32([0.3]), np.float32([0.5]), np.float32([-1.1]), np.float32([2.0])
    m1, s1, m2, s2 = (float(g[0]) for g in gaussians)
    quantiles = (np.arange(200_000) + 0.5) / 200_000
    transport = np.sqrt(np.mean((norm.ppf(quantiles, m1, s1) - norm.ppf(quantiles, m2, s2)) ** 2))
    pair = np.zeros((1, 1), np.float32)
    one, other = (
        Latents(gaussians[0][None], gaussians[1][None], pair),
        Latents(gaussians[2][None], gaussians[3][None], pair),
    )
    assert distances(one, other, ScoreWeights()).latent[0, 0] == pytest.approx(transport, rel=1e-3)


def test_the_generated_part_is_a_norm_not_a_mean_square() -> None:
    """A pair that differs by 3 and 4 lies at 5."""
    mu = np.zeros((1, 2), np.float32)
    one, other = Latents(mu, mu, np.float32([[0, 0, 7]])), Latents(mu, mu, np.float32([[3, 4, 7]]))
    assert distances(one, other, ScoreWeights()).generated[0, 0] == 5


def test_weighted_parts_sum_to_the_total() -> None:
    """Each part carries its own weight, and D is their sum."""
    queries, items = clustered_latents(3, seed=3), clustered_latents(4, seed=4)
    plain, weighted = (distances(queries, items, w) for w in (ScoreWeights(), ScoreWeights(0.25, 3.0)))
    np.testing.assert_allclose(weighted.latent, 0.25 * plain.latent)
    np.testing.assert_allclose(weighted.generated, 3 * plain.generated)
    np.testing.assert_allclose(weighted.total, 0.25 * plain.latent + 3 * plain.generated)


def test_near_duplicates_do_not_cancel() -> None:
    """Far from the origin, a difference of one float32 step is found exactly, and none is zero."""
    mu = np.full((2, 3), 1000, np.float32)
    mu[1, 0] = np.nextafter(np.float32(1000), np.float32(2000))
    latents = Latents(mu, np.ones_like(mu), np.zeros((2, 1), np.float32))
    found = distances(latents, latents, ScoreWeights()).latent
    assert found[0, 1] == float(mu[1, 0]) - 1000
    assert found[0, 0] == 0


def test_the_distance_is_a_metric() -> None:
    """It is zero on itself and symmetric, and no detour is shorter."""
    latents = lattice_latents(20, levels=4)
    total = distances(latents, latents, ScoreWeights(0.5, 2.0)).total
    assert not total.diagonal().any()
    np.testing.assert_array_equal(total, total.T)
    detours = total[:, :, None] + total[None, :, :]
    assert (total[:, None, :] <= detours + 1e-12).all()


@pytest.mark.parametrize(
    "weights",
    [(-1.0, 1.0), (1.0, -0.5), (0.0, 0.0), (float("nan"), 1.0), (1e-61, 1.0), (1.0, 1e61), (float("inf"), 1.0)],
)
def test_weights_that_make_no_distance_are_refused(weights: tuple[float, float]) -> None:
    """A negative weight, two zeros or a NaN make none; beyond 1e60 or below 1e-60 float64 proves none."""
    with pytest.raises(ValueError, match=r"given.*expected"):
        ScoreWeights(*weights)


def test_slicing_and_concatenating_latents_are_inverse() -> None:
    """Rows taken apart and joined again are the same rows in the same order."""
    latents = clustered_latents(7)
    joined = Latents.concatenate([latents[:3], latents[[3]], latents[np.array([4, 5, 6])]])
    assert len(joined) == 7
    for name in ("mu", "sigma", "generated"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(latents, name))


def test_latents_with_a_nan_say_so() -> None:
    """One NaN or infinity in any of the three arrays makes latents not finite."""
    assert clustered_latents(3).is_finite()
    for name, bad in (("mu", np.nan), ("sigma", np.inf), ("generated", np.nan)):
        latents = clustered_latents(3)
        getattr(latents, name)[1, 0] = bad
        assert not latents.is_finite()
