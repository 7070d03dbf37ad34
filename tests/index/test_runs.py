"""Runs of items, and the balls round them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from index.runs import LONGEST_RUN, Run, Runs, balls_round, lengths_of


@settings(max_examples=60, deadline=None)
@given(groups=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 45)), min_size=1, max_size=12))
def test_runs_are_even_parts_of_what_belongs_together(groups: list[tuple[int, int]]) -> None:
    """No run crosses from one group into the next, and none is longer than ten."""
    numbers = np.concatenate([np.full(count, number) for number, count in groups])
    lengths = lengths_of(numbers)
    assert lengths.sum() == len(numbers)
    assert lengths.min() >= 1
    assert lengths.max() <= LONGEST_RUN
    starts = np.cumsum(lengths) - lengths
    for start, length in zip(starts, lengths, strict=True):
        assert len(set(numbers[start : start + length].tolist())) == 1
    of_group = np.split(lengths, np.searchsorted(starts, np.flatnonzero(np.diff(numbers)) + 1))
    assert all(np.ptp(part) <= 1 for part in of_group)
    assert all(len(part) == -(-part.sum() // LONGEST_RUN) for part in of_group)


def test_nothing_makes_no_runs() -> None:
    assert lengths_of(np.empty(0, np.int64)).tolist() == []


def test_runs_that_come_later_leave_those_before_as_they_were() -> None:
    """They share memory while there is room; two that follow the same ones do not disturb each other."""
    random = np.random.default_rng(0)
    blocks = [random.standard_normal((200, width)).astype(np.float32) for width in (4, 6)]
    rows = balls_round(blocks, np.full(20, 10))
    query = [random.standard_normal((3, width)).astype(np.float32) for width in (4, 6)]
    assert rows.shape == (20, Run.width((4, 6)))
    whole = Runs((4, 6), None, rows).distances(query)
    first = Runs((4, 6), None, rows[:10])
    line = first
    for i in range(10, 15):
        line = Runs((4, 6), line, rows[i : i + 1])
    other = Runs((4, 6), first, rows[15:])
    np.testing.assert_array_equal(first.distances(query), whole[:, :10])
    np.testing.assert_array_equal(line.distances(query), whole[:, :15])
    np.testing.assert_array_equal(other.distances(query), np.delete(whole, np.arange(10, 15), axis=1))
    np.testing.assert_array_equal(line.slots(np.array([14, 0])), [*range(140, 150), *range(10)])
    assert other.starts.tolist() == list(range(0, 150, 10))


def test_a_ball_holds_its_items() -> None:
    """No item is nearer than its run is said to be, near and far."""
    random = np.random.default_rng(1)
    items = random.standard_normal((100, 5)).astype(np.float32)
    lengths = lengths_of(np.arange(100) // 7)
    runs = Runs((5,), None, balls_round([items], lengths))
    query = np.concatenate([items[:5] + np.float32(1e-3), 3 * items[5:9]])
    nearest = runs.distances([query])
    apart = np.linalg.norm(query[:, None].astype(np.float64) - items[None], axis=2)
    assert (np.repeat(nearest, lengths, axis=1) <= apart + 2.0**-19).all()
    assert (np.minimum.reduceat(apart, runs.starts, axis=1) - nearest).max() < 6
