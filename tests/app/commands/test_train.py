"""echolens train, and its device."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus_samples import planted_corpus, write_ave
from named_samples import PRIOR, named_corpus
from service_samples import Command

from model.frontends.prior import Prior
from model.training import enough_footage
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
    assert ran.code == 0
    first, *_ = ran.err.splitlines()
    assert first == "warning: the GPU has too little free memory [2 GiB]: 128 were taken"


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["without a prior", "with a prior"])
@pytest.mark.parametrize(("enough", "warned"), [(7, True), (6, False), (5, False)])
def test_the_command_warns_of_too_few_videos_and_trains(
    echolens: Command,
    library: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prior: Prior | None,
    enough: int,
    warned: bool,
) -> None:
    """Six videos, where seven, six or five are enough for a front-end like this; for others it would be a thousand.

    It says so once, before it trains.
    """
    mine, others = ("ENOUGH_WITH_PRIOR", "ENOUGH_WITHOUT_PRIOR")[:: 1 if prior else -1]
    monkeypatch.setattr(enough_footage, mine, enough)
    monkeypatch.setattr(enough_footage, others, 1000)
    monkeypatch.setattr("model.training.validation.GALLERIES", 2)

    def quick(corpus: Any, recipe: Any, of: Any, seed: int, device: Any, warned: Any, **_: Any) -> Any:
        def tell(_: Any) -> None:
            print("epoch", file=sys.stderr)

        small = replace(DEFAULT, latent=8, hidden=32, epochs=1, footage_shares=(0.0,), widths_s=(0,))
        videos = corpus if prior is None else named_corpus(6)
        return train(videos, small, of, seed, device, prior=prior, progress=tell, warned=warned)

    monkeypatch.setattr("model.training.plan.train", quick)
    ran = echolens("train", "--library", library, "--out", tmp_path / "model")
    assert ran.code == 0, ran.err
    said = f"warning: 6 videos with sound and picture: with fewer than {enough} (measured on "
    before, *_ = ran.err.partition("epoch")
    assert (ran.err.count(said), before.count(said)) == (warned, warned)
    assert (tmp_path / "model.safetensors").is_file()


def test_a_command_warns_of_an_archive_that_was_cut_off(
    echolens: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error, whatever becomes of it; here too few videos are left."""
    path = write_ave(tmp_path / "ave") / "audio_feature.h5"
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # those of pytest
    ran = echolens("train", "--archive", path.parent, "--out", tmp_path / "model")
    assert ran.code != 0
    assert ran.err.startswith(f"warning: {path} was cut off: the videos from row 3 (-x) to 3 are left out; copy it")
