"""One contract for every gallery, held against a formula of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import fsum, isclose, sqrt

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_samples import clustered_latents, lattice_latents

from index.brute_force import BruteForceGallery
from index.faiss_gallery import FaissGallery
from index.gallery import Gallery, SearchResult
from model.distance import ScoreWeights
from model.errors import EmptyLibrary, QueryError
from model.latents import Latents

GALLERIES = [BruteForceGallery, FaissGallery]
every_gallery = pytest.mark.parametrize("gallery_type", GALLERIES)
PAPER = ScoreWeights()
WEIGHTS = [PAPER, ScoreWeights(0.25, 4.0), ScoreWeights(1.0, 0.0), ScoreWeights(0.0, 1.0)]


def slow_scores(query: Latents, items: Latents, weights: ScoreWeights) -> list[float]:
    """Compute D by the book, number by number."""

    def gap(a: np.ndarray, b: np.ndarray) -> list[float]:
        return [(float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)]

    return [
        weights.latent * sqrt(fsum(gap(query.mu[0], items.mu[i]) + gap(query.sigma[0], items.sigma[i])))
        + weights.generated * sqrt(fsum(gap(query.generated[0], items.generated[i])))
        for i in range(len(items))
    ]


def slow_search(scores: list[float], ids: np.ndarray, k: int, allowed: np.ndarray | None) -> list[tuple[float, int]]:
    kept = range(len(ids)) if allowed is None else np.flatnonzero(allowed)
    return sorted((scores[i], int(ids[i])) for i in kept)[:k]


def pairs(result: SearchResult) -> list[tuple[float, int]]:
    return list(zip(result.distance.tolist(), result.ids.tolist(), strict=True))


@st.composite
def questions(draw: st.DrawFn) -> tuple[int, int, int, ScoreWeights, np.ndarray | None, np.ndarray]:
    """Draw n, seed, k, weights, a mask and distinct ids in no order."""
    n = draw(st.integers(1, 300))
    seed = draw(st.integers(0, 2**31))
    k = draw(st.one_of(st.integers(1, 20), st.sampled_from([n, n + 1, 2 * n])))
    random = np.random.default_rng(seed)
    share = draw(st.sampled_from([None, 0.0, 0.1, 0.6, 1.0]))
    allowed = None if share is None else random.random(n) < share
    ids = random.permutation(np.arange(n, dtype=np.int64) * 3 + 7)
    return n, seed, k, draw(st.sampled_from(WEIGHTS)), allowed, ids


@every_gallery
@settings(max_examples=120, deadline=None)
@given(question=questions(), levels=st.integers(1, 3), asked=st.integers(1, 3))
def test_search_equals_the_slow_formula_ties_included(
    gallery_type: type[Gallery],
    levels: int,
    asked: int,
    question: tuple[int, int, int, ScoreWeights, np.ndarray | None, np.ndarray],
) -> None:
    """On small whole numbers, where no sum rounds, distances and ids equal the formula's bit by bit.

    One level makes all items equal; two and three make duplicates and ties everywhere, also at the k-th.
    """
    n, seed, k, weights, allowed, ids = question
    items, query = (
        lattice_latents(n, levels=levels, seed=seed),
        lattice_latents(1, levels=asked, seed=seed + 1),
    )
    result = gallery_type.build(ids, items, weights).search(query, k, allowed)
    assert pairs(result) == slow_search(slow_scores(query, items, weights), ids, k, allowed)
    assert result.certified
    assert result.gallery_size == n
    assert np.array_equal(result.latent + result.generated, result.distance)


def _real_latents(kind: str, n: int, seed: int) -> Latents:
    base = clustered_latents(n, seed=seed)
    random = np.random.default_rng(seed)
    ones = np.ones((n, 1), np.float32)
    scale, offset = {
        "plain": (ones, 0.0),
        "zero sigma": (ones, 0.0),
        "duplicates": (ones, 0.0),
        "huge": (ones * np.float32(1e37), 0.0),
        "tiny": (ones * np.float32(1e-38), 0.0),
        "far from zero": (ones * np.float32(1e-3), 1e4),
        "every size": ((10.0 ** random.uniform(-30, 30, (n, 1))).astype(np.float32), 0.0),
        "one outlier": (np.where(np.arange(n)[:, None] == n // 2, ones * np.float32(1e20), ones), 0.0),
    }[kind]
    mu, sigma, generated = (
        (a * scale + np.float32(offset)).astype(np.float32) for a in (base.mu, base.sigma, base.generated)
    )
    if kind == "zero sigma":
        sigma = np.zeros_like(sigma)
    latents = Latents(mu, sigma, generated)
    return latents[random.integers(0, (n + 4) // 5, n)] if kind == "duplicates" else latents


KINDS = ["plain", "zero sigma", "duplicates", "huge", "tiny", "far from zero", "every size", "one outlier"]


@every_gallery
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
    question: tuple[int, int, int, ScoreWeights, np.ndarray | None, np.ndarray],
) -> None:
    """Each distance is the formula's to 1e-12, in order, and no item left out is nearer than the last."""
    n, seed, k, weights, allowed, ids = question
    items = _real_latents(kind, n, seed)
    query = _real_latents(asked if asked in KINDS else kind, n, seed if asked == "a member" else seed + 1)[[0]]
    result = gallery_type.build(ids, items, weights).search(query, k, allowed)
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
    question: tuple[int, int, int, ScoreWeights, np.ndarray | None, np.ndarray],
) -> None:
    """A certified answer equals brute force exactly; one that a budget ended says so and keeps the budget."""
    n, seed, k, weights, allowed, ids = question
    items, query = _real_latents(kind, n, seed), _real_latents(kind, n, seed + 1)[[0]]
    result = FaissGallery.build(ids, items, weights, budget=budget).search(query, k, allowed)
    oracle = BruteForceGallery.build(ids, items, weights).search(query, k, allowed)
    assert len(result.ids) == len(oracle.ids)
    if result.certified:
        assert pairs(result) == pairs(oracle)
        assert result.bound_gap is None or result.bound_gap > 0
    else:
        assert budget is not None
        assert result.bound_gap is not None
        assert result.bound_gap <= 0
        assert result.examined <= max(budget, k)


