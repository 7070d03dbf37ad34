"""Recordings laid end to end, cut apart again, and held out by whole videos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from corpus_samples import planted_corpus

from model.data.corpus import Annotation, Corpus, Timeline, fold
from model.data.features import Features
from model.errors import TrainingError


def features(seconds: int, seed: int) -> Features:
    random = np.random.default_rng(seed)
    return Features(
        start_s=np.arange(seconds),
        audio=random.random((seconds, 3)).astype(np.float32),
        visual=random.random((seconds, 2, 2)).astype(np.float32),
        heard=random.random(seconds) < 0.7,
        seen=random.random(seconds) < 0.7,
        sound_whole=np.ones(seconds, bool),
        frame_whole=np.ones(seconds, bool),
    )


def test_recordings_are_laid_end_to_end() -> None:
    """Each second keeps its features, masks and time, and knows the row of its video."""
    parts = [features(3, 0), features(0, 1), features(4, 2)]
    notes = [Annotation("a", "dog"), Annotation("b"), Annotation("c", "cat")]
    corpus = Corpus.assemble(list(zip(notes, parts, strict=True)))
    for name in ("audio", "visual", "heard", "seen", "start_s"):
        np.testing.assert_array_equal(getattr(corpus, name), np.concatenate([getattr(p, name) for p in parts]))
    assert corpus.video.tolist() == [0, 0, 0, 2, 2, 2, 2]
    assert (corpus.video_ids, len(corpus)) == (("a", "b", "c"), 3)
    assert (corpus.classes, corpus.label.tolist()) == (("cat", "dog"), [1, -1, 0])


def test_a_pair_needs_both_modalities() -> None:
    """A second is paired if it is heard and seen."""
    corpus = Corpus.assemble([(Annotation("a"), features(20, 0))])
    assert corpus.paired.tolist() == [h and s for h, s in zip(corpus.heard, corpus.seen, strict=True)]
    assert 0 < corpus.paired.sum() < 20


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Annotation("v"), []),
        (Annotation("v", None, 1.0, 3.0), []),
        (Annotation("v", "dog"), [0, 1, 2, 3, 4]),
        (Annotation("v", "dog", 1.0, 3.0), [1, 2]),
        (Annotation("v", "dog", 1.0, None), [1, 2, 3, 4]),
        (Annotation("v", "dog", None, 2.9), [0, 1]),
        (Annotation("v", "dog", 0.5, 3.5), [1, 2]),
        (Annotation("v", "dog", 2.2, 2.8), []),
        (Annotation("v", "dog", 4.0, 9.0), [4]),
    ],
)
def test_an_event_is_the_seconds_within_its_interval(annotation: Annotation, expected: list[int]) -> None:
    """Half-open and whole seconds only; without an interval all, without a label none."""
    everything = np.ones(5, bool)
    line = Timeline.of([(annotation, np.arange(5), everything, everything)])
    assert np.flatnonzero(line.event).tolist() == expected


def test_videos_are_taken_in_the_order_asked() -> None:
    """The chosen videos' seconds, features and labels follow, renumbered from zero."""
    notes = [Annotation("a", "x"), Annotation("b", "y"), Annotation("c", "x")]
    parts = [features(n, n) for n in (2, 3, 4)]
    chosen = Corpus.assemble(list(zip(notes, parts, strict=True))).of_videos(np.array([2, 0]))
    again = Corpus.assemble([(notes[2], parts[2]), (notes[0], parts[0])])
    for name in ("audio", "visual", "heard", "seen", "event", "video", "start_s"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(again, name))
    assert chosen.video_ids == again.video_ids
    assert [chosen.classes[row] for row in chosen.label] == ["x", "x"]


def test_no_videos_make_an_empty_corpus() -> None:
    """A choice of none is a corpus of zero seconds with the same shapes."""
    empty = planted_corpus().of_videos(np.array([], np.int64))
    assert (len(empty), empty.audio.shape, empty.visual.shape) == (0, (0, 12), (0, 16))


@pytest.mark.parametrize("videos", [6, 7, 11, 23])
def test_folds_hold_out_each_video_once(videos: int) -> None:
    """Parts are disjoint, cover all videos, have at least two each, and never meet their rest."""
    corpus = planted_corpus(videos=videos)
    folds = fold(corpus, 5, seed=0)
    held = [part.video_ids for _, part in folds]
    assert sorted(i for ids in held for i in ids) == sorted(corpus.video_ids)
    assert min(len(ids) for ids in held) >= 2
    for rest, part in folds:
        assert set(rest.video_ids) == set(corpus.video_ids) - set(part.video_ids)


def test_folds_keep_a_videos_seconds_together() -> None:
    """No second of a held-out video is in the rest: features tell."""
    for rest, part in fold(planted_corpus(videos=9), 3, seed=1):
        assert not {row.tobytes() for row in rest.audio} & {row.tobytes() for row in part.audio}


def test_the_seed_chooses_the_folds() -> None:
    """The same seed holds out the same videos, another one others."""
    one, same, other = (fold(planted_corpus(), 5, seed=s)[0][1].video_ids for s in (0, 0, 1))
    assert one == same != other


def test_videos_without_a_pair_are_not_held_out() -> None:
    """Nor do they count as footage to learn from: five that have pairs are too few."""
    corpus = planted_corpus(videos=8)
    heard = corpus.heard & (corpus.video != 3)
    for _, part in fold(replace(corpus, heard=heard), 4, seed=0):
        assert "video-0-3" not in part.video_ids
    with pytest.raises(TrainingError, match=r"5 videos .*given, at least 6 expected"):
        fold(replace(corpus, heard=heard & (corpus.video < 6)), 4, seed=0)
