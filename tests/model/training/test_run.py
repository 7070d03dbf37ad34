"""A run on a device: what the host waits for, and which numbers come out. The device is emulated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus
from emulated_device import CPU, CUDA, emulated_device

from model.data.corpus import Corpus
from model.errors import TrainingError
from model.training.objective import Objective, PairLoss
from model.training.recipe import DEFAULT, PUBLISHED, Recipe
from model.training.run import Run
from model.training.state import TrainingState

SMALL = replace(DEFAULT, latent=8, hidden=32, epochs=2, taught_epochs=2, held_epochs=1, batch=30)
EVERY_TERM = Objective(
    correlation=0.1, in_video=0.1, free_bits=0.1, negatives="other_groups", centre=0.1, adversarial=0.1
)
PAIR_LOSSES = [name for name in get_args(PairLoss) if name != "info_nce"]
TAUGHT = replace(SMALL, groups=(1,), regroup_epochs=(0,), objective=EVERY_TERM)
PICTURES = replace(SMALL, warm_start=False)
ROOM, NO_ROOM = 2**33, 0  # bytes that are free for features on the device
CASES = {
    "default": (SMALL, ROOM),
    "taught by a teacher": (TAUGHT, ROOM),
    "whole videos": (replace(SMALL, whole_videos=True), ROOM),
    "pictures": (PICTURES, ROOM),
    "pictures on the host": (PICTURES, NO_ROOM),
} | {name: (replace(SMALL, objective=Objective(pair_loss=name), held_epochs=0), ROOM) for name in PAIR_LOSSES}


def footage(recipe: Recipe, videos: int, seed: int = 0) -> Corpus:
    if recipe is PICTURES:
        return planted_corpus(videos, audio_shape=(16, 32), visual_shape=(3, 16, 16), seed=seed)
    return planted_corpus(videos, seed=seed)


@pytest.fixture(autouse=True)
def few_galleries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.validation.GALLERIES", 2)


def run_of(recipe: Recipe, device: torch.device) -> Run:
    """Return a run on 60 seconds."""
    return Run(footage(recipe, 10), footage(recipe, 3, seed=1), recipe, ("raw", "raw-1"), 0, device)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.cpu().clone() for name, value in run.model.state_dict().items()}


def assert_close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=1e-5, err_msg=name)


def test_the_emulated_device_is_as_strict_as_cuda() -> None:
    """Two devices never meet in an operation, and what reads a number, a size or a mask is counted."""
    with emulated_device() as device:
        there, here = torch.ones(3).to(CUDA), torch.ones(3)
        assert (there.device, (there + there).device, here.device) == (CUDA, CUDA, CPU)
        with pytest.raises(RuntimeError, match="two devices, cuda:0 and cpu"):
            _ = there + here
        with pytest.raises(TypeError, match="can't convert cuda:0"):
            there.numpy()
        device.waits.clear()
        assert float(there.sum()) == 3.0
        assert there[there > 0].cpu().tolist() == [1, 1, 1]
        assert here.pin_memory().to(CUDA, non_blocking=True).device == CUDA
        assert device.waits == {"aten._local_scalar_dense.default": 1, "aten.index.Tensor": 1, "copy to the host": 1}
        assert here.copy_(2 * there).device == CPU
        assert here.tolist() == [2, 2, 2]
        assert here.to(CUDA, non_blocking=True).device == CUDA
        assert (device.waits["copy to the host"], device.waits["copy to the device"]) == (2, 1)


@pytest.mark.parametrize(("recipe", "free_bytes"), CASES.values(), ids=CASES)
def test_the_host_waits_for_an_epoch_not_for_a_step(recipe: Recipe, free_bytes: int) -> None:
    """Six steps make it wait as often as two."""
    waits = []
    for batch in (30, 10):
        with emulated_device(free_bytes) as device:
            run = run_of(replace(recipe, batch=batch), CUDA)
            device.waits.clear()
            run.train(1, None)
            waits.append(device.waits)
    assert waits[0] == waits[1]
    assert waits[0].total() < 25


@pytest.mark.parametrize(("recipe", "free_bytes"), CASES.values(), ids=CASES)
def test_a_device_learns_what_the_cpu_learns(recipe: Recipe, free_bytes: int) -> None:
    """From the same batches, the same weights, terms and held-out figures, but for the order of a few sums."""
    here = run_of(recipe, CPU)
    here.train(2, None)
    with emulated_device(free_bytes):
        there = run_of(recipe, CUDA)
        there.train(2, None)
        assert_close(weights(there), weights(here))
    for one, other in zip(there.epochs, here.epochs, strict=True):
        assert one.terms == pytest.approx(other.terms, abs=1e-5)
        assert one.mrr == pytest.approx(other.mrr, abs=0.05)


def test_the_published_recipe_runs_on_a_device() -> None:
    """Its steps of a video each wait no more either."""
    recipe = replace(PUBLISHED, epochs=1)
    with emulated_device() as device:
        run = Run(planted_corpus(16), None, recipe, ("raw", "raw-1"), 0, CUDA)
        device.waits.clear()
        run.train(1, None)
        assert device.waits.total() < 16


@pytest.mark.parametrize(("before", "after"), [(CUDA, CPU), (CPU, CUDA), (CUDA, CUDA)], ids=str)
def test_a_state_is_resumed_on_another_device(tmp_path: Path, before: torch.device, after: torch.device) -> None:
    """Weights, best weights, the teacher and the optimizer's moments go there, and learning goes on."""
    path = tmp_path / "state"
    with emulated_device():
        whole = run_of(TAUGHT, after)
        whole.train(2, None)
        run_of(TAUGHT, before).train(1, None, path)
        resumed = run_of(TAUGHT, after)
        resumed.train(2, None, path)
        assert [epoch.number for epoch in resumed.epochs] == [0, 1]
        assert_close(weights(resumed), weights(whole))
        resumed.take_best()
        assert_close(weights(resumed), weights(whole))


def test_a_discriminator_learns_along_and_is_resumed(tmp_path: Path) -> None:
    """A stopped run gives the weights of one that was not; without its term there is none."""
    whole, first, second = (run_of(TAUGHT, CPU) for _ in range(3))
    assert whole.discriminator is not None
    before = whole.discriminator.judge[0].weight.detach().clone()
    whole.train(2, None)
    first.train(1, None, tmp_path / "state")
    second.train(2, None, tmp_path / "state")
    assert not torch.equal(whole.discriminator.judge[0].weight, before)
    for one, other in ((whole.model, second.model), (whole.beside, second.beside)):
        assert_close(other.state_dict(), one.state_dict())
    assert run_of(SMALL, CPU).discriminator is None


def test_a_state_of_an_earlier_version_is_resumed(tmp_path: Path) -> None:
    """It knows none of the newer settings, which are at their defaults; what it does know must be the same."""
    path, newer = tmp_path / "state", ("pair_loss", "margin", "centre", "adversarial")
    run_of(SMALL, CPU).train(1, None, path)
    state = TrainingState.load(path)
    recipe: dict[str, Any] = state.facts["run"]["recipe"]
    recipe["objective"] = {k: v for k, v in recipe["objective"].items() if k not in newer}
    state.save(path)
    resumed, whole = run_of(SMALL, CPU), run_of(SMALL, CPU)
    resumed.train(2, None, path)
    whole.train(2, None)
    assert_close(weights(resumed), weights(whole))
    with pytest.raises(TrainingError, match="other footage, recipe or seed"):
        run_of(replace(SMALL, objective=Objective(margin=0.3)), CPU).train(2, None, path)
