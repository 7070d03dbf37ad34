"""The teacher: groups of videos, found without labels, and what it asks of a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus

from model.data.corpus import Corpus
from model.training.plan import train
from model.training.recipe import DEFAULT
from model.training.run import Run
from model.training.teacher import TEMPERATURE, VIDEOS_PER_GROUP, Teacher

CPU = torch.device("cpu")
RECIPE = replace(DEFAULT, latent=8, hidden=16, groups=(2, 4), regroup_epochs=(0, 2), taught_epochs=4, taught_videos=20)


def planted_means(per_group: int = 12, groups: int = 3) -> np.ndarray:
    """Return means that point into a few directions, with lengths that say nothing."""
    rng = np.random.default_rng(0)
    centres = np.linalg.qr(rng.standard_normal((6, 6)))[0][:groups]
    means = np.repeat(centres, per_group, axis=0) + 0.05 * rng.standard_normal((groups * per_group, 6))
    return means * rng.uniform(0.5, 5, (len(means), 1))


def test_planted_groups_are_found_whatever_the_lengths() -> None:
    """Videos of one direction share a group, videos of two do not."""
    teacher = Teacher(6, (3,), 36)
    teacher.regroup(planted_means(), seed=0)
    group = teacher.get_buffer("group")[0].numpy().reshape(3, 12)
    assert (group == group[:, :1]).all()
    assert len(set(group[:, 0])) == 3


def test_the_loss_is_the_cross_entropy_of_cosines_to_the_centres() -> None:
    """Rebuilt in numpy: right after grouping, logits are cosines with the groups' directions."""
    means = planted_means()
    teacher = Teacher(6, (3,), 36)
    teacher.regroup(means, seed=0)
    group = teacher.get_buffer("group")[0].numpy()
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    centres = np.stack([unit[group == g].mean(0) for g in range(3)])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    video = np.array([0, 13, 30])
    logits = unit[video] @ centres.T / TEMPERATURE
    expected = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(3), group[video]])
    found = teacher(torch.from_numpy(means[video]).float(), torch.from_numpy(video))
    assert float(found.detach()) == pytest.approx(expected, rel=1e-4)


def test_groups_need_videos() -> None:
    """A granularity with fewer than eight videos a group is left out."""
    assert [h.out_features for h in Teacher(4, (2, 4, 8), 4 * VIDEOS_PER_GROUP).prototypes] == [2, 4]
    assert len(Teacher(4, (16,), 100)) == 0


def test_equal_videos_can_be_grouped() -> None:
    """Fewer distinct videos than groups give a finite loss, and no warning."""
    teacher = Teacher(4, (3,), 24)
    teacher.regroup(np.zeros((24, 4)), seed=0)
    assert torch.isfinite(teacher(torch.zeros(2, 4), torch.tensor([0, 1])))


def run_on(corpus: Corpus, seed: int = 0) -> Run:
    return Run(corpus, planted_corpus(videos=8, seed=1), RECIPE, ("archive", "x"), seed, CPU)


def test_a_taught_run_ends_after_its_epochs_and_keeps_the_last() -> None:
    """With videos enough a teacher is there, and the last epoch counts; with few there is none."""
    run = run_on(planted_corpus(videos=40))
    run.train(30, 8)
    assert run.teacher is not None
    assert len(run.epochs) == RECIPE.taught_epochs == run.best_epoch + 1
    assert run_on(planted_corpus(videos=10)).teacher is None


def test_teaching_looks_at_no_label() -> None:
    """The same features with other labels and events give the same network."""
    plain = planted_corpus(videos=40)
    random = np.random.default_rng(5)
    marked = replace(
        plain, label=random.integers(0, 3, 40), classes=("a", "b", "c"), event=random.random(len(plain.event)) < 0.5
    )
    states = []
    for corpus in (plain, marked):
        run = run_on(corpus)
        run.train(3, None)
        states.append(run.model.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True))


def test_a_stopped_taught_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    """The teacher's groups and prototypes are part of the saved state."""
    whole, first, second = (run_on(planted_corpus(videos=40)) for _ in range(3))
    whole.train(4, None)
    first.train(2, None, tmp_path / "state")
    second.train(4, None, tmp_path / "state")
    pairs = zip(whole.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_report_says_which_epoch_was_kept() -> None:
    """With a teacher the last; without, as below the number of videos that teaches, the best by the held-out figure."""
    for videos, teaches in ((20, True), (19, False)):
        trained = train(
            planted_corpus(videos=videos), RECIPE, ("archive", "x"), 0, CPU, planted_corpus(videos=8, seed=1)
        )
        figures = [epoch["mrr"] for epoch in trained.checkpoint.training["history"]]
        best = len(figures) - 1 if teaches else int(np.argmax(figures))
        assert trained.checkpoint.training["kept_epoch"] == best
