"""Real clips: which clips show a kind, own video by folds, calibration, and what a kind's sound finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus
from prior_samples import naming_session
from service_samples import film_footage

from app.library.features import corpus_of
from app.media.decoding import Track
from benchmarks.quality.own_video_folds import Table, add_ranks, folds, same_video_groups, start_of
from benchmarks.quality.real_clips import labels_of, recordings_of
from benchmarks.quality.reliability import Reliability, calibration_error
from benchmarks.quality.sounds_of_kinds import Found, Recording, area_under_curve, ask, chance_of, describe, shows
from model.concepts.concepts import Concepts
from model.data.corpus import Corpus
from model.frontends.prior import Prior
from model.judging.scorers import EmbeddingScorer
from model.network.match import Verdict

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("kind", "label", "expected"),
    [
        ("dog-bark", "dog bow-wow", True),
        ("dog-bark", "Dog", True),
        ("dog-bark", "hot-dogging", False),
        ("baby-cry", "Baby cry, infant cry", True),
        ("chainsaw", "chainsawing trees", True),
        ("fire-crackling", "fireworks", False),
        ("fire-crackling", "fire crackling", True),
        ("rain", "train horning", False),
        ("rain", None, False),
        ("cow-lowing", "cow lowing", True),  # a kind that the table lacks: all words of its name
        ("cow-lowing", "cow", False),
    ],
)
def test_a_clip_shows_a_kind_if_its_label_has_the_kinds_words(kind: str, label: str | None, expected: bool) -> None:
    """Whole words count, in either case; a part of a word does not."""
    assert shows(kind, label) is expected


def test_labels_come_from_the_tables_by_file_name_and_recordings_from_the_folders(tmp_path: Path) -> None:
    """A row names a file of the library wherever the table lies; a kind that is left out is not decoded."""
    (tmp_path / "footage").mkdir()
    films = film_footage(tmp_path / "footage")
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nred-0.mp4,scarlet\nblue-1.mp4,\n")
    for kind in ("red", "green"):
        (tmp_path / "kinds" / kind).mkdir(parents=True)
        (tmp_path / "kinds" / kind / "take.mp4").write_bytes(films[0].read_bytes())
    with naming_session(tmp_path / "library", footage=films) as session:
        corpus = corpus_of(session)
        names = {v.video_id: v.file_name for v in session.library.catalogue.every_video()}
        found = dict(zip([names[v] for v in corpus.video_ids], labels_of(session, corpus, [table]), strict=True))
        recordings = recordings_of(session, tmp_path / "kinds", ["green"])
    assert {name: label for name, label in found.items() if label} == {"red-0.mp4": "scarlet"}
    assert [(r.kind, r.track.modality) for r in recordings] == [("red", "audio")]


def test_copies_stay_in_one_fold_and_every_video_is_held_out_once() -> None:
    """Of 20 videos, one is a copy of another with a little noise."""
    corpus = planted_corpus(20)
    first, last = (np.flatnonzero(corpus.video == v) for v in (0, 19))
    corpus.visual[last] = corpus.visual[first] + 0.01
    groups = same_video_groups(corpus)
    assert groups[0] == groups[19]
    for seed in range(3):
        held = np.stack(list(folds(groups, seed)))
        np.testing.assert_array_equal(held.sum(0), 1)
        np.testing.assert_array_equal(held[:, 0], held[:, 19])


def test_own_video_by_hand_among_the_held_out_and_among_all() -> None:
    """Pictures lie at 0, 1, 2 and the sound of video 0 at 0.9: of two held-out videos its own is second, of all too.

    A copy counts as right: the copy of video 0 lies nearest. Without the nearest item the own video is first.
    """
    scorer = EmbeddingScorer(np.array([[0.9], [1.1], [9.0]]), np.array([[0.0], [1.0], [2.0]]), "euclidean")
    draws, held = np.arange(3)[None], np.array([True, True, False])
    apart, copies = np.eye(3, dtype=bool), np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    for same, of_first in ((apart, 0.5), (copies, 1.0)):
        table = Table.empty(3)
        add_ranks(table, "AV", scorer, held, same, draws, np.random.default_rng(0))
        np.testing.assert_allclose(table.values["AV", "nine"], [of_first, 1, 0])
        np.testing.assert_allclose(table.values["AV", "all"], [of_first, 1, 0])
        np.testing.assert_allclose(table.without["AV", "all"][0, 1:], [1, of_first])
    table = Table.empty(3)
    add_ranks(table, "AV", scorer, np.array([True, False, True]), apart, draws, np.random.default_rng(0))
    np.testing.assert_allclose(table.values["AV", "nine"], [1, 0, 1])  # without video 1, which is nearer
    np.testing.assert_allclose(table.values["AV", "all"], [0.5, 0, 1])
    np.testing.assert_allclose(table.without["AV", "nine"][0], [np.nan, 1, 1])  # video 1 was no item there


def test_calibration_error_by_hand() -> None:
    """Two of four pairs are said to be .9 and two .5, as is one of two non-pairs; the other is said to be .1.

    Pairs weigh 1/8, non-pairs 1/4. In the bin of .5 half of the weight are pairs: right. In those of .9 and .1 the
    error is .1, of .25 of the weight each.
    """
    found = Reliability(1)
    found.add("audio-visual", 0, np.array([0.9, 0.9, 0.5, 0.5, 0.5, 0.1]), np.array([1, 1, 1, 1, 0, 0], bool))
    assert found.report()["audio-visual"]["value"] == pytest.approx(0.05)
    bins = found.report()["audio-visual"]["bins"]
    assert [(b["weight"], b["match"], b["together"]) for b in bins] == [(0.25, 0.1, 0), (0.5, 0.5, 0.5), (0.25, 0.9, 1)]


def test_a_match_that_says_the_contrary_is_as_wrong_as_can_be() -> None:
    """All pairs are said to be 0 and all non-pairs to be 1, however many there are of each."""
    count, predicted = np.zeros((2, 10)), np.zeros((2, 10))
    count[1, 0], count[0, 9], predicted[0, 9] = 3, 500, 500
    assert calibration_error(count, predicted) == pytest.approx(1)


def test_area_under_curve_by_hand() -> None:
    """Of six comparisons three are won, and one is a tie."""
    assert area_under_curve(np.array([0.2, 0.5, 0.9]), np.array([0.5, 0.6])) == pytest.approx((2 + 0.5) / 6)


def test_chance_of_a_kind_among_the_first_by_hand() -> None:
    """One of four videos among two; two of five among three are missed if the three come first: 3/5 * 2/4 * 1/3."""
    assert chance_of(1, 4, 2) == pytest.approx(0.5)
    assert chance_of(2, 5, 3) == pytest.approx(0.9)


def test_what_kinds_find_is_counted_by_hand() -> None:
    """Of a present kind one recording finds its video first and one third; "nothing" is said once of each sort."""

    def said(kind: str, videos: tuple[int, ...], match: float, verdict: Verdict) -> Found:
        return Found(kind, videos, match, 1 - match, verdict)

    found = [
        said("dog", (1, 2, 3, 4), 0.9, "strong"),
        said("dog", (2, 3, 1, 4), 0.4, "nothing"),
        said("dog", (2, 3, 4, 1), 0.8, "fair"),
        said("rooster", (1, 2, 3, 4), 0.5, "nothing"),
        said("clock", (1, 2, 3, 4), 0.3, "weak"),
    ]
    figures = describe(found, {"dog": frozenset({1})})
    assert figures["right_first"]["value"] == pytest.approx(1 / 3)
    assert figures["right_among_three"]["value"] == pytest.approx(2 / 3)
    assert figures["auc_of_match"]["value"] == pytest.approx(5 / 6)
    assert figures["auc_of_distance"]["value"] == pytest.approx(5 / 6)
    assert (figures["nothing"]["said"], figures["nothing"]["of_absent_kinds"]) == (2, 0.5)
    assert figures["nothing"]["present_lost"]["value"] == pytest.approx(1 / 3)
    assert figures["kinds"]["rooster"] == {
        "present": False,
        "clips": 0,
        "right_first": None,
        "right_among_three": None,
        "mean_match": 0.5,
        "nothing": 1.0,
    }


def test_the_starting_model_finds_what_a_sound_names() -> None:
    """Clips show one concept each, with noise; the sound of each finds its clip first, by the starting model."""
    prior = Prior.load(Concepts.load())
    named = ("dog", "car", "piano", "drum", "bird", "cat")
    assert set(named) <= set(prior.concepts.names)
    corpus = _clips_of(prior, named)
    model = start_of(corpus, prior, ("naming", "naming-1"))
    rows = [prior.row("audio", [name], [], _usual(prior, "audio")) for name in named]
    sounds = [
        Recording(name, Track("audio", "naming-1", np.zeros(1, np.int64), row))
        for name, row in zip(named, rows, strict=True)
    ]
    found = ask(model, corpus, sounds, CPU)
    assert [f.videos[0] for f in found] == list(range(len(named)))
    assert all(sorted(f.videos) == list(range(len(named))) for f in found)


def _clips_of(prior: Prior, named: tuple[str, ...], seconds: int = 8) -> Corpus:
    rng = np.random.default_rng(0)
    rows = {m: [prior.row(m, [name], [], _usual(prior, m)) for name in named] for m in ("audio", "visual")}
    features = {}
    for m, plain in rows.items():
        clean = np.repeat(np.concatenate(plain), seconds, axis=0)
        features[m] = (clean + 0.1 * rng.standard_normal(clean.shape)).astype(np.float32)
    count = len(named) * seconds
    return Corpus(
        **features,
        heard=np.ones(count, bool),
        seen=np.ones(count, bool),
        event=np.zeros(count, bool),
        video=np.repeat(np.arange(len(named)), seconds),
        start_s=np.tile(np.arange(seconds), len(named)),
        video_ids=tuple(f"{i:016x}" for i in range(len(named))),
        label=np.full(len(named), -1),
        classes=(),
    )


def _usual(prior: Prior, modality: str) -> np.ndarray:
    return np.concatenate([np.zeros(4, np.float32), prior.usual[modality]])  # type: ignore[index]
