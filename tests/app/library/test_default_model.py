"""The model that a library begins with, and that training is told what its front-end knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from service_samples import Command

import app.jobs.training_process
from app.jobs.training_process import Order, _learn
from app.library.default_model import begin
from app.library.features import corpus_of
from app.library.ingest import Source, ingest
from app.library.session import Session
from index.library import Library
from model.concepts.concepts import Concepts
from model.errors import TrainingError
from model.frontends.frontend import FrontEnd
from model.frontends.prior import Prior
from model.frontends.raw import RawFrontEnd
from model.media.medium import Limits
from model.network.checkpoint import Checkpoint

CPU = torch.device("cpu")
OTHER = 6


class Knowing(FrontEnd):
    """Hear and see one class in everything: features are the log evidence of the real concepts."""

    name, identity = "knowing", "knowing-1"
    prior: Prior

    def __init__(self) -> None:
        self.prior = Prior.load(Concepts.load())
        self.audio_shape = self.visual_shape = (len(self.prior.concepts.names),)

    def audio(self, sound: np.ndarray) -> np.ndarray:
        return self.prior.log_evidence("audio", np.eye(1, 521, dtype=np.float32)[0])

    def visual(self, frame: np.ndarray) -> np.ndarray:
        return self.prior.log_evidence("visual", np.eye(1, 1000, dtype=np.float32)[0])


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> Knowing:
    """Have a front-end with a prior in place of every one."""
    made = Knowing()
    monkeypatch.setattr("app.library.session.make_front_end", lambda name, place: made)
    return made


def test_a_front_end_with_a_prior_begins_with_its_starting_model(tmp_path: Path, knowing: Knowing) -> None:
    """It is the front-end's, has learnt from no video, and is the same each time; without a prior there is none."""
    with Library.open(tmp_path) as library:
        fingerprint = begin(library, knowing)
        assert fingerprint is not None
        first = Checkpoint.load(library.checkpoints / fingerprint)
        assert (first.fingerprint, first.front_end_identity) == (fingerprint, knowing.identity)
        assert first.training["videos"] == 0
        assert first.match is None, "probabilities were measured with `pretrained` alone"
        assert begin(library, knowing) == fingerprint
        nameless = RawFrontEnd(tmp_path)
        nameless.name = "nameless"
        assert begin(library, nameless) is None


def test_a_new_library_of_it_is_encoded_as_footage_comes_in(
    tmp_path: Path, knowing: Knowing, footage: list[Path]
) -> None:
    """No training: both galleries are there, made by the starting model."""
    with Session.open(tmp_path, CPU, "knowing") as session:
        ingest(session, [Source(path, path.name) for path in footage[:2]], Limits())
        for gallery in (session.gallery("audio"), session.gallery("visual")):
            assert (len(gallery.table.ids), gallery.encoder.checkpoint.training["videos"]) == (10, 0)


def test_training_is_told_the_prior(
    tmp_path: Path, knowing: Knowing, footage: list[Path], echolens: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command and by the job."""
    told: list[Prior | None] = []

    def train(*given: Any, prior: Prior | None = None, **_: Any) -> None:
        told.append(prior)
        raise TrainingError("enough")

    library = tmp_path / "library"
    with Session.open(library, CPU, "knowing") as session:
        ingest(session, [Source(path, path.name) for path in footage[:2]], Limits())
        monkeypatch.setattr(app.jobs.training_process, "train", train)
        order = Order(library, "cpu", tmp_path / "job", 0, "default", 1, 1)
        with pytest.raises(TrainingError):
            _learn(session, knowing, corpus_of(session), order, lambda _: None)
    monkeypatch.setattr("model.training.plan.train", train)
    assert echolens("train", "--library", library).code == OTHER
    assert told == [knowing.prior, knowing.prior]
