"""A GPU that fails while it trains: one that is short of memory is asked for less, any other failure has a name."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from corpus_samples import planted_corpus
from emulated_device import CPU, CUDA, emulated_device

from model.errors import DeviceError, DeviceMemoryShort, TrainingError
from model.network.encoder import Encoder
from model.training.objective import Objective
from model.training.plan import Trained, train
from model.training.recipe import DEFAULT, Recipe
from model.training.run import Epoch

STICKY = "CUDA error: an illegal memory access was encountered"


@dataclass(frozen=True)
class Short(Objective):
    """An objective for which the memory of a GPU never suffices, or only for small batches."""

    suffices: ClassVar[int] = 0
    batches: ClassVar[list[tuple[int, str]]] = []
    held: ClassVar[list[Any]] = []  # what was on the device in failed attempts

    def __call__(self, model: Any, audio: Any, visual: Any, video: Any, *beside: Any) -> Any:
        Short.batches.append((len(audio), audio.device.type))
        assert not any(tensor() is not None for tensor in Short.held), "a failed attempt still holds memory"
        if audio.device.type == "cuda" and len(audio) > Short.suffices:
            Short.held.append(weakref.ref(audio))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().__call__(model, audio, visual, video, *beside)


RECIPE = replace(DEFAULT, latent=8, hidden=32, epochs=1, held_epochs=1, batch=128, objective=Short())
CORPUS, HELD_OUT = planted_corpus(videos=16, seconds=8), planted_corpus(videos=3, seed=1)  # a batch of 128 seconds


@pytest.fixture(autouse=True)
def few_galleries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.validation.GALLERIES", 4)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("suffices", 0), ("batches", []), ("held", [])):
        monkeypatch.setattr(Short, name, value)


def trained(recipe: Recipe = RECIPE, device: torch.device = CUDA, **more: Any) -> Trained:
    with emulated_device():
        return train(CORPUS, recipe, ("raw", "raw-1"), 0, device, HELD_OUT, **more)


def sizes(device: str) -> list[int]:
    """Return the distinct sizes of batches that were tried on a device, in their order."""
    return list(dict.fromkeys(size for size, where in Short.batches if where == device))


def test_where_memory_is_short_half_the_batch_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anew, so that the model is the one of the recipe with that batch; warnings and report say so."""
    monkeypatch.setattr(Short, "suffices", 70)
    told: list[str] = []
    result = trained(retried=told.append)
    assert sizes("cuda") == [128, 64]
    assert sizes("cpu") == []
    note = "the GPU had too little free memory for 128 seconds a step: 64 were taken"
    assert told == [f"the GPU has too little free memory (CUDA out of memory. Tried to allocate 2.00 GiB): {note}"]
    assert note in result.warnings
    report = result.checkpoint.training
    assert (report["notes"], report["recipe"]["batch"], report["device"]) == ([note], 64, "cuda (emulated)")
    asked = trained(replace(RECIPE, batch=64))
    assert asked.epochs == result.epochs
    assert "notes" not in asked.checkpoint.training


def test_where_no_batch_fits_the_cpu_trains() -> None:
    """With the whole batch: the weights are those of a training that never saw the GPU, and it is said."""
    result = trained()
    assert (sizes("cuda"), sizes("cpu")) == ([128, 64, 32], [128])
    assert "the CPU trained" in result.warnings[-1]
    assert len(result.checkpoint.training["notes"]) == 3
    assert "device" not in result.checkpoint.training
    alone = trained(device=CPU).checkpoint
    for name, value in alone.model.state_dict().items():
        assert torch.equal(value, result.checkpoint.model.state_dict()[name])


def test_memory_that_is_short_in_validation_is_seen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding on the GPU fails whatever the batch is, so the CPU trains."""
    monkeypatch.setattr(Short, "suffices", 1000)
    encoded = Encoder.of_corpus

    def fail(self: Encoder, *given: Any) -> Any:
        if self.device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encoded(self, *given)

    monkeypatch.setattr(Encoder, "of_corpus", fail)
    assert "the CPU trained" in trained().warnings[-1]


def test_steps_of_one_video_have_no_smaller_batch() -> None:
    """The CPU is tried at once."""
    trained(replace(RECIPE, one_video_steps=True))
    assert [where for _, where in Short.batches[:2]] == ["cuda", "cpu"]


def test_attempts_keep_their_states_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A training that is stopped in its second attempt ends as the one that nobody stopped."""
    monkeypatch.setattr(Short, "suffices", 70)
    recipe = replace(RECIPE, epochs=2)
    whole = trained(recipe)

    class Stopped(Exception):
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.number == 1:
            raise Stopped

    with pytest.raises(Stopped):
        trained(recipe, state_path=tmp_path / "state", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["state-64.0"]
    told: list[Epoch] = []
    resumed = trained(recipe, state_path=tmp_path / "state", progress=told.append)
    assert [epoch.number for epoch in told] == [1]
    assert resumed.checkpoint.fingerprint == whole.checkpoint.fingerprint


def test_another_failure_of_the_gpu_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process can do nothing more with the GPU: a DeviceError, at the first step."""

    def fail(*_: Any) -> Any:
        Short.batches.append((0, "cuda"))
        raise torch.AcceleratorError(STICKY)

    monkeypatch.setattr(Short, "__call__", fail)
    with pytest.raises(DeviceError, match="illegal memory access"):
        trained()
    assert len(Short.batches) == 1


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A diverging run is no failure of the GPU."""
    monkeypatch.setattr(Short, "suffices", 1000)
    with pytest.raises(TrainingError, match="diverged"):
        trained(replace(RECIPE, learning_rate=1e9, epochs=30, warm_start=False, held_epochs=0))


def test_the_cpu_has_no_second_attempt() -> None:
    """What would be short there is not the GPU's memory."""

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceMemoryShort):
        trained(device=CPU, progress=fail)
