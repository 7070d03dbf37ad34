"""Intervals of figures that videos have in each other's galleries: special cases by other formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from model.judging.spread import ends, spread_of


def without_items(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return figures that every item changes a little, and those without each item."""
    random = np.random.default_rng(seed)
    figures = random.random(n)
    return figures, figures[:, None] - random.normal(scale=0.1, size=(n, n))


def test_figures_that_no_item_changes_have_students_interval() -> None:
    """Then the spread is that of a mean of independent values, as scipy has it."""
    figures = np.random.default_rng(0).exponential(size=40)
    influence, pairs = spread_of(figures, np.tile(figures[:, None], 40))
    np.testing.assert_allclose(influence, figures - figures.mean(), atol=1e-12)
    expected = ttest_1samp(figures, 0).confidence_interval(0.95)
    assert ends(figures.mean(), influence, pairs) == pytest.approx((expected.low, expected.high))


def test_influence_is_what_leaving_a_video_out_does() -> None:
    """n - 1 times the fall of the mean over the other queries, in a loop; a query without a figure has one, too."""
    figures, without = without_items(9, 1)
    figures[4] = without[4] = np.nan
    influence, _ = spread_of(figures, without)
    means = [np.nanmean([without[q, i] for q in range(9) if q != i]) for i in range(9)]
    np.testing.assert_allclose(influence, [8 * (np.mean(means) - m) for m in means])
    assert influence.sum() == pytest.approx(0)


def test_what_two_videos_do_to_each_other_is_taken_off_once() -> None:
    """The mean square of the projections is the sum of squares over pairs, less what single videos explain."""
    figures, without = without_items(60, 2)
    _, pairs = spread_of(figures, without)
    effect = figures[:, None] - without
    both = effect + effect.T
    off = ~np.eye(60, dtype=bool)
    squares = (both[off] - both[off].mean()) ** 2
    assert (pairs**2).mean() == pytest.approx(squares.sum(), rel=0.25)


def test_the_spread_of_a_difference_is_the_difference_of_spreads() -> None:
    """Two systems on the same videos can be paired after each was measured alone."""
    ours, theirs = without_items(12, 3), without_items(12, 4)
    found = spread_of(ours[0] - theirs[0], ours[1] - theirs[1])
    for paired, one, other in zip(found, spread_of(*ours), spread_of(*theirs), strict=True):
        np.testing.assert_allclose(paired, one - other, atol=1e-12)


def test_no_interval_where_one_video_decides() -> None:
    """Two videos of one class: without one of them no query has a relevant item."""
    influence, pairs = spread_of(np.ones(2), np.full((2, 2), np.nan))
    assert ends(1.0, influence, pairs) is None
