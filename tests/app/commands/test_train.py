"""echolens train, and its device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus_samples import planted_corpus
from service_samples import Command

from model.training.plan import train
from model.training.recipe import DEFAULT


def test_the_command_takes_the_device_of_training(
    echolens: Command, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting for training goes before that for serving; a GPU that is not there is named."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("ECHOLENS_DEVICE", "cpu")
    monkeypatch.setenv("ECHOLENS_TRAINING_DEVICE", "cuda")
    ran = echolens("train", "--library", library)
    assert ran.code != 0
    assert "the device cuda was given, but torch finds no CUDA device" in ran.err


def test_the_command_says_that_it_trains_anew(
    echolens: Command, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error, as soon as the GPU's memory is found too short."""

    def short(corpus: Any, recipe: Any, of: Any, seed: int, device: Any, **given: Any) -> Any:
        given["retried"]("the GPU has too little free memory [2 GiB]: 128 were taken")
        small = replace(DEFAULT, latent=8, hidden=32, epochs=1)
        return train(planted_corpus(6), small, of, seed, device)

    monkeypatch.setattr("model.training.plan.train", short)
    ran = echolens("train", "--library", library, "--out", tmp_path / "model")
    assert (ran.code, ran.err) == (0, "warning: the GPU has too little free memory [2 GiB]: 128 were taken\n")
