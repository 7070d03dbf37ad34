"""The learning curve: what training sees, what is kept, from how many videos on it beats its rival, its command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_samples import planted_corpus, write_planted_archive
from named_samples import CONCEPTS, named_corpus
from PIL import Image

from benchmarks.quality.learning_curve import __main__ as command
from benchmarks.quality.learning_curve import archive as archive_module
from benchmarks.quality.learning_curve import clips as clips_module
from benchmarks.quality.learning_curve.__main__ import main, recipe_with
from benchmarks.quality.learning_curve.archive import ArchiveExperiment
from benchmarks.quality.learning_curve.clips import ClipExperiment
from benchmarks.quality.learning_curve.experiment import CPU
from benchmarks.quality.learning_curve.table import enough, kept, restored
from benchmarks.quality.own_video_folds import folds, same_video_groups
from model.baselines.msvae import ARCHIVE
from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.evaluation import evaluate, measure
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import Correlation
from model.training.plan import Trained, train
from model.training.recipe import DEFAULT

SECONDS = 6
SPLITS = {"train": 20, "val": 5, "test": 15}
SMALL = replace(DEFAULT, latent=8, hidden=16, epochs=1, held_epochs=1, footage_shares=(0.5,), widths_s=(0, 1))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    event = np.zeros((sum(SPLITS.values()), SECONDS), bool)
    event[:, 1:4] = True
    return write_planted_archive(tmp_path / "archive.npz", SPLITS, SECONDS, event=event)


@pytest.fixture(autouse=True)
def trained_on(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], Any]]:
    """Train a small network for an epoch, and keep which videos it was given, and what was held out beside them."""
    seen = []

    def quick(corpus: Corpus, recipe: Any, *of: Any, **more: Any) -> Trained:
        trained = train(corpus, recipe, *of, **more)
        seen.append((corpus.video_ids, trained.held_out))
        return trained

    for module in (archive_module, clips_module):
        monkeypatch.setattr(module, "train", quick)
    monkeypatch.setattr(command, "DEFAULT", SMALL)
    monkeypatch.setattr("model.training.validation.GALLERIES", 2)
    return seen


def clips(videos: int) -> ClipExperiment:
    """Return clips as a library gives them; the last one shows what the first one shows."""
    corpus = named_corpus(videos, SECONDS)
    first, last = (np.flatnonzero(corpus.video == v) for v in (0, videos - 1))
    corpus.visual[last] = corpus.visual[first]
    experiment = object.__new__(ClipExperiment)
    experiment._corpus, experiment._concepts, experiment._front_end = corpus, CONCEPTS, ("named", "named-1")
    experiment._recipe = SMALL
    return experiment


def test_training_and_its_held_out_videos_are_so_many_of_the_training_split(
    archive: Path, trained_on: list[tuple[tuple[str, ...], Any]]
) -> None:
    """More hold fewer, another seed has others; what epochs are chosen by is among them, and nothing is of val."""
    experiment = ArchiveExperiment(archive, "test", SMALL)
    assert (experiment.most, experiment.sizes) == (20, (20,))
    for size, seed in ((8, 0), (12, 0), (8, 1)):
        experiment.measure(size, seed, 1)
    (few, _), (more, _), (others, _) = trained_on
    assert (len(few), len(more), len(others)) == (8, 12, 8)
    assert set(few) < set(more)
    assert set(few) != set(others)
    for given, held_out in trained_on:
        assert {int(video_id.rpartition("-")[2]) for video_id in given} <= set(range(20))
        assert {v for part in held_out for v in part.video_ids} == set(given)  # five folds


def test_the_baseline_learns_from_the_same_videos(archive: Path, trained_on: list[tuple[tuple[str, ...], Any]]) -> None:
    """Its figure on the test split is that of an evaluation of CCA of these videos."""
    experiment = ArchiveExperiment(archive, "test", SMALL)
    found = experiment.measure(8, 0, 2).systems["linear_cca"].report().retrieval
    whole = experiment._train
    same = whole.of_videos(np.array([whole.video_ids.index(v) for v in trained_on[0][0]]))
    expected = evaluate(experiment._judged, Correlation.fit(same)(experiment._judged), 2, 0).retrieval
    assert found["AV"]["mrr"] == expected["AV"]["mrr"]
    assert found["AV"]["mrr"].n == 15


def test_no_held_out_clip_nor_its_copy_is_trained_on(trained_on: list[tuple[tuple[str, ...], Any]]) -> None:
    """Five trainings, each of so many of the other clips; what no training changes is the same for every number."""
    experiment = clips(12)
    few, more = experiment.measure(6, 0, 2), experiment.measure(8, 0, 2)
    assert [len(given) for given, _ in trained_on] == [6] * 5 + [8] * 5
    assert sum(one["held_out"] for one in few.facts["chosen"]) == 12
    corpus = experiment._corpus
    first, last = corpus.video_ids[0], corpus.video_ids[-1]
    held = list(folds(same_video_groups(corpus), 0))
    for part, (given, _) in zip(held + held, trained_on, strict=True):
        assert not {v for v, out in zip(corpus.video_ids, part, strict=True) if out} & set(given)
        assert part[0] == part[-1], (first, last)
    for name in experiment.layout.fixed:
        np.testing.assert_array_equal(
            few.systems[name].retrieval["AV"]["nine"], more.systems[name].retrieval["AV"]["nine"]
        )
    assert few.systems["start"].report().retrieval["AV"]["nine"].mean > 0.8  # names alone tell ten kinds apart
    assert set(few.systems) == {*experiment.layout.fixed, *experiment.layout.grown}


def test_figures_are_restored_with_their_intervals() -> None:
    """To the digits that are kept; a video without a figure stays without."""
    corpus = planted_corpus(8)
    corpus = replace(corpus, event=np.ones_like(corpus.event), label=np.arange(8) // 2, classes=("a", "b", "c", "d"))
    scorer = Correlation.fit(planted_corpus(8, seed=1))(corpus)
    figures = measure(corpus, scorer, ScoreLocalizer(scorer, corpus), 2)
    figures.retrieval["AA"]["mrr"][3] = np.nan
    saved = json.loads(json.dumps(kept(figures, ArchiveExperiment.layout), allow_nan=False))
    found, expected = (f.report().retrieval["VA"]["mrr"] for f in (restored(saved), figures))
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high), abs=1e-5)
    assert np.flatnonzero(np.isnan(restored(saved).retrieval["AA"]["mrr"])).tolist() == [3]


@pytest.mark.parametrize(
    ("lows", "expected"),
    [
        ({50: (-1, -1), 100: (0.1, 0.1), 200: (0.1, 0.1)}, 100),
        ({50: (0.1, 0.1), 100: (0.1, -0.1), 200: (0.1, 0.1)}, 200),  # fewer were enough by chance
        ({50: (0.1, 0.1), 100: (0.1, 0.1), 200: (0.1, 0)}, None),
        ({50: (0.1, 0.1), 100: (0.1, 0.1)}, 50),
        ({9: (None, 0.1), 50: (0.1, 0.1)}, 50),
    ],
)
def test_enough_is_where_both_ways_are_better_from_there_on(lows: dict[int, Any], expected: int | None) -> None:
    """A-A and V-V do not count."""
    rows = {
        str(size): {
            "minus": {
                "linear_cca": {
                    c: {"low": low} for c, low in zip(("A-A", "A-V", "V-A", "V-V"), (-1, *of, -1), strict=True)
                }
            }
        }
        for size, of in lows.items()
    }
    assert enough(ArchiveExperiment.layout, rows) == expected


def test_the_command_goes_on_where_it_was(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes JSON, tables and a picture; run again with more to do, what is there is not made again."""
    saved, tables, picture = (tmp_path / name for name in ("out.json", "out.md", "out.png"))
    command = ["--archive", str(archive), "--galleries", "2", "--json", str(saved)]
    main([*command, "--sizes", "8", "--seeds", "1"])
    first = json.loads(saved.read_text())
    assert "1/1 seed 0: 8 videos" in capsys.readouterr().out
    main([*command, "--sizes", "20,8", "--seeds", "2", "--markdown", str(tables), "--picture", str(picture)])
    said = capsys.readouterr().out
    assert "3/3 seed 1: 20 videos" in said
    second = json.loads(saved.read_text())
    assert second["fits"]["8"]["0"] == first["fits"]["8"]["0"]
    rows = second["summary"]["videos"]
    assert [(size, of["seeds"]) for size, of in rows.items()] == [("8", [0, 1]), ("20", [0, 1])]
    pair = rows["20"]["minus"]["linear_cca"]["A-V"]
    ours, other = (rows["20"]["systems"][name]["A-V"]["mean"] for name in ("trained", "linear_cca"))
    assert pair["mean"] == pytest.approx(ours - other, abs=1e-5)
    assert pair["low"] <= pair["mean"] <= pair["high"]
    assert tables.read_text().strip() in said
    assert "| any | chance |" in said
    assert np.asarray(Image.open(picture)).std() > 0


