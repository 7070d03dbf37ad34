"""The study: its variants, its pairs, what it keeps, its command."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_samples import planted_corpus, write_planted_archive

from benchmarks.quality import study
from benchmarks.quality.study import Study, Task, main, make, missing, recipe_of
from benchmarks.quality.study_table import COLUMNS, Made, columns, markdown, row
from benchmarks.quality.variants import CPU, Fit, QueryBankScorer, as_trained, known, relative_to_clip, variants
from model.baselines.msvae import ARCHIVE
from model.data.latents import Latents
from model.errors import TrainingError
from model.judging.evaluation import interval, measure
from model.judging.scorers import EmbeddingScorer
from model.modality import Modality
from model.training.objective import Objective
from model.training.plan import train
from model.training.recipe import DEFAULT, Recipe

SECONDS = 6


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_planted_archive(tmp_path / "archive.npz", {"train": 20, "val": 20, "test": 20}, SECONDS)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Let every variant train a small network for three epochs."""
    ours = variants()
    quick: dict[str, Any] = {"latent": 8, "hidden": 16, "epochs": 3, "held_epochs": 1}
    reduced = {name: replace(v, recipe=replace(v.recipe, **quick)) for name, v in ours.items()}
    monkeypatch.setattr(study, "variants", lambda: reduced)
    monkeypatch.setattr("model.training.validation.GALLERIES", 2)
    return reduced["default"].recipe


def fit_of(recipe: Recipe) -> Fit:
    corpus, val, judged = (planted_corpus(20, SECONDS, seed=s) for s in range(3))
    return Fit(train(corpus, recipe, ARCHIVE, 0, CPU, val).checkpoint, corpus, val, judged, 0)


def differing(one: Any, other: Any) -> set[str]:
    """Return the settings in which two recipes differ, those of the objective by their own names."""
    return {k for k, v in asdict(one).items() if v != asdict(other)[k] and k != "objective"}


def test_a_variant_changes_little() -> None:
    """No two are the same; each differs from the default in at most four settings, or in how it is judged."""
    ours = variants()
    assert next(iter(ours)) == "default"
    assert ours["default"].recipe == DEFAULT
    settings = [(replace(v.recipe, name=""), v.judge) for v in ours.values()]
    assert all(one not in settings[:n] for n, one in enumerate(settings))
    for name, variant in ours.items():
        changed = differing(variant.recipe, DEFAULT) - {"name"}
        changed |= differing(variant.recipe.objective, DEFAULT.objective)
        assert len(changed) <= 4
        assert changed or variant.judge is not as_trained or name == "default"
    assert set(known()) == {"chance", "linear_cca", *ours}


def test_the_released_kl_weight_is_that_of_a_sum() -> None:
    """.01 times a sum over 64 dimensions is .64 times their mean."""
    assert variants()["free_means_kl_released"].recipe.objective.kl == pytest.approx(0.64)


def test_one_recipe_is_fitted_once(archive: Path, tmp_path: Path) -> None:
    """Other ways to judge the default share its fit; what is there already is left out; the default comes first."""
    held = Study(tmp_path / "out.json", {})
    held.add("chance", 0, {})
    frame = Task(archive, "val", 2, (), 0)
    tasks = missing(held, ["share_1", "chance", "latent_32", "default"], 2, frame)
    assert [(t.names, t.seed) for t in tasks] == [
        (("default", "share_1"), 0),
        (("latent_32",), 0),
        (("chance",), 1),
        (("default", "share_1"), 1),
        (("latent_32",), 1),
    ]


def test_what_is_made_is_what_the_evaluation_measures(archive: Path, small: Recipe) -> None:
    """The default's figures are those of model/judging/evaluation.py; one seed, one result; all of it is JSON."""
    task = Task(archive, "val", 2, ("default", "share_0", "query_bank_0.5", "relative_context"), 1)
    made, again = (json.loads(json.dumps(make(task), allow_nan=False)) for _ in range(2))
    assert all(made[name]["videos"] == again[name]["videos"] for name in task.names)
    assert made["default"]["posterior"]["audio"]["of"] == 8
    features = study.load_archive(archive)
    corpus, val = features.corpus("train"), features.corpus("val")
    fit = Fit(train(corpus, small, ARCHIVE, 1, CPU, val).checkpoint, corpus, val, val, 1)
    for column, values in columns(measure(val, *as_trained(fit), 2, 1)).items():
        np.testing.assert_allclose(np.array(made["default"]["videos"][column], np.float64), values, atol=1e-6)
    context = made["relative_context"]["videos"]
    assert set(context["A-V"]) == {None}
    assert None not in context["A2V"]


