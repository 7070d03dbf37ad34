"""The intervals that the evaluation gives hold the truth about as often as they say."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.intervals import coverage, sample

SAMPLES = 120


def test_intervals_that_draw_the_gallery_too_cover_what_they_say() -> None:
    """.95 is meant: of 30 videos, queries alone hold the truth of A-A far less often, both places about as often."""
    rng = np.random.default_rng(0)
    found = [sample(30, 2, rng) for _ in range(SAMPLES)]
    for figure in ("AA mrr", "AA map", "AV map", "AV map minus_other", "AV own video of nine"):
        facts = coverage([one[figure] for one in found])
        assert facts["queries_and_items"]["covered"] >= 0.9, figure
        if figure.startswith("AA"):
            assert facts["queries"]["covered"] <= 0.88, figure
