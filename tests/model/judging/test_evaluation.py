"""The protocol: retrieval and localization figures by hand, by chance and by an all-knowing scorer."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from model.baselines.blind import blind_rules
from model.data.corpus import Timeline
from model.errors import NothingLabelled
from model.judging.evaluation import eligible_seconds, evaluate, interval, window_overlaps
from model.judging.scorers import RandomScorer, Scorer


def timeline(labels: list[int], events: list[tuple[int, int]], seconds: int = 10) -> Timeline:
    """Return videos of `seconds` with an event [start, end) each; everything is heard and seen."""
    second = np.arange(seconds)
    count = len(labels) * seconds
    return Timeline(
        heard=np.ones(count, bool),
        seen=np.ones(count, bool),
        event=np.concatenate([(second >= start) & (second < end) for start, end in events]),
        video=np.repeat(np.arange(len(labels)), seconds),
        start_s=np.tile(second, len(labels)),
        video_ids=tuple(f"v{i}" for i in range(len(labels))),
        label=np.array(labels),
        classes=tuple(f"class {c}" for c in range(max(labels) + 1)),
    )


@dataclass
class Tabled(Scorer):
    """Look distances up in a table over all seconds, and remember what was asked."""

    table: np.ndarray
    asked: list[tuple[str, tuple[int, ...], str, tuple[int, ...]]] = field(default_factory=list)

    def score(self, query: str, queries: np.ndarray, target: str, items: np.ndarray) -> np.ndarray:
        self.asked.append((query, tuple(queries), target, tuple(items)))
        return self.table[np.ix_(queries, items)].copy()


def constant(line: Timeline) -> Tabled:
    return Tabled(np.ones((len(line.video), len(line.video))))


def own_second_nearest(line: Timeline) -> Tabled:
    """A second lies at |difference in time| from those of its video, far from all others."""
    far = 100 * (line.video[:, None] != line.video)
    return Tabled(far + np.abs(line.start_s[:, None] - line.start_s).astype(np.float64))


def expected_reciprocal_rank(items: int, relevant: int) -> float:
    """Return E[1 / rank of the first of r relevant items] when n items are shuffled."""
    ranks = range(1, items - relevant + 2)
    return sum(comb(items - k, relevant - 1) / comb(items, relevant) / k for k in ranks)


@given(st.integers(2, 10), st.data())
def test_overlaps_equal_those_of_sets(seconds: int, data: st.DataObject) -> None:
    """The temporal IoU of each window is |A & B| / |A | B| of sets of seconds, plain and rolled."""
    length = data.draw(st.integers(1, seconds))
    start = data.draw(st.integers(0, seconds - length))
    event = set(range(start, start + length))
    for rolled in (False, True):
        windows = range(seconds if rolled else seconds - length + 1)
        sets = [{(w + i) % seconds for i in range(length)} for w in windows]
        expected = [len(s & event) / len(s | event) for s in sets]
        np.testing.assert_allclose(window_overlaps(seconds, length, start, rolled), expected)


def test_the_interval_is_scipys_percentile_bootstrap() -> None:
    """Mean and 95 % interval over videos agree with scipy.stats.bootstrap; NaN videos are left out."""
    values = np.random.default_rng(0).exponential(size=60)
    found = interval(np.concatenate([values, [np.nan, np.nan]]))
    expected = bootstrap((values,), np.mean, method="percentile", rng=1).confidence_interval
    assert (found.mean, found.n) == (pytest.approx(values.mean()), 60)
    assert (found.low, found.high) == (
        pytest.approx(expected.low, abs=0.02),
        pytest.approx(expected.high, abs=0.02),
    )


def test_an_interval_over_nothing_is_empty() -> None:
    """Without a known value there is no mean, rather than NaN."""
    for values in (np.array([]), np.array([np.nan])):
        found = interval(values)
        assert (found.mean, found.low, found.high, found.n) == (None, None, None, 0)


def test_blind_rules_by_arithmetic() -> None:
    """Events [0, 4) and [7, 10) in ten seconds: first and last are right once, uniform 1/7 and 1/8."""
    line = timeline([0, 1, 0], [(0, 4), (7, 10), (0, 10)])  # the third fills its clip and takes no part
    rules = blind_rules(line)
    exact = {name: rules[name]["plain"]["A2V"]["exact"].mean for name in rules}
    assert exact == pytest.approx({"uniform": (1 / 7 + 1 / 8) / 2, "always_first": 0.5, "always_last": 0.5})
    overlap = {name: rules[name]["plain"]["V2A"]["tiou"].mean for name in rules}
    assert overlap["always_first"] == pytest.approx((1 + 0) / 2)
    assert overlap["always_last"] == pytest.approx((0 + 1) / 2)
    # [0, 4) against windows from 0..6: 4/4, 3/5, 2/6, 1/7, 0, 0, 0; [7, 10) against 0..7: ..., 1/5, 2/4, 3/3
    expected = ((1 + 3 / 5 + 2 / 6 + 1 / 7) / 7 + (1 / 5 + 2 / 4 + 1) / 8) / 2
    assert overlap["uniform"] == pytest.approx(expected)
    for name in rules:
        assert rules[name]["rolled"]["A2V"]["exact"].mean == pytest.approx(0.1)
        assert rules[name]["plain"]["A2V"]["exact"].n == 2


def test_an_all_knowing_scorer_gets_everything_right() -> None:
    """Where each second is nearest to itself, localization is exact and cross-modal retrieval perfect."""
    line = timeline([0, 1, 0, 1, 2], [(0, 3), (2, 4), (5, 9), (6, 10), (3, 8)])
    report = evaluate(line, own_second_nearest(line))
    for view in ("plain", "rolled"):
        for crossing in ("A2V", "V2A"):
            figures = report.localization[view][crossing]
            assert (figures["exact"].mean, figures["tiou"].mean, figures["exact"].n) == (1, 1, 5)
    assert report.retrieval["AV"]["mrr"].mean == report.retrieval["VA"]["mrr"].mean == 1


def test_a_scorer_that_cannot_tell_scores_as_the_uniform_rule() -> None:
    """Ties count 1 / ties: a constant scorer has the uniform rule's exact match and overlap."""
    line = timeline([0, 1, 0], [(0, 4), (7, 10), (2, 5)])
    found, uniform = evaluate(line, constant(line)).localization, blind_rules(line)["uniform"]
    for view in ("plain", "rolled"):
        for name in ("exact", "tiou"):
            assert found[view]["A2V"][name].mean == pytest.approx(uniform[view]["A2V"][name].mean)


