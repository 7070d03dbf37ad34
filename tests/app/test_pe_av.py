"""A library of `pe-av`, with a tiny random model: searched at once by its common space, then trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from service_samples import Command, Ran

from model.training.recipe import DEFAULT

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'echolens[peav]'")
from pe_av_samples import save_tiny_pe_av, without_timm

from app.library.features import all_features
from app.library.session import Session
from model.data.features import Features
from model.frontends import pe_av
from model.frontends.pe_av import PeAvFrontEnd
from model.modality import Modality

OTHER = 6


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a new library finds a model of its own; training is short."""
    without_timm(monkeypatch)
    monkeypatch.setattr("model.training.recipe.recipe_named", lambda name: replace(DEFAULT, epochs=2))
    save_tiny_pe_av(tmp_path / "mine" / "frontends" / "pe-av")
    return tmp_path / "mine"


def parsed(ran: Ran) -> Any:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_a_library_is_searched_by_the_common_space_and_then_trained(
    library: Path, footage: list[Path], echolens: Command
) -> None:
    """Before training, pictures come in the order of their cosine with the sound, and no match is claimed."""
    clips, of = footage[0].parent, ("--library", library, "--json")
    ingested = parsed(echolens("ingest", clips, "--frontend", "pe-av", *of))
    assert (ingested["added"], ingested["untrained"]) == (6, False)

    by_sound = (clips / "green-1.mp4", "--query-modality", "audio", "--target", "visual", "--at", 2, "--k", 30)
    hits = parsed(echolens("retrieve", *by_sound, *of))["hits"]
    with Session.open(library, torch.device("cpu"), create=False) as session:
        features = features_of(session)
    cosines = by_cosine(features, features["green-1.mp4"].audio[2], "visual")
    np.testing.assert_allclose(
        [cosines[hit["file_name"], hit["start_s"]] for hit in hits], sorted(cosines.values())[::-1], atol=1e-4
    )
    assert {hit["match"] for hit in hits} == {None}

    located = parsed(echolens("localize", clips / "red-0.mp4", "--direction", "a2v", "--start", 1, "--length", 2, *of))
    assert np.isfinite(located["distances"]).all()
    trained = parsed(echolens("train", *of))
    assert trained["videos"] == 6
    assert parsed(echolens("retrieve", *by_sound, *of))["search"]["certified"]
    located = parsed(echolens("localize", clips / "red-0.mp4", "--direction", "v2a", "--start", 1, "--length", 2, *of))
    assert np.isfinite(located["distances"]).all()


@pytest.mark.parametrize("target", ["audio", "visual"])
def test_words_find_the_seconds_that_are_near_in_the_common_space(
    library: Path, footage: list[Path], echolens: Command, target: Modality
) -> None:
    """Before training in the order of the cosine; then by the trained model. It is no match without a calibration."""
    of = ("--library", library, "--json")
    parsed(echolens("ingest", footage[0].parent, "--frontend", "pe-av", *of))
    by_text = ("retrieve", "--text", "a dog barks", "--target", target, "--k", 30, *of)
    answer = parsed(echolens(*by_text))
    with Session.open(library, torch.device("cpu"), create=False) as session:
        asked = session.front_end.text("a dog barks", target)
        cosines = by_cosine(features_of(session), asked, target)
    np.testing.assert_allclose(
        [cosines[hit["file_name"], hit["start_s"]] for hit in answer["hits"]],
        sorted(cosines.values())[::-1],
        atol=1e-4,
    )
    assert (answer["query"]["modality"], answer["query"]["concepts"], answer["verdict"]) == ("text", [], None)
    assert {hit["match"] for hit in answer["hits"]} == {None}

    parsed(echolens("train", *of))
    first, again = (parsed(echolens(*by_text)) for _ in range(2))
    assert first["hits"] == again["hits"]
    assert np.isfinite([hit["distance"] for hit in first["hits"]]).all()
    assert {hit["match"] for hit in first["hits"]} == {None}
    refused = echolens(*by_text, "--min-match", "0.5")
    assert (refused.code, "no calibration of text that asks for" in refused.err) == (OTHER, True)