def test_what_cannot_be_trained_is_a_result(
    archive: Path, small: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is recorded with what it said, takes no part in figures, and is in the table."""
    diverging = replace(small, objective=Objective(kl=float("nan")), groups=())
    only = {"default": replace(variants()["default"], recipe=diverging)}
    monkeypatch.setattr(study, "variants", lambda: only)
    made = make(Task(archive, "val", 2, ("default",), 0))["default"]
    assert "diverged" in made["error"]
    held = Study(tmp_path / "out.json", {})
    held.add("default", 0, made)
    held.summarize(["default"])
    assert "default failed: training diverged" in markdown(held.rows, "val")


def of_videos(mean: float, seed: int) -> Made:
    random = np.random.default_rng(seed)
    return {"fit_s": 1.0, "videos": {c: (mean + random.random(30)).tolist() for c in COLUMNS}}


def test_differences_are_paired_by_video_over_the_seeds_of_both() -> None:
    """A variant that is the default plus a constant differs by that constant alone, whatever the videos do."""
    default = {"0": of_videos(0, 0), "1": of_videos(0, 1)}
    shifted = {
        "1": {"fit_s": 1.0, "videos": {c: (np.array(v) + 0.25).tolist() for c, v in default["1"]["videos"].items()}}
    }
    found = row("latent_32", shifted | {"2": of_videos(0.5, 2)}, default)
    assert found["seeds"] == [1, 2]
    assert found["minus_default"]["A-V"] == pytest.approx({"mean": 0.25, "low": 0.25, "high": 0.25, "n": 30})
    both = np.mean([shifted["1"]["videos"]["A-V"], of_videos(0.5, 2)["videos"]["A-V"]], axis=0)
    assert found["figures"]["A-V"] == asdict(interval(both))


def test_differences_may_be_from_another_variant(tmp_path: Path) -> None:
    """Rows and table name the control, and are made anew for it; it has no difference from itself."""
    facts = {"archive": "x", "split": "val", "galleries": 2}
    made = {"generated_share": 0.5, "kept_epoch": 1}
    held = Study(tmp_path / "out.json", facts)
    for name, mean in (("default", 0.0), ("no_teacher", 0.1), ("hinge", 0.3)):
        held.add(name, 0, of_videos(mean, 0) | made | {"recipe": recipe_of(name)})
    held.summarize(list(held.fits))
    held.save()
    assert held.rows["hinge"]["minus_default"]["A-V"]["mean"] == pytest.approx(0.3)
    assert "| less the default |" in held.markdown()
    again = Study.open(held.path, facts, against="no_teacher")
    assert again.rows["hinge"]["minus_no_teacher"]["A-V"]["mean"] == pytest.approx(0.2)
    assert again.rows["default"]["minus_no_teacher"]["A-V"]["mean"] == pytest.approx(-0.1)
    assert "minus_no_teacher" not in again.rows["no_teacher"]
    assert "| less no_teacher |" in again.markdown()


def test_figures_of_an_earlier_version_are_kept(tmp_path: Path) -> None:
    """Its recipe lacks the newer settings, which are at their defaults; a variant that sets them is made anew."""
    facts = {"archive": "x", "split": "val", "galleries": 2}
    held = Study(tmp_path / "out.json", facts)
    for name in ("default", "chance", "hinge"):
        made = of_videos(0, 0) | {"generated_share": 0.5, "kept_epoch": 1, "recipe": recipe_of(name)}
        if made["recipe"]:
            for setting in ("pair_loss", "margin", "centre", "adversarial"):
                del made["recipe"]["objective"][setting]
        held.add(name, 0, made)
    held.save()
    opened = Study.open(held.path, facts)
    assert {name: list(made) for name, made in opened.fits.items()} == {"default": ["0"], "chance": ["0"], "hinge": []}


def test_a_query_bank_takes_the_lead_from_an_item_that_is_near_to_all() -> None:
    """Item 0 is near to every query; less its lead, item 1 is found; without a share nothing changes."""
    audio, visual = np.array([[0.0], [4.0]]), np.array([[1.9], [4.2]])
    scorer = EmbeddingScorer(audio, visual, "euclidean")
    pairs: list[tuple[Modality, Modality]] = [("audio", "visual"), ("visual", "audio")]
    lead = dict.fromkeys(pairs, np.array([0.1, 3.0]))
    rows = np.arange(2)
    plain = scorer.score("audio", rows, "visual", rows)
    np.testing.assert_allclose(QueryBankScorer(scorer, lead, 0.0).score("audio", rows, "visual", rows), plain)
    found = QueryBankScorer(scorer, lead, 0.5).score("audio", rows, "visual", rows)
    np.testing.assert_allclose(found, [[1.9 - 0.05, 4.2 - 1.5], [2.1 - 0.05, 0.2 - 1.5]])
    other = QueryBankScorer(scorer, lead, 0.5).score("audio", rows, "visual", rows[1:])
    np.testing.assert_allclose(other, found[:, 1:])


def test_the_lead_is_the_mean_distance_to_the_nearest_training_queries(small: Recipe) -> None:
    """By a slow loop over a bank of one second of each training video."""
    fit = fit_of(small)
    fit = replace(fit, judged=fit.train)  # one scorer knows both, bank and items
    drawn = np.floor(np.random.default_rng(fit.seed).random(20) * SECONDS).astype(np.int64)
    scorer, items = as_trained(fit)[0], np.array([0, 17, 101])
    assert scorer is not None
    distances = scorer.score("audio", np.arange(20) * SECONDS + drawn, "visual", items)
    expected = [np.mean(sorted(column)[:10]) for column in distances.T]
    np.testing.assert_allclose(fit.lead["audio", "visual"][items], expected, rtol=1e-5)


def test_a_clips_mean_is_that_of_its_present_seconds() -> None:
    """Two clips; a silent second neither counts nor matters; sigma stays."""
    mu = np.array([[1.0], [3.0], [100.0], [5.0], [9.0]], np.float32)
    present = np.array([True, True, False, True, True])
    found = relative_to_clip(Latents(mu, mu, 2 * mu), np.array([0, 0, 0, 1, 1]), present)
    assert found.mu[present, 0].tolist() == [-1, 1, -2, 2]
    assert found.generated[present, 0].tolist() == [-2, 2, -4, 4]
    assert found.sigma is mu


def test_the_command_goes_on_where_it_was(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes JSON and a table; run again with more to do, what is there is not made again."""
    saved, table = tmp_path / "out.json", tmp_path / "out.md"
    command = ["--archive", str(archive), "--galleries", "2", "--json", str(saved), "--markdown", str(table)]
    main([*command, "--seeds", "1", "--variants", "chance,linear_cca"])
    first = json.loads(saved.read_text())
    assert list(first["variants"]) == ["chance", "linear_cca"]
    assert (first["split"], first["galleries"]) == ("val", 2)
    assert "minus_default" not in first["variants"]["chance"]
    capsys.readouterr()
    main([*command, "--seeds", "1", "--variants", "default,linear_cca,kl_1", "--jobs", "2"])
    said = capsys.readouterr().out
    second = json.loads(saved.read_text())
    assert "2/2 seed 0" in said
    assert second["fits"]["linear_cca"] == first["fits"]["linear_cca"]
    assert list(second["variants"]) == ["chance", "linear_cca", "default", "kl_1"]
    pair = second["variants"]["kl_1"]["minus_default"]["A-V"]
    ours, other = (second["variants"][n]["figures"]["A-V"]["mean"] for n in ("kl_1", "default"))
    assert pair["mean"] == pytest.approx(ours - other)
    assert pair["low"] <= pair["mean"] <= pair["high"]
    assert "| kl_1 |" in table.read_text()
    assert table.read_text().strip() in said


def test_a_control_that_is_neither_there_nor_asked_for_is_refused(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any fit, and named; once the file holds a fit of it, it need not be asked for again."""
    saved = tmp_path / "out.json"
    command = ["--archive", str(archive), "--galleries", "2", "--json", str(saved), "--seeds", "1"]
    against = [*command, "--variants", "chance", "--against", "linear_cca"]
    with pytest.raises(SystemExit):
        main(against)
    assert "add linear_cca to --variants" in capsys.readouterr().err
    assert not saved.exists()
    main([*command, "--variants", "linear_cca"])
    assert "| less " not in capsys.readouterr().out  # no control was named: there is no table without a row
    main(against)
    assert "| less linear_cca |" in capsys.readouterr().out


def test_another_study_is_not_overwritten(archive: Path, tmp_path: Path) -> None:
    """A file with other galleries, or that is no study, is refused by name."""
    saved = tmp_path / "out.json"
    held = Study(saved, {"archive": study.load_archive(archive).sha256, "split": "val", "galleries": 3})
    held.save()
    for content in (saved.read_text(), "[]", "no JSON"):
        saved.write_text(content)
        with pytest.raises(TrainingError, match=r"out\.json"):
            main(["--archive", str(archive), "--galleries", "2", "--json", str(saved), "--variants", "chance"])
        assert saved.read_text() == content


def test_another_recipe_is_made_anew(tmp_path: Path) -> None:
    """Figures of a recipe that the code no longer has are not taken for its own."""
    facts = {"archive": "x", "split": "val", "galleries": 2}
    held = Study(tmp_path / "out.json", facts)
    held.add("default", 0, of_videos(0, 0) | {"recipe": recipe_of("default")})
    held.add("default", 1, of_videos(0, 1) | {"recipe": recipe_of("default") | {"latent": 3}})
    held.add("no_such_variant", 0, {})
    for made in held.fits["default"].values():
        made |= {"generated_share": 0.5, "kept_epoch": 1}
    held.save()
    opened = Study.open(held.path, facts)
    assert list(opened.fits) == ["default"]
    assert list(opened.fits["default"]) == ["0"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--split", "test"), ("--variants", "nothing_such"), ("--jobs", "0"), ("--markdown", "nowhere/out.md")],
)
def test_a_wrong_request_is_refused_before_any_training(archive: Path, tmp_path: Path, option: str, value: str) -> None:
    """The test split among them: no choice is made there."""
    saved = tmp_path / "out.json"
    with pytest.raises(SystemExit):
        main(["--archive", str(archive), "--json", str(saved), option, value])
    assert not saved.exists()
