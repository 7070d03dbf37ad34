"""Reciprocal rank and average precision against hand-computed cases and a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.judging.ranking import rank


def slow_rank(distances: list[float], relevant: list[bool], masked: list[bool]) -> tuple[float, float]:
    """Rank one query's items without ties by walking down the sorted list."""
    items = sorted((d, r) for d, r, m in zip(distances, relevant, masked, strict=True) if not m)
    found, precisions, first = 0, [], None
    for position, (_, is_relevant) in enumerate(items, 1):
        if is_relevant:
            found += 1
            precisions.append(found / position)
            first = first or 1 / position
    return (first, sum(precisions) / found) if found else (float("nan"), float("nan"))


def test_figures_of_a_list_ranked_by_hand() -> None:
    """Relevant items at ranks 2, 3 and 6 give RR 1/2 and AP (1/2 + 2/3 + 3/6) / 3."""
    distances = np.array([[0.4, 0.1, 0.3, 0.9, 0.2, 0.5]])
    relevant = np.array([[False, False, True, True, True, False]])
    found = rank(distances, relevant, np.random.default_rng(0))
    assert found.reciprocal_rank[0] == pytest.approx(1 / 2)
    assert found.average_precision[0] == pytest.approx((1 / 2 + 2 / 3 + 3 / 6) / 3)


@given(st.integers(0, 10_000))
def test_figures_equal_a_slow_loop(seed: int) -> None:
    """On random matrices without ties, with masks, both figures are those of a walk down each list."""
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 9, size=2))
    distances = random.permutation(shape[0] * shape[1]).reshape(shape).astype(np.float64)
    relevant, masked = random.random(shape) < 0.4, random.random(shape) < 0.3
    found = rank(distances, relevant, random, masked)
    expected = [slow_rank(*(a.tolist() for a in row)) for row in zip(distances, relevant, masked, strict=True)]
    np.testing.assert_allclose(found.reciprocal_rank, [e[0] for e in expected])
    np.testing.assert_allclose(found.average_precision, [e[1] for e in expected])


def test_a_query_without_a_relevant_item_is_left_out() -> None:
    """No relevant item, or none but a masked one (a class of a single video), gives NaN, not 0."""
    distances, relevant = np.zeros((2, 2)), np.array([[False, False], [False, True]])
    found = rank(distances, relevant, np.random.default_rng(0), np.eye(2, dtype=bool))
    assert np.isnan(found.reciprocal_rank).all()
    assert np.isnan(found.average_precision).all()


def test_masking_self_takes_the_own_item_out_of_the_ranking() -> None:
    """The own item, nearest of all, neither counts as found nor holds a rank."""
    distances = np.array([[0.0, 2.0, 1.0], [2.0, 0.0, 3.0], [1.0, 3.0, 0.0]])
    relevant = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    found = rank(distances, relevant, np.random.default_rng(0), np.eye(3, dtype=bool))
    np.testing.assert_allclose(found.reciprocal_rank, [1 / 2, 1, np.nan])


def test_a_masked_item_holds_no_rank_even_beside_infinite_distances() -> None:
    """Masked items come after items at infinity and after items without a distance."""
    for distance in (np.inf, np.nan):
        found = rank(
            np.array([[0.0, distance]]),
            np.array([[False, True]]),
            np.random.default_rng(0),
            np.array([[True, False]]),
        )
        assert found.reciprocal_rank[0] == 1


def test_ties_score_as_chance() -> None:
    """A scorer that gives every item one distance has the mean 1/rank of a random order, H_n / n."""
    n, queries = 5, 20_000
    relevant = np.zeros((queries, n), bool)
    relevant[:, 0] = True
    found = rank(np.ones((queries, n)), relevant, np.random.default_rng(0))
    chance = sum(1 / r for r in range(1, n + 1)) / n
    assert found.reciprocal_rank.mean() == pytest.approx(chance, abs=0.01)
    assert found.average_precision.mean() == pytest.approx(chance, abs=0.01)


def test_a_tie_for_the_first_place_is_shared() -> None:
    """Of two items at one distance the relevant one is first half of the time: RR 3/4 on average."""
    relevant = np.tile([True, False, False], (20_000, 1))
    found = rank(np.tile([1.0, 1.0, 2.0], (20_000, 1)), relevant, np.random.default_rng(1))
    assert found.reciprocal_rank.mean() == pytest.approx(0.75, abs=0.01)


def test_the_same_seed_breaks_ties_the_same_way() -> None:
    """Figures with ties are repeatable."""
    distances, relevant = np.zeros((50, 8)), np.random.default_rng(0).random((50, 8)) < 0.2
    one, other = (rank(distances, relevant, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.reciprocal_rank, other.reciprocal_rank)


@given(st.integers(0, 10_000))
def test_a_ranking_without_an_item_is_that_of_the_items_left(seed: int) -> None:
    """Both figures of each query without item i equal those of ranking the others alone, with and without masks."""
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(2, 8, size=2))
    distances = random.permutation(shape[0] * shape[1]).reshape(shape).astype(np.float64)
    relevant, masked = random.random(shape) < 0.4, random.random(shape) < 0.3
    found = rank(distances, relevant, random, masked).without_each()
    for item in range(shape[1]):
        others = np.arange(shape[1]) != item
        left = rank(distances[:, others], relevant[:, others], random, masked[:, others])
        np.testing.assert_allclose(found[0][:, item], left.reciprocal_rank)
        np.testing.assert_allclose(found[1][:, item], left.average_precision)