def test_another_curve_is_not_overwritten(archive: Path, tmp_path: Path) -> None:
    """A file with other galleries, or that is no curve, is refused by name."""
    saved = tmp_path / "out.json"
    command = ["--archive", str(archive), "--json", str(saved), "--sizes", "8", "--seeds", "1", "--galleries"]
    main([*command, "2"])
    for content in (saved.read_text(), "[]", "no JSON"):
        saved.write_text(content)
        with pytest.raises(TrainingError, match=r"out\.json"):
            main([*command, "1"])
        assert saved.read_text() == content


@pytest.mark.parametrize(
    ("option", "value"),
    [("--sizes", "5,20"), ("--sizes", "8,21"), ("--sizes", "many"), ("--seeds", "0"), ("--picture", "nowhere/out.png")],
)
def test_a_wrong_request_is_refused_before_any_training(archive: Path, tmp_path: Path, option: str, value: str) -> None:
    """Five videos are too few to hold any out; there are only twenty."""
    saved = tmp_path / "out.json"
    with pytest.raises(SystemExit):
        main(["--archive", str(archive), "--json", str(saved), option, value])
    assert not saved.exists()


def test_a_library_needs_a_prior(library: Path) -> None:
    """Without one there is no starting model to beat: the front-end is named."""
    with pytest.raises(TrainingError, match="front-end raw given"):
        ClipExperiment(library, SMALL)