def test_random_retrieval_is_at_the_chance_of_combinatorics() -> None:
    """A-V: n items, r of them relevant, own pair included; A-A: one less of both; singletons left out."""
    sizes = [12, 6, 2, 1]
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    line = timeline(labels, [(0, 10)] * len(labels))
    report = evaluate(line, RandomScorer(0), galleries=2000)
    n = len(labels)
    cross = sum(size * expected_reciprocal_rank(n, size) for size in sizes) / n
    within = sum(s * expected_reciprocal_rank(n - 1, s - 1) for s in sizes if s > 1) / (n - 1)
    for direction, expected in (("AV", cross), ("VA", cross), ("AA", within), ("VV", within)):
        assert report.retrieval[direction]["mrr"].mean == pytest.approx(expected, abs=0.01)
    assert [report.retrieval[d]["mrr"].n for d in ("AV", "AA")] == [n, n - 1]
    assert report.excluded_queries == 1


def test_retrieval_by_hand() -> None:
    """Four videos of one second: ranks 2, 1, 2, 3 within a modality, own items masked."""
    table = np.array([[0, 2, 1, 3], [1, 0, 2, 3], [1, 3, 0, 2], [1, 2, 3, 0]], np.float64)  # labels a a b b
    line = timeline([0, 0, 1, 1], [(0, 1)] * 4, seconds=1)
    report = evaluate(line, Tabled(table))
    assert report.retrieval["AA"]["mrr"].mean == pytest.approx((1 / 2 + 1 + 1 / 2 + 1 / 3) / 4)
    assert report.retrieval["AV"]["mrr"].mean == pytest.approx(1)
    # A-V of query 0 (own pair first, the other relevant third): (1 + 2/3) / 2; and so on
    precision = [(1 + 2 / 3) / 2, (1 + 2 / 2) / 2, (1 + 2 / 3) / 2, (1 + 2 / 4) / 2]
    assert report.retrieval["AV"]["map"].mean == pytest.approx(np.mean(precision))


