"""The comparison: its figures, its pairs, its command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus, write_planted_archive
from typer.testing import CliRunner

from app.cli import command_line
from app.commands.benchmark import markdown_table
from model.baselines.comparison import Contest, Protocol, compare, comparison_json
from model.baselines.registry import all_systems, systems_named
from model.data.archive import load_archive
from model.errors import ArchiveError, NothingLabelled, TrainingError
from model.judging.evaluation import measure
from model.judging.localizers import ScoreLocalizer
from model.judging.own_video import own_video

CPU = torch.device("cpu")
QUICK = ["linear_cca", "random_ranking", "uniform", "always_last", "train_prior", "seam", "target_change_point"]
NAMES = [
    "echolens",
    "echolens_in_context",
    "msvae_w",
    "msvae",
    "msvae_published",
    "cm_vae",
    "l3_net",
    "ave_net",
    "linear_cca",
    "dcca",
    "avdln",
    "avsdn",
    "avfb",
    "vae_cca",
    "tnn_c_cca",
    "eics",
    "supervised_linear",
    "random_init",
    "uniform",
    "always_first",
    "always_last",
    "train_prior",
    "random_ranking",
    "seam",
    "target_change_point",
]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a small archive, with some arrays replaced."""

    def archive(**replaced: np.ndarray) -> Path:
        return write_planted_archive(tmp_path / "archive.npz", {"train": 20, "val": 20, "test": 20}, **replaced)

    return archive


def compared(path: Path, names: list[str], seeds: int = 2, jobs: int = 1, **protocol: Any) -> dict[str, Any]:
    contest = Contest.on(load_archive(path), "test", 3, Protocol(**protocol), CPU)
    return comparison_json(compare(contest, systems_named(names), seeds, jobs))


def test_every_system_of_the_comparison_has_its_name() -> None:
    """The names are those that reports are written against."""
    assert list(all_systems()) == NAMES
    assert [s.name for s in systems_named(["seam", "linear_cca"])] == ["seam", "linear_cca"]
    with pytest.raises(TrainingError, match="nothing_such"):
        systems_named(["nothing_such"])


def test_figures_are_those_of_the_evaluation(write: Write) -> None:
    """A mean over two seeds is the mean of two evaluations, and each stands beside it."""
    path = write()
    report = compared(path, ["linear_cca"])
    features = load_archive(path)
    (system,) = systems_named(["linear_cca"])
    fitted = system.fit(features.corpus("train"), features.corpus("val"), 0, CPU)
    test = features.corpus("test")
    assert fitted.scorer is not None
    scorer = fitted.scorer(test)
    expected = [
        float(np.mean(measure(test, scorer, ScoreLocalizer(scorer, test), 3, seed).retrieval["AV"]["mrr"]))
        for seed in (0, 1)
    ]
    figure = report["systems"]["linear_cca"]["retrieval"]["AV"]["mrr"]
    assert figure["seeds"] == pytest.approx(expected)
    assert figure["mean"] == pytest.approx(np.mean(expected))
    assert figure["low"] <= figure["mean"] <= figure["high"]


def test_own_pairs_are_looked_for_among_all_videos(write: Write) -> None:
    """A mean over seeds is that of two measurements by own video; chance stands beside it, labels count for nothing."""
    path, unlabelled = write(), np.where(np.arange(60) < 50, np.arange(60) % 3, -1)
    features = load_archive(path)
    (system,) = systems_named(["linear_cca"])
    fitted = system.fit(features.corpus("train"), features.corpus("val"), 0, CPU)
    test = features.corpus("test")
    assert fitted.scorer is not None
    rows = np.arange(len(test.video))
    expected = [own_video(fitted.scorer(test), rows, test.video, 3, seed) for seed in (0, 1)]
    for archive in (path, write(label=unlabelled)):
        found = compared(archive, ["linear_cca"])["systems"]["linear_cca"]["retrieval"]
        for direction in ("AV", "VA"):
            assert found[direction]["own_mrr"]["seeds"] == pytest.approx([o.all.mrr[direction].mean for o in expected])
            for k in ("1", "5", "10"):
                recall = [one.recall_at[k].recall[direction].mean for one in expected]
                assert found[direction][f"own_recall_at_{k}"]["seeds"] == pytest.approx(recall)
    contest = Contest.on(features, "test", 3, Protocol(), CPU)
    assert contest.own_pair_chance()["own_recall_at_5"] == expected[0].recall_at["5"].chance == 5 / 20
    assert contest.own_pair_chance()["own_mrr"] == expected[0].all.chance


def test_paired_differences_are_between_the_same_videos(write: Write) -> None:
    """The first system is paired with each, the others with CCA; a difference of means is the mean difference."""
    report = compared(write(), QUICK)
    assert set(report["paired"]["linear_cca"]) == set(QUICK) - {"linear_cca"}
    assert set(report["paired"]["seam"]) == {"linear_cca"}
    ours, other = (
        report["systems"][n]["localization"]["rolled"]["A2V"]["exact"]["mean"] for n in ("linear_cca", "seam")
    )
    pair = report["paired"]["linear_cca"]["seam"]["localization"]["rolled"]["A2V"]["exact"]
    assert pair["mean"] == pytest.approx(ours - other)
    assert pair["low"] <= pair["mean"] <= pair["high"]


