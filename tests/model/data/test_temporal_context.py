"""The context of a second."""

from __future__ import annotations

import numpy as np
import pytest

from model.data.temporal_context import TemporalContext

CONTEXT = TemporalContext((1.0, 0.5))


def test_a_second_is_averaged_with_its_neighbours() -> None:
    """Weights fall with the distance in time and sum to one, at the edges too."""
    found = CONTEXT.average(np.arange(3), np.zeros(3, np.int64), np.array([[0.0], [4.0], [8.0]], np.float32))
    np.testing.assert_allclose(found[:, 0], [(0 + 0.5 * 4) / 1.5, (0.5 * 0 + 4 + 0.5 * 8) / 2, (0.5 * 4 + 8) / 1.5])


def test_a_cut_ends_the_context() -> None:
    """Seconds of another scene do not count."""
    found = CONTEXT.average(np.arange(2), np.array([0, 1]), np.array([[1.0], [5.0]], np.float32))
    np.testing.assert_array_equal(found[:, 0], [1, 5])


def test_a_missing_second_is_no_neighbour() -> None:
    """Neighbours are those in time, not in the list."""
    found = CONTEXT.average(np.array([0, 2]), np.zeros(2, np.int64), np.array([[1.0], [5.0]], np.float32))
    np.testing.assert_array_equal(found[:, 0], [1, 5])


def test_a_second_has_the_same_bits_in_any_company() -> None:
    """What lies beyond its context changes nothing of a second, not even the rounding."""
    values = np.random.default_rng(0).normal(size=(9, 33)).astype(np.float32)
    whole = CONTEXT.average(np.arange(9), np.zeros(9, np.int64), values)
    part = CONTEXT.average(np.arange(3, 6), np.zeros(3, np.int64), values[3:6])
    np.testing.assert_array_equal(part[1], whole[4])


@pytest.mark.parametrize(
    ("start_s", "seen", "expected"),
    [
        ([0, 1, 2, 3], [True] * 4, [0, 0, 1, 1]),
        ([0, 1, 2, 3], [True, True, False, True], [0, 0, 0, 1]),
        ([0, 1, 2, 3], [False, True, True, False], [0, 0, 1, 1]),
        ([0, 1, 5, 6], [True, True, False, False], [0, 0, 1, 1]),
    ],
)
def test_scenes_end_where_the_picture_changes(start_s: list[int], seen: list[bool], expected: list[int]) -> None:
    """A cut lies between two pictures that are not alike, and where a second is missing."""
    pictures = np.array([[1, 0.1], [1, 0], [-1, 1], [-1, 0.9]], np.float32)[: len(start_s)]
    found = CONTEXT.scenes(np.array(start_s, np.int64), pictures, np.array(seen, bool))
    np.testing.assert_array_equal(found, expected)


def test_a_second_alone_has_no_scenes_to_tell() -> None:
    """Without neighbours no cut is looked for."""
    found = TemporalContext().scenes(np.arange(2), np.array([[1.0, 0], [-1, 0]], np.float32), np.ones(2, bool))
    np.testing.assert_array_equal(found, [0, 0])