def test_queries_come_from_events_with_both_modalities() -> None:
    """Retrieval asks about the same seconds in both modalities: labelled, of the event, heard and seen."""
    line = timeline([0, 1, -1], [(2, 5), (0, 3), (0, 10)])
    line.heard[3] = line.seen[10] = False
    assert eligible_seconds(line).tolist() == [2, 4, 11, 12]
    scorer = constant(line)
    evaluate(line, scorer, galleries=1)
    assert [(q, t) for q, _, t, _ in scorer.asked[:4]] == [
        ("audio", "audio"),
        ("audio", "visual"),
        ("visual", "audio"),
        ("visual", "visual"),
    ]
    (drawn,) = {tuple(int(r) for r in rows) for _, queries, _, items in scorer.asked[:4] for rows in (queries, items)}
    assert drawn[0] in (2, 4)
    assert drawn[1] in (11, 12)


def test_localization_asks_for_the_event_against_the_whole_clip() -> None:
    """A2V scores the event's sound against every picture of its own clip, V2A the reverse."""
    line = timeline([0, 1], [(2, 5), (0, 3)])
    scorer = constant(line)
    evaluate(line, scorer, galleries=1)
    clip = tuple(range(10))
    assert ("audio", (2, 3, 4), "visual", clip) in scorer.asked
    assert ("visual", (2, 3, 4), "audio", clip) in scorer.asked


def test_an_event_with_a_silent_second_is_no_audio_query() -> None:
    """It is left out of A2V and stays in V2A, where windows over the silence are never the answer."""
    line = timeline([0, 1], [(2, 5), (0, 3)])
    line.heard[3] = False
    report = evaluate(line, own_second_nearest(line))
    assert report.localization["plain"]["A2V"]["exact"].n == 1
    assert report.localization["plain"]["V2A"]["exact"].n == 2
    assert report.localization["plain"]["V2A"]["exact"].mean == 0.5


def test_an_event_in_two_pieces_is_not_localized() -> None:
    """Only a video whose event is one stretch, shorter than the clip, takes part."""
    line = timeline([0, 1, 1], [(2, 7), (0, 3), (0, 10)])
    line.event[4] = False
    assert evaluate(line, constant(line)).localization["plain"]["A2V"]["exact"].n == 1


def test_the_same_seed_gives_the_same_report() -> None:
    """Galleries, ties and intervals are repeatable; another seed draws others."""
    line = timeline([0, 1, 0, 1, 2, 2], [(0, 5)] * 6)
    reports = [evaluate(line, constant(line), galleries=3, seed=s) for s in (0, 0, 1)]
    assert reports[0] == reports[1] != reports[2]


@pytest.mark.parametrize("labels", [[-1, -1], [0, -1]], ids=["nothing is labelled", "a single video is labelled"])
def test_too_little_to_measure_is_said(labels: list[int]) -> None:
    """Fewer than two labelled videos are no measurement, and the message says how to label."""
    line = timeline([*labels, -1], [(0, 5)] * 3)
    with pytest.raises(NothingLabelled, match=r"label.*--labels"):
        evaluate(line, constant(line))