def test_what_does_not_apply_is_null(write: Write) -> None:
    """A rule of position retrieves nothing; the whole report is JSON."""
    report = json.loads(json.dumps(compared(write(), QUICK), allow_nan=False))
    rule = report["systems"]["uniform"]
    assert rule["retrieval"]["AV"]["mrr"] == {"mean": None, "low": None, "high": None, "seeds": [None, None]}
    assert rule["retrieval"]["VA"]["own_recall_at_5"] == rule["retrieval"]["AV"]["mrr"]
    assert rule["excluded_queries"] == 0
    assert rule["localization"]["rolled"]["A2V"]["exact"]["mean"] == pytest.approx(1 / 6)
    assert report["paired"]["uniform"]["linear_cca"]["retrieval"]["AV"]["mrr"]["mean"] is None


def test_the_same_command_gives_the_same_figures(write: Write) -> None:
    """All but the times, in one process or in two."""
    path = write()
    reports = [compared(path, [*QUICK, "random_init"], 2, jobs) for jobs in (1, 1, 2)]
    for report in reports:
        for facts in report["systems"].values():
            facts.pop("train_s")
    assert reports[0] == reports[1] == reports[2]


def test_a_class_with_one_item_is_left_out_and_counted(write: Write) -> None:
    """Its query has nothing to find in A-A; across modalities it has its own pair."""
    label = np.arange(60) % 2
    label[40] = 2
    facts = compared(write(label=label), ["linear_cca"])["systems"]["linear_cca"]
    assert facts["excluded_queries"] == 1
    assert facts["retrieval"]["AA"]["mrr"]["mean"] is not None


def test_a_split_without_events_cannot_be_judged_on(write: Write) -> None:
    """It is said so; nothing is reported."""
    with pytest.raises(NothingLabelled):
        compared(write(event=np.zeros((60, 6), bool)), ["linear_cca"])


def test_an_archive_without_the_split_is_refused(write: Write) -> None:
    with pytest.raises(ArchiveError, match="val"):
        compared(write(split=np.repeat(["train", "test", "test"], 20)), ["linear_cca"])


@pytest.mark.parametrize("name", QUICK)
def test_zero_rows_and_constant_columns_have_figures(write: Write, name: str) -> None:
    """A silent second and a feature that never changes leave every figure a number."""
    corpus = planted_corpus(60, 6)
    audio = corpus.audio.reshape(60, 6, -1).copy()
    audio[3:6, 2] = 0
    audio[45:, 1] = 0
    audio[..., 0] = 7
    facts = compared(write(audio=audio), [name], 1)["systems"][name]
    assert facts["localization"]["rolled"]["V2A"]["exact"]["mean"] is not None


def test_the_published_protocol_keeps_its_bugs_by_name(write: Write) -> None:
    """The undeleted label changes A-A alone, the reused ranking A-V alone; rolled does not exist."""
    path = write()
    clean, label, reused = (
        compared(path, ["linear_cca"], 1, name="published", bugs=frozenset(bugs))["systems"]["linear_cca"]
        for bugs in ((), ("undeleted_label",), ("reused_ranking",))
    )

    def mrr(facts: dict[str, Any], direction: str) -> float:
        return float(facts["retrieval"][direction]["mrr"]["mean"])

    assert mrr(label, "AA") != mrr(clean, "AA")
    assert mrr(label, "AV") == mrr(clean, "AV")
    assert mrr(reused, "AV") != mrr(clean, "AV")
    assert mrr(reused, "AA") == mrr(clean, "AA")
    assert clean["localization"]["rolled"]["A2V"]["exact"]["mean"] is None


def test_the_command_writes_json_and_a_table(write: Write, tmp_path: Path) -> None:
    """Both files hold the systems asked for; the table marks what uses labels."""
    saved, table = tmp_path / "out.json", tmp_path / "out.md"
    arguments = ["benchmark", "--archive", str(write()), "--systems", "linear_cca,train_prior", "--seeds", "1"]
    ran = CliRunner().invoke(
        command_line(), [*arguments, "--galleries", "2", "--json", str(saved), "--markdown", str(table)]
    )
    assert ran.exit_code == 0, ran.output
    report = json.loads(saved.read_text())
    assert list(report["systems"]) == ["linear_cca", "train_prior"]
    assert report["protocol"] == {"name": "corrected", "bugs": []}
    assert (report["split"], report["seeds"], report["galleries"]) == ("test", 1, 2)
    assert table.read_text() == markdown_table(report)
    assert "| train_prior † |" in table.read_text()
    assert "| chance | .180 | .050 | .250 | .500 | .180 |" in table.read_text()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--protocol", "mine"), ("--bugs", "another"), ("--systems", "nothing_such"), ("--markdown", "nowhere/out.md")],
)
def test_a_wrong_name_is_refused_before_any_training(write: Write, tmp_path: Path, option: str, value: str) -> None:
    saved = tmp_path / "out.json"
    arguments = ["benchmark", "--archive", str(write()), "--json", str(saved), option, value]
    ran = CliRunner().invoke(command_line(), arguments)
    assert ran.exit_code != 0
    assert not saved.exists()
