"""Retrieval without labels: by every choice of a gallery, by chance, by an all-knowing scorer."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from model.errors import NothingToMeasure
from model.judging.own_video import OwnVideo, chance_of, own_video, own_video_figures
from model.judging.scorers import EmbeddingScorer, RandomScorer, Scorer


def measured(scorer: Scorer, videos: int, seconds: int = 3, galleries: int = 20) -> OwnVideo:
    return own_video(scorer, np.arange(videos * seconds), np.repeat(np.arange(videos), seconds), galleries)


def embedded(videos: int, noise: float, seed: int = 0) -> EmbeddingScorer:
    random = np.random.default_rng(seed)
    points = random.normal(size=(videos, 4))
    return EmbeddingScorer(points, points + noise * random.normal(size=points.shape), "euclidean")


def test_among_nine_is_the_mean_over_every_eight_others() -> None:
    """Of twelve videos, by going through all galleries of the own video and eight others; among all, by counting."""
    scorer, rows = embedded(12, 1.0), np.arange(12)
    found = own_video_figures(scorer, rows, rows, galleries=1).retrieval
    for direction, distances in (
        ("AV", scorer.score("audio", rows, "visual", rows)),
        ("VA", scorer.score("visual", rows, "audio", rows)),
    ):
        for q in range(12):
            closer = [distances[q, i] < distances[q, q] for i in range(12) if i != q]
            assert found[direction]["all"][q] == pytest.approx(1 / (1 + sum(closer)))
            every = [1 / (1 + sum(chosen)) for chosen in combinations(closer, 8)]
            assert found[direction]["nine"][q] == pytest.approx(np.mean(every))


def test_a_scorer_that_knows_nothing_is_at_chance() -> None:
    """Random distances and equal ones: (1 + 1/2 + ... + 1/n) / n among n videos, whichever n."""
    constant = EmbeddingScorer(np.zeros((60, 2)), np.zeros((60, 2)), "euclidean")
    for scorer in (RandomScorer(0), constant):
        found = measured(scorer, 20, galleries=400)
        assert found.nine is not None
        for one, size in ((found.all, 20), (found.nine, 9)):
            assert (one.gallery, one.chance) == (size, pytest.approx(sum(1 / k for k in range(1, size + 1)) / size))
            for direction in ("AV", "VA"):
                assert one.mrr[direction].mean == pytest.approx(one.chance, abs=0.01)


def test_recall_counts_the_own_video_among_the_first() -> None:
    """By sorting the distances of the one gallery: the share of the own video's ranks up to 1, 5 and 10."""
    scorer, rows = embedded(30, 1.0), np.arange(30)
    found = own_video_figures(scorer, rows, rows, galleries=1).retrieval
    for direction, query, target in (("AV", "audio", "visual"), ("VA", "visual", "audio")):
        order = np.argsort(scorer.score(query, rows, target, rows), axis=1)  # type: ignore[arg-type]
        for k in (1, 5, 10):
            first = [float(q in order[q, :k]) for q in range(30)]
            assert 0 < np.mean(first) < 1
            np.testing.assert_array_equal(found[direction][f"recall_at_{k}"], first)


def test_recall_of_a_random_order_is_k_of_n() -> None:
    """Random and equal distances find a share k / n among n videos, all of them where there are at most k."""
    constant = EmbeddingScorer(np.zeros((60, 2)), np.zeros((60, 2)), "euclidean")
    for scorer in (RandomScorer(0), constant):
        found = measured(scorer, 20, galleries=400).recall_at
        assert {k: one.chance for k, one in found.items()} == {"1": 1 / 20, "5": 5 / 20, "10": 10 / 20}
        for one in found.values():
            for direction in ("AV", "VA"):
                assert one.recall[direction].mean == pytest.approx(one.chance, abs=0.01)
    few = measured(RandomScorer(0), 4).recall_at
    assert [few[k].chance for k in ("1", "5", "10")] == [0.25, 1.0, 1.0]
    assert few["5"].recall["AV"].mean == 1.0


def test_an_interval_of_recall_holds_its_mean() -> None:
    """Between 0 and 1, and wider than nothing where some videos are found and others are not."""
    for one in measured(embedded(30, 1.0), 30, seconds=1).recall_at.values():
        for interval in one.recall.values():
            assert interval.mean is not None
            assert 0 <= interval.low < interval.mean < interval.high <= 1


def test_who_knows_every_video_finds_it() -> None:
    """The figure is 1, and so are both ends of its interval."""
    found = measured(embedded(15, 0.0), 15, seconds=1)
    for one in (found.all, found.nine):
        assert one is not None
        assert {(i.mean, i.low, i.high, i.n) for i in one.mrr.values()} == {(1.0, 1.0, 1.0, 15)}


def test_under_nine_videos_there_is_no_figure_among_nine() -> None:
    """It is given from nine on; of two videos there is a figure and no interval."""
    assert [measured(RandomScorer(0), n).nine is None for n in (8, 9)] == [True, False]
    two = measured(RandomScorer(0), 2).all
    assert (two.gallery, two.chance) == (2, chance_of(2))
    assert all(i.mean is not None and i.low is None and i.high is None for i in two.mrr.values())


@pytest.mark.parametrize("videos", [0, 1])
def test_one_video_is_nothing_to_measure(videos: int) -> None:
    """The message says how many there are, how many are expected and what to do."""
    with pytest.raises(NothingToMeasure, match=rf"^{videos} videos.*at least 2.*echolens ingest"):
        measured(RandomScorer(0), videos)


def test_a_better_system_is_better_by_its_paired_interval() -> None:
    """Differences are taken by video: less noise is better, the interval within -1 and 1; oneself differs by 0."""
    rows = np.arange(40)
    ours, theirs = (own_video_figures(embedded(40, noise), rows, rows, 1) for noise in (0.2, 1.0))
    difference = (ours - theirs).report().retrieval["AV"]["nine"]
    assert difference.low is not None
    assert 0 < difference.low < difference.mean < difference.high <= 1
    none = (ours - ours).report().retrieval["AV"]["nine"]
    assert (none.mean, none.low, none.high) == (0, 0, 0)