def test_a_bound_lies_under_every_item_not_examined() -> None:
    """With a budget of k the hits are all that was examined: the bound is held against the rest."""
    items, queries = clustered_latents(2000, seed=3), clustered_latents(20, seed=4)
    gallery = FaissGallery.build(np.arange(2000), items, PAPER, budget=5)
    for i in range(len(queries)):
        result = gallery.search(queries[[i]], 5)
        assert result.examined == 5
        assert result.bound_gap is not None
        rest = np.delete(slow_scores(queries[[i]], items, PAPER), result.ids)
        assert result.distance[-1] + result.bound_gap <= rest.min()


def test_the_filter_spares_most_of_the_work() -> None:
    """On clustered data the proof takes a small share of the gallery, and bound_gap is positive."""
    gallery = FaissGallery.build(np.arange(3000), clustered_latents(3000, seed=1), PAPER)
    results = [gallery.search(clustered_latents(1, seed=s), 5) for s in range(10, 20)]
    assert all(r.path == "faiss-flat" and r.bound_gap is not None and r.bound_gap > 0 for r in results)
    assert max(r.examined for r in results) < 600


def test_faiss_flat_keeps_near_duplicates_apart() -> None:
    """FAISS's kernel for a single query has a relative error: the proof of index/prefilter.py rests on it."""
    random = np.random.default_rng(0)
    point = random.standard_normal((1, 193)).astype(np.float32)
    stored = (point + 1e-5 * random.standard_normal((5000, 193))).astype(np.float32)
    index = faiss.IndexFlatL2(193)
    index.add(stored)
    allowed = np.packbits(np.ones(5000, bool), bitorder="little")
    selector = faiss.IDSelectorBitmap(allowed)  # type: ignore[call-arg, arg-type]
    exact = ((stored.astype(np.float64) - point) ** 2).sum(axis=1)
    for parameters in (None, faiss.SearchParameters(sel=selector)):  # type: ignore[call-arg]
        squared, rows = index.search(point, 5000, params=parameters)
        np.testing.assert_allclose(squared[0], exact[rows[0]], rtol=(193 + 3) * 2.0**-24)
    squared = np.empty(5000, np.float32)
    pointers = (faiss.swig_ptr(a) for a in (squared, point, stored))
    faiss.fvec_L2sqr_ny(*pointers, 193, 5000)  # type: ignore[attr-defined]
    np.testing.assert_allclose(squared, exact, rtol=(193 + 3) * 2.0**-24)


@every_gallery
def test_threads_may_search_at_once(gallery_type: type[Gallery]) -> None:
    """Eight threads get what one gets, masks included."""
    items, queries = clustered_latents(800, seed=1), clustered_latents(64, seed=2)
    masks = np.random.default_rng(0).random((64, 800)) < 0.5
    gallery = gallery_type.build(np.arange(800), items, PAPER)

    def ask(i: int) -> list[tuple[float, int]]:
        return pairs(gallery.search(queries[[i]], 7, masks[i]))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(64))) == [ask(i) for i in range(64)]


def _spoilt(query: Latents, number: float) -> Latents:
    mu = query.mu.copy()
    mu[0, 0] = number
    return Latents(mu, query.sigma, query.generated)


@every_gallery
@pytest.mark.parametrize(
    ("query", "k"),
    [
        (clustered_latents(1), 0),
        (clustered_latents(1), -1),
        (clustered_latents(2), 3),
        (clustered_latents(1, latent=7), 3),
        (clustered_latents(1, pair=23), 3),
        (_spoilt(clustered_latents(1), np.nan), 3),
        (_spoilt(clustered_latents(1), np.inf), 3),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(gallery_type: type[Gallery], query: Latents, k: int) -> None:
    """k < 1, two rows, foreign dimensions and numbers that are not finite raise QueryError."""
    gallery = gallery_type.build(np.arange(100), clustered_latents(100), PAPER)
    with pytest.raises(QueryError, match="given"):
        gallery.search(query, k)


@every_gallery
def test_nothing_is_no_gallery(gallery_type: type[Gallery]) -> None:
    """Building from no items raises EmptyLibrary."""
    with pytest.raises(EmptyLibrary, match="add footage"):
        gallery_type.build(np.arange(0), clustered_latents(1)[:0], PAPER)
