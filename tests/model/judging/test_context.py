"""Localization in context: its terms, its fit without labels, its answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from corpus_samples import planted_corpus

from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.context import TERMS, ContextLocalizer, fit_weights, own_distances, terms
from model.judging.evaluation import Figures, measure
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import Correlation

SECONDS = 10


def events_corpus(videos: int, seed: int, noise: float = 0.3) -> Corpus:
    """Return clips of two hidden causes: the event's, and that of the rest."""
    one, other = (planted_corpus(videos, SECONDS, noise=noise, seed=2 * seed + s) for s in (0, 1))
    random = np.random.default_rng(seed)
    length = random.integers(2, 7, videos)
    start = np.array([random.integers(0, SECONDS - n + 1) for n in length])
    at = np.arange(SECONDS)
    event = ((at >= start[:, None]) & (at < (start + length)[:, None])).reshape(-1)
    features = {m: np.where(event[:, None], getattr(one, m), getattr(other, m)) for m in ("audio", "visual")}
    return replace(one, **features, event=event, label=np.arange(videos) % 3, classes=("a", "b", "c"))


@pytest.fixture(scope="module")
def train() -> Corpus:
    return events_corpus(80, 3)


def localizer(train: Corpus, corpus: Corpus) -> ContextLocalizer:
    return ContextLocalizer(corpus, Correlation.fit(train)(corpus), fit_weights(train, Correlation.fit(train)(train)))


def exact(figures: Figures, crossing: str) -> float:
    return float(figures.localization["rolled"][crossing]["exact"].mean())


def test_planted_events_are_found_better_than_by_the_sum_of_distances() -> None:
    """On new clips both ways, far above chance (a tenth) and above the sum of the same distances."""
    train, new = events_corpus(80, 3, noise=3.0), events_corpus(120, 7, noise=3.0)
    context = measure(new, None, localizer(train, new), 1)
    plain = measure(new, None, ScoreLocalizer(Correlation.fit(train)(new), new), 1)
    found, known = (np.array([exact(f, c) for c in ("A2V", "V2A")]) for f in (context, plain))
    assert (found > 0.4).all()
    assert found.mean() > known.mean() + 0.05


def test_terms_by_the_slow_way(train: Corpus) -> None:
    """Each term of each circular window from its definition, second by second."""
    random = np.random.default_rng(0)
    features, cross = random.standard_normal((5, 3)), random.random((2, 5))
    own = own_distances(features[None])
    found = terms(cross[None], own)[0]
    mean, squares = own.mean(), (own**2).mean()
    jump = [np.linalg.norm(features[i] - features[i - 1]) / mean for i in range(5)]
    for start in range(5):
        inside = [start, (start + 1) % 5]
        outside = [i for i in range(5) if i not in inside]
        gap = features[inside].mean(0) - features[outside].mean(0)
        split = 2 * 3 / 5 * (gap @ gap) / squares
        match = cross[:, outside].mean() - cross[:, inside].mean()
        rest = cross - cross.mean(1, keepdims=True) - cross.mean(0)
        order = -(rest[0, inside[0]] + rest[1, inside[1]]) / 2
        edge = max(jump[start], jump[(start + 2) % 5])
        assert found[start] == pytest.approx([split, edge, jump[inside[1]], match, order])
    assert found.shape == (5, len(TERMS))


def test_a_turned_target_has_turned_distances(train: Corpus) -> None:
    """Absolute time is not known: turning the target by three seconds turns the answer."""
    judge = localizer(train, train)
    clip, event = np.arange(10), np.arange(2, 5)
    straight = judge.windows("audio", event, "visual", clip, True)
    turned = judge.windows("audio", event, "visual", np.roll(clip, 3), True)
    assert turned == pytest.approx(np.roll(straight, 3))


def test_the_plain_view_takes_the_windows_within_the_clip(train: Corpus) -> None:
    """They are the first of the circular ones."""
    judge = localizer(train, train)
    views = [judge.windows("visual", np.arange(2, 5), "audio", np.arange(10), rolled) for rolled in (False, True)]
    assert len(views[0]) == 8
    assert views[0] == pytest.approx(views[1][:8])


def test_weights_look_at_no_label_and_repeat(train: Corpus) -> None:
    """Other labels and events, the same weights."""
    plain = fit_weights(train, Correlation.fit(train)(train))
    marked = replace(train, event=~train.event, label=np.full(len(train), -1), classes=())
    other = fit_weights(marked, Correlation.fit(marked)(marked))
    assert all(np.array_equal(plain[m], other[m]) for m in ("audio", "visual"))


def test_missing_seconds_and_whole_clips_are_judged_by_distance(train: Corpus) -> None:
    """A window that needs a second without a picture has no distance; a query as long as the clip has one window."""
    seen = train.seen.copy()
    seen[4] = False
    judge = localizer(train, train)
    gap = replace(judge, corpus=replace(train, seen=seen))
    found = gap.windows("audio", np.arange(2), "visual", np.arange(10), False)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3, 4]
    assert np.isfinite(judge.windows("audio", np.arange(10), "visual", np.arange(10), False)).all()


def test_a_still_and_silent_clip_is_judged() -> None:
    """Equal seconds give finite terms."""
    assert np.isfinite(terms(np.zeros((1, 3, 10)), np.zeros((1, 10, 10)))).all()


def test_clips_too_short_cannot_fit() -> None:
    """Three seconds hold no window with a rest to compare."""
    short = planted_corpus(20, 3)
    with pytest.raises(TrainingError, match="four seconds"):
        fit_weights(short, Correlation.fit(short)(short))
