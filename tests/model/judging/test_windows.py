"""Windows, their probabilities and the temperature, against slow loops and arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from model.judging.windows import fit_temperature, window_distances, window_probabilities


def slow_windows(matrix: np.ndarray, rolled: bool, offsets: list[int]) -> list[float]:
    """Return the mean distance of each window by the formula of the paper, one addition at a time."""
    seconds, windows = matrix.shape[1], []
    for start in range(seconds):
        places = [start + offset for offset in offsets]
        if max(offsets) >= seconds or (not rolled and max(places) >= seconds):
            continue
        windows.append(sum(matrix[row, place % seconds] for row, place in enumerate(places)) / len(offsets))
    return windows


@given(st.integers(1, 7), st.integers(1, 10), st.booleans(), st.integers(0, 1000))
def test_windows_equal_a_slow_loop(rows: int, seconds: int, rolled: bool, seed: int) -> None:
    """Plain and rolled windows are the loop's, for queries shorter, as long as and longer than the target."""
    matrix = np.random.default_rng(seed).random((rows, seconds))
    expected = slow_windows(matrix, rolled, list(range(rows)))
    np.testing.assert_allclose(window_distances(matrix, rolled), expected)


@given(st.sets(st.integers(1, 6), max_size=4), st.booleans())
def test_missing_query_seconds_keep_their_time(later: set[int], rolled: bool) -> None:
    """With a silent second left out, the others are compared where they would lie."""
    offsets = [0, *sorted(later)]
    matrix = np.random.default_rng(len(offsets)).random((len(offsets), 8))
    found = window_distances(matrix, rolled, np.array(offsets))
    np.testing.assert_allclose(found, slow_windows(matrix, rolled, offsets))


def test_a_planted_query_is_found_where_it_lies() -> None:
    """Zero distance along one diagonal makes that window the nearest; turned, the rolled one wraps."""
    matrix = np.ones((3, 10))
    matrix[[0, 1, 2], [4, 5, 6]] = 0
    assert np.argmin(window_distances(matrix)) == 4
    assert np.argmin(window_distances(np.roll(matrix, 5, axis=1), rolled=True)) == 9


def test_a_target_second_without_a_latent_spoils_its_windows_only() -> None:
    """NaN at second 2 leaves the windows that do not cover it."""
    matrix = np.ones((2, 6))
    matrix[:, 2] = np.nan
    np.testing.assert_array_equal(np.isnan(window_distances(matrix)), [False, True, True, False, False])


@given(st.lists(st.floats(0, 50), min_size=1, max_size=10), st.floats(0.05, 20))
def test_probabilities_are_a_softmax_of_minus_distance(windows: list[float], temperature: float) -> None:
    """They equal scipy's softmax and sum to one."""
    found = window_probabilities(np.array(windows), temperature)
    np.testing.assert_allclose(found, softmax(-np.array(windows) / temperature), atol=1e-12)
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("compared_s", [1, 3, 5])
def test_each_second_that_was_compared_is_evidence(compared_s: int) -> None:
    """Probabilities are those of the sum of distances, not of their mean: the temperature is of three seconds."""
    windows = np.array([0.4, 0.1, 0.7])
    found = window_probabilities(windows, 0.2, compared_s)
    np.testing.assert_allclose(found, softmax(-windows * compared_s / (3 * 0.2)))


def test_a_window_without_a_distance_has_no_probability() -> None:
    """NaN gets 0 and the rest still sum to one; without any distance all are 0."""
    found = window_probabilities(np.array([1.0, np.nan, 1.0]), 0.5)
    np.testing.assert_allclose(found, [0.5, 0, 0.5])
    np.testing.assert_array_equal(window_probabilities(np.full(3, np.nan), 1.0), np.zeros(3))


def test_extreme_temperatures_stay_finite() -> None:
    """A tiny temperature gives the nearest window all, a huge one gives all the same."""
    windows = np.array([900.0, 100.0, 500.0])
    np.testing.assert_allclose(window_probabilities(windows, 1e-6), [0, 1, 0])
    np.testing.assert_allclose(window_probabilities(windows, 1e9), np.full(3, 1 / 3), atol=1e-6)


def test_the_temperature_that_made_the_truth_is_found() -> None:
    """Truths drawn from softmax(-d / 0.7) give a fitted temperature near 0.7."""
    random = np.random.default_rng(0)
    windows = [random.random(8) * 4 for _ in range(600)]
    truth = [int(random.choice(8, p=softmax(-w / 0.7))) for w in windows]
    assert fit_temperature(windows, truth) == pytest.approx(0.7, rel=0.25)


def test_windows_that_are_all_alike_give_some_temperature() -> None:
    """Without any spread the temperature is finite and above zero."""
    assert 0 < fit_temperature([np.ones(4)], [2]) < np.inf