def test_a_curve_may_be_judged_on_val(archive: Path, tmp_path: Path) -> None:
    """Its figures are of the five videos there, and its file is no file of the test split."""
    saved = tmp_path / "out.json"
    options = ["--archive", str(archive), "--galleries", "2", "--sizes", "8", "--seeds", "1", "--json", str(saved)]
    main([*options, "--split", "val"])
    assert len(json.loads(saved.read_text())["fits"]["8"]["0"]["systems"]["trained"]["retrieval"]["AV"]["mrr"]) == 5
    with pytest.raises(TrainingError, match="split"):
        main(options)


def test_a_teacher_may_be_forced_or_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """160 videos have one of 16 groups if forced; 700, which have one, have none if forbidden."""
    monkeypatch.setattr(command, "DEFAULT", replace(SMALL, taught_epochs=1))
    made = {
        (teacher, videos): train(planted_corpus(videos, 1), recipe_with(teacher), ARCHIVE, 0, CPU, planted_corpus(20))
        for teacher, videos in (("default", 160), ("always", 160), ("default", 700), ("never", 700))
    }
    groups = {key: tuple(trained.checkpoint.training["recipe"]["groups"]) for key, trained in made.items()}
    assert groups == {
        ("default", 160): (),
        ("always", 160): (16,),
        ("default", 700): (16, 32, 64),
        ("never", 700): (),
    }


@pytest.mark.parametrize("option", [["--split", "val"], ["--teacher", "never"]])
def test_a_library_has_neither_splits_nor_a_teacher(tmp_path: Path, option: list[str]) -> None:
    """Both options are for archives: beside `--library` they are refused, not ignored."""
    with pytest.raises(SystemExit):
        main(["--library", str(tmp_path), "--json", str(tmp_path / "out.json"), *option])
