"""Galleries that prove their answers: equal to a formula of its own, ties included."""

from __future__ import annotations

from math import ceil, isclose

import numpy as np
import pytest
from gallery_samples import EXACT, KINDS, PAPER, Question, pairs, questions, real_latents, slow_scores, slow_search
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_samples import clustered_latents, lattice_latents

from index.brute_force import BruteForceGallery
from index.certified_gallery import CertifiedGallery, squared_distances
from index.gallery import Gallery
from model.data.distance import ScoreWeights
from model.data.latents import Latents

every_exact_gallery = pytest.mark.parametrize("gallery_type", EXACT)


@every_exact_gallery
@settings(max_examples=120, deadline=None)
@given(question=questions(), levels=st.integers(1, 3), asked=st.integers(1, 3))
def test_search_equals_the_slow_formula_ties_included(
    gallery_type: type[Gallery],
    levels: int,
    asked: int,
    question: Question,
) -> None:
    """On small whole numbers, where no sum rounds, distances and ids equal the formula's bit by bit.

    One level makes all items equal; two and three make duplicates and ties everywhere, also at the k-th.
    """
    n, seed, k, weights, allowed, ids = question
    items, query = (
        lattice_latents(n, levels=levels, seed=seed),
        lattice_latents(1, levels=asked, seed=seed + 1),
    )
    result = gallery_type(ids, items, weights).search(query, k, allowed)
    assert pairs(result) == slow_search(slow_scores(query, items, weights), ids, k, allowed)
    assert result.certified
    assert result.gallery_size == n
    assert np.array_equal(result.latent + result.generated, result.distance)


@every_exact_gallery
@settings(max_examples=60, deadline=None)
@given(
    question=questions(),
    kind=st.sampled_from(KINDS),
    asked=st.sampled_from(["a member", "a neighbour", *KINDS]),
)
def test_search_is_exact_on_adversarial_numbers(
    gallery_type: type[Gallery],
    kind: str,
    asked: str,
    question: Question,
) -> None:
    """Each distance is the formula's to 1e-12, in order, and no item left out is nearer than the last."""
    n, seed, k, weights, allowed, ids = question
    items = real_latents(kind, n, seed)
    query = real_latents(asked if asked in KINDS else kind, n, seed if asked == "a member" else seed + 1)[[0]]
    result = gallery_type(ids, items, weights).search(query, k, allowed)
    scores = dict(zip(ids.tolist(), slow_scores(query, items, weights), strict=True))
    kept = set(ids.tolist() if allowed is None else ids[allowed].tolist())
    found = pairs(result)
    assert len(found) == len(set(result.ids.tolist())) == min(k, len(kept))
    assert found == sorted(found)
    assert all(isclose(distance, scores[i], rel_tol=1e-12) for distance, i in found)
    left_out = [scores[i] for i in kept - set(result.ids.tolist())]
    assert not left_out or not found or min(left_out) >= found[-1][0] * (1 - 1e-12)
    assert result.certified


@settings(max_examples=120, deadline=None)
@given(question=questions(), kind=st.sampled_from(KINDS), budget=st.sampled_from([None, None, 1, 20, 100, 1000]))
def test_certified_means_equal_to_the_oracle_bit_by_bit(
    kind: str,
    budget: int | None,
    question: Question,
) -> None:
    """A certified answer equals brute force exactly; one that a budget ended says so and keeps the budget."""
    n, seed, k, weights, allowed, ids = question
    items, query = real_latents(kind, n, seed), real_latents(kind, n, seed + 1)[[0]]
    result = CertifiedGallery(ids, items, weights, budget=budget).search(query, k, allowed)
    oracle = BruteForceGallery(ids, items, weights).search(query, k, allowed)
    assert len(result.ids) == len(oracle.ids)
    if result.certified:
        assert pairs(result) == pairs(oracle)
        assert result.bound_gap is None or result.bound_gap > 0
    else:
        assert budget is not None
        assert result.bound_gap is not None
        assert result.bound_gap <= 0
        assert result.examined <= max(budget, k)


