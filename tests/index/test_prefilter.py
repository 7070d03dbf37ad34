"""The bound that the certificate rests on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_samples import clustered_latents

from index.contraction import Contraction, principal_directions
from index.prefilter import Prefilter
from index.rounding import LONGEST, Rounding
from index.runs import Runs, balls_round, lengths_of
from model.data.distance import ScoreWeights


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
    blocks = np.split(apart, np.cumsum(prefilter.widths)[:-1], axis=2)
    parts = sum(np.linalg.norm(block, axis=2) for block in blocks)
    slack = 1 + 1e-12
    assert (np.linalg.norm(apart, axis=2) <= np.hypot(w_w, g_g) * slack).all()
    assert (parts <= (w_w + g_g) * slack).all()


def test_the_bound_is_tight_where_the_pairs_have_few_directions() -> None:
    """A pair of 100 numbers made from 8 latent ones loses nearly nothing in 64 components; norms are kept."""
    items = clustered_latents(300, pair=100)
    prefilter = Prefilter.fit(items, ScoreWeights(0.0, 1.0))
    p = prefilter.project(items)
    assert prefilter.largest_norm(items) == pytest.approx(np.linalg.norm(p, axis=1).max())
    apart = np.linalg.norm(p[:, None] - p[None], axis=2)
    exact = np.linalg.norm(items.generated[:, None].astype(np.float64) - items.generated[None], axis=2)
    assert apart.sum() > 0.99 * exact.sum()


@pytest.mark.parametrize("scale", [0.0, 1e-38, 1.0, 1e38])
def test_directions_are_orthonormal_whatever_the_data(scale: float) -> None:
    """Rank deficiency and any scale leave P'P a projection, or the bound would not hold."""
    z = scale * np.outer(np.arange(10.0), np.ones(80))
    rows = principal_directions(z, 64)
    assert rows.shape == (64, 80)
    np.testing.assert_allclose(rows @ rows.T, np.eye(64), atol=1e-13)


def _spread(seed: int, spread: float, distance: float, width: int) -> tuple[Rounding, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    p = 10.0**spread * random.standard_normal((50, width))
    return (
        Rounding(np.linalg.norm(p, axis=1).max(), width),
        p,
        p[:1] + 10.0**distance * random.standard_normal((1, width)),
    )


@settings(deadline=None)
@given(seed=st.integers(0, 1000), spread=st.floats(-6, 6), distance=st.floats(-12, 12), width=st.integers(1, 300))
def test_rounding_never_lifts_a_bound_over_the_distance(seed: int, spread: float, distance: float, width: int) -> None:
    """Computed in float32 from stored vectors, the bound stays under the float64 distance, and near it."""
    rounding, p, query = _spread(seed, spread, distance, width)
    norm = float(rounding.norms(query)[0])
    squared = ((rounding.pack(p) - rounding.pack(query)) ** 2).sum(axis=1)
    exact = np.linalg.norm(p - query, axis=1)
    bounds = rounding.lower(squared, norm)
    assert (bounds <= exact).all()
    assert (bounds >= 0.999 * exact - 2 * rounding.slack(norm) * rounding.scale).all()


@settings(deadline=None)
@given(seed=st.integers(0, 1000), spread=st.floats(-6, 6), distance=st.floats(-12, 12), width=st.integers(2, 300))
def test_what_the_first_levels_hold_back_is_further_away(seed: int, spread: float, distance: float, width: int) -> None:
    """Beyond the reach of a distance every item is further than it, near duplicates and far queries included.

    The sum over both blocks is the true distance's lower bound; at a generous width it is close to it.
    """
    _, p, query = _spread(seed, spread, distance, width)
    cut, random = width // 2, np.random.default_rng(seed)
    rounding = Rounding(np.linalg.norm(p[:20], axis=1).max() * random.choice([0.1, 1.0]), width, LONGEST)
    contractions = tuple(Contraction.fit_centred(block, 15) for block in (p[:, :cut], p[:, cut:]))
    short, asked = (
        [_packed(rounding, *pair) for pair in zip(contractions, _blocks(x, cut), strict=True)] for x in (p, query)
    )
    norm = max(float(np.linalg.norm(part)) for part in asked)
    coarse = sum(np.sqrt(((part - one) ** 2).sum(axis=1)) for part, one in zip(short, asked, strict=True))
    lengths = lengths_of(np.sort(random.integers(0, 12, len(p))))
    rows = balls_round(short, lengths)
    widths = tuple(part.shape[1] for part in short)
    of_runs = Runs(widths, Runs(widths, None, rows[:3]), rows[3:]).distances(asked)[0]
    exact = sum(np.linalg.norm((p - query)[:, part], axis=1) for part in (slice(cut), slice(cut, None)))
    for worst in exact:
        reach = rounding.reach(worst, norm, 2)
        assert (exact[coarse > reach] > worst).all()
        assert rounding.beyond(float(reach), norm, 2) >= worst
        held_back = np.repeat(of_runs > rounding.reach_of_balls(reach, 2), lengths)
        assert (coarse[held_back] > reach).all()
    bounds = np.array([rounding.beyond(float(c), norm, 2) for c in coarse])
    assert (bounds <= exact).all()
    if width <= 30 and rounding.scale > np.linalg.norm(p, axis=1).max() / LONGEST and norm < LONGEST:
        assert (bounds >= 0.9 * exact - 1e-5 * rounding.scale).all()


def _blocks(p: np.ndarray, cut: int) -> list[np.ndarray]:
    return [p[:, :cut], p[:, cut:]]


def _packed(rounding: Rounding, contract: Contraction, block: np.ndarray) -> np.ndarray:
    return rounding.pack(contract(rounding.shortened(block)))
