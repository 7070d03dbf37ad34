"""The bound that the certificate rests on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_samples import clustered_latents

from index.prefilter import Prefilter, Rounding, principal_directions
from model.distance import ScoreWeights


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    pair=st.sampled_from([1, 24, 100]),
    weights=st.sampled_from([ScoreWeights(), ScoreWeights(0.1, 3.0), ScoreWeights(0.0, 1.0)]),
)
def test_the_norm_of_p_is_a_lower_bound_of_the_score(seed: int, pair: int, weights: ScoreWeights) -> None:
    """||p_q - p_d|| <= D, part by part as well, for queries unlike anything that the fit saw."""
    items, queries = (
        clustered_latents(200, pair=pair, seed=seed),
        clustered_latents(20, pair=pair, seed=seed + 1),
    )
    noise = np.random.default_rng(seed).standard_normal(queries.generated.shape).astype(np.float32)
    queries.generated[:] += noise
    prefilter = Prefilter.fit(items, weights)
    apart = prefilter.project(queries)[:, None] - prefilter.project(items)[None]
    gaussian = np.concatenate([items.mu, items.sigma], axis=1)[None].astype(np.float64)
    gaussian = np.concatenate([queries.mu, queries.sigma], axis=1)[:, None] - gaussian
    generated = queries.generated[:, None].astype(np.float64) - items.generated[None]
    w_w = weights.latent * np.linalg.norm(gaussian, axis=2)
    g_g = weights.generated * np.linalg.norm(generated, axis=2)
    split = prefilter.latent_width
    parts = np.linalg.norm(apart[..., :split], axis=2) + np.linalg.norm(apart[..., split:], axis=2)
    slack = 1 + 1e-12
    assert (np.linalg.norm(apart, axis=2) <= np.hypot(w_w, g_g) * slack).all()
    assert (parts <= (w_w + g_g) * slack).all()


def test_the_bound_is_tight_where_the_pairs_have_few_directions() -> None:
    """A pair of 100 numbers made from 8 latent ones loses nearly nothing in 64 components."""
    items = clustered_latents(300, pair=100)
    p = Prefilter.fit(items, ScoreWeights(0.0, 1.0)).project(items)
    apart = np.linalg.norm(p[:, None] - p[None], axis=2)
    exact = np.linalg.norm(items.generated[:, None].astype(np.float64) - items.generated[None], axis=2)
    assert apart.sum() > 0.99 * exact.sum()


@pytest.mark.parametrize("scale", [0.0, 1e-38, 1.0, 1e38])
def test_directions_are_orthonormal_whatever_the_data(scale: float) -> None:
    """Rank deficiency and any scale leave P'P a projection, or the bound would not hold."""
    z = scale * np.outer(np.arange(10.0), np.ones(80))
    rows = principal_directions(z)
    assert rows.shape == (64, 80)
    np.testing.assert_allclose(rows @ rows.T, np.eye(64), atol=1e-13)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), spread=st.floats(-6, 6), distance=st.floats(-12, 12), width=st.integers(1, 300))
def test_rounding_never_lifts_a_bound_over_the_distance(seed: int, spread: float, distance: float, width: int) -> None:
    """Computed in float32 from stored vectors, the bound stays under the float64 distance, and near it."""
    random = np.random.default_rng(seed)
    p = 10.0**spread * random.standard_normal((50, width))
    rounding = Rounding.of(p)
    query = p[:1] + 10.0**distance * random.standard_normal((1, width))
    norm = rounding.norm(query)
    squared = ((rounding.pack(p) - rounding.pack(query)) ** 2).sum(axis=1)
    exact = np.linalg.norm(p - query, axis=1)
    bounds = rounding.lower_part(squared, norm)
    assert (bounds <= exact).all()
    assert (bounds >= 0.999 * exact - 2 * rounding.slack(norm) * rounding.scale).all()