@pytest.mark.parametrize("target", ["audio", "visual"])
def test_a_text_that_is_embedded_as_a_second_finds_that_second(
    library: Path, footage: list[Path], echolens: Command, monkeypatch: pytest.MonkeyPatch, target: Modality
) -> None:
    """It goes the way of that second's own sound or picture, before training and after it."""
    of = ("--library", library, "--json")
    parsed(echolens("ingest", footage[0].parent, "--frontend", "pe-av", *of))
    with Session.open(library, torch.device("cpu"), create=False) as session:
        row = getattr(features_of(session)["blue-1.mp4"], target)[3]
    found = PeAvFrontEnd.text
    monkeypatch.setattr(
        PeAvFrontEnd, "text", lambda self, words, of: row if words == "blue" else found(self, words, of)
    )
    for _ in range(2):
        answer = parsed(echolens("retrieve", "--text", "blue", "--target", target, "--k", 1, *of))
        (hit,) = answer["hits"]
        assert hit["file_name"] == "blue-1.mp4"
        assert hit["distance"] == pytest.approx(0, abs=1e-3)
        parsed(echolens("train", *of))


def test_a_network_that_answers_otherwise_than_before_is_refused(
    library: Path, footage: list[Path], echolens: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library keeps what it was answered first: a build that computes otherwise, or the same always, is noticed."""
    of = ("--library", library, "--json")
    parsed(echolens("ingest", footage[0], "--frontend", "pe-av", *of))
    by_text = ("retrieve", "--text", "a dog barks", "--target", "visual", *of)
    parsed(echolens(*by_text))

    def broken(name: str, change: Callable[[torch.nn.Module], None]) -> Ran:
        loaded = pe_av._loaded

        def load(path: Path) -> Any:
            model = loaded(path)
            change(model.get_submodule(name))
            return model

        with monkeypatch.context() as patch:
            patch.setattr(pe_av, "_loaded", load)
            return echolens(*by_text)

    def zeroed(layer: torch.nn.Module) -> None:
        for parameter in layer.parameters():
            parameter.data.zero_()

    def turned(layer: torch.nn.Module) -> None:
        for parameter in layer.parameters():
            parameter.data = parameter.data.flip(0)

    for name, change, message in (
        ("audio_model.audio_encoder.embedder", zeroed, "audio features of a tone and a burst of noise are equal"),
        ("video_model.video_encoder.embedder.proj", zeroed, "visual features of a ramp and coloured squares are equal"),
        ("text_model.layers", zeroed, "features of the text 'a dog barks' for audio and the text 'rain falls"),
        ("audio_model.audio_head.proj", turned, "it answers a tone otherwise than"),
        ("video_model.video_head.proj", turned, "it answers a ramp otherwise than"),
        ("video_model.text_video_head.proj", turned, "it answers the text 'a dog barks' for visual otherwise than"),
    ):
        ran = broken(name, change)
        assert (ran.code, ran.err.startswith("front_end: the front-end pe-av cannot be used")) == (OTHER, True), ran.err
        assert message in ran.err.replace("\n", " "), (name, ran.err)
    parsed(echolens(*by_text))


def features_of(session: Session) -> dict[str, Features]:
    return {video.file_name: of for video, of in all_features(session, session.front_end)}


def by_cosine(features: dict[str, Features], asked: Any, target: Modality) -> dict[tuple[str, int], float]:
    """Return the cosine of an embedding with each second's sound or picture, by file name and second."""
    return {
        (name, int(start_s)): float(asked @ row)
        for name, of in features.items()
        for start_s, row in zip(of.start_s, getattr(of, target), strict=True)
    }