@settings(max_examples=80, deadline=None)
@given(
    question=questions(),
    kind=st.sampled_from(KINDS),
    kind_before=st.sampled_from(KINDS),
    count_before=st.floats(0.5, 2.0),
    pair=st.sampled_from([24, 100]),
)
def test_directions_of_other_items_serve_as_well(
    kind: str,
    kind_before: str,
    count_before: float,
    pair: int,
    question: Question,
) -> None:
    """Whatever the gallery before this one was fitted to, an answer is certified and equals brute force bit by bit.

    A pair of 100 numbers is more than the prefilter's directions span: what they leave out counts, too.
    """
    n, seed, k, weights, allowed, ids = question
    items, query = real_latents(kind, n, seed, pair), real_latents(kind, n, seed + 1, pair)[[0]]
    others = real_latents(kind_before, min(2 * n, max(ceil(n / 2), round(count_before * n))), seed + 2, pair)
    ids_before = np.concatenate([ids, ids + 3 * n])[: len(others)]
    before = CertifiedGallery(ids_before, others, weights)
    gallery = CertifiedGallery(ids, items, weights, before=before)
    assert gallery.directions is before.directions
    result = gallery.search(query, k, allowed)
    assert result.certified
    assert pairs(result) == pairs(BruteForceGallery(ids, items, weights).search(query, k, allowed))


def test_directions_that_are_far_from_new_items_prove_no_less() -> None:
    """Fitted to opposite pairs, whose remainder is large, they serve items that are next to nothing beside it."""
    base, tiny = (real_latents(kind, 100, 0, pair=100) for kind in ("plain", "tiny"))
    opposite = Latents.concatenate([base, Latents(-base.mu, base.sigma, -base.generated)])
    weights, queries = ScoreWeights(0.0, 1.0), real_latents("tiny", 10, 1, pair=100)
    before = CertifiedGallery(np.arange(200), opposite, weights)
    gallery = CertifiedGallery(np.arange(100), tiny, weights, before=before)
    assert gallery.directions is before.directions
    oracle = BruteForceGallery(np.arange(100), tiny, weights)
    for row in range(len(queries)):
        result = gallery.search(queries[[row]], 3)
        assert result.certified
        assert pairs(result) == pairs(oracle.search(queries[[row]], 3))


def test_directions_are_fitted_anew_where_they_no_longer_suit() -> None:
    """Where less than half of the items then and now are the same, or the weights are others."""
    before = CertifiedGallery(np.arange(100), clustered_latents(100), PAPER)
    other = ScoreWeights(PAPER.latent + 1, PAPER.generated)
    cases = (
        (np.arange(50), PAPER, True),
        (np.arange(49), PAPER, False),
        (np.arange(200), PAPER, True),
        (np.arange(201), PAPER, False),
        (np.arange(50, 150), PAPER, True),
        (np.arange(51, 151), PAPER, False),
        (np.arange(100), other, False),
    )
    for ids, weights, kept in cases:
        gallery = CertifiedGallery(ids, clustered_latents(len(ids)), weights, before=before)
        assert (gallery.directions is before.directions) == kept


def test_a_bound_lies_under_every_item_not_examined() -> None:
    """With a budget of k the hits are all that was examined: the bound is held against the rest."""
    items, queries = clustered_latents(2000, seed=3), clustered_latents(20, seed=4)
    gallery = CertifiedGallery(np.arange(2000), items, PAPER, budget=5)
    for i in range(len(queries)):
        result = gallery.search(queries[[i]], 5)
        assert result.examined == 5
        assert result.bound_gap is not None
        rest = np.delete(slow_scores(queries[[i]], items, PAPER), result.ids)
        assert result.distance[-1] + result.bound_gap <= rest.min()


def test_the_filter_spares_most_of_the_work() -> None:
    """On clustered data the proof takes a small share of the gallery, and bound_gap is positive."""
    gallery = CertifiedGallery(np.arange(3000), clustered_latents(3000, seed=1), PAPER)
    results = [gallery.search(clustered_latents(1, seed=s), 5) for s in range(10, 20)]
    assert all(r.path == "cascade" and r.bound_gap is not None and r.bound_gap > 0 for r in results)
    assert max(r.examined for r in results) < 600


def test_faiss_keeps_near_duplicates_apart() -> None:
    """FAISS's kernel for a single query has a relative error: the proof of index/rounding.py rests on it."""
    random = np.random.default_rng(0)
    point = random.standard_normal((1, 193)).astype(np.float32)
    stored = (point + 1e-5 * random.standard_normal((5000, 193))).astype(np.float32)
    rows = random.permutation(5000)
    exact = ((stored.astype(np.float64) - point) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_distances(point, stored, rows), exact[rows], rtol=(193 + 3) * 2.0**-24)
