"""A library of `pe-av`, with a tiny random model: searched at once by its common space, then trained."""

from __future__ import annotations

import json
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
    cosines = pictures_by_cosine(library, "green-1.mp4", 2)
    np.testing.assert_allclose(
        [cosines[hit["file_name"], hit["start_s"]] for hit in hits], sorted(cosines.values())[::-1], atol=1e-4
    )
    assert {hit["match"] for hit in hits} == {None}

    located = parsed(echolens("localize", clips / "red-0.mp4", "--direction", "a2v", "--start", 1, "--length", 2, *of))
    assert np.isfinite(located["distances"]).all()
    assert echolens("retrieve", "--text", "a dog", "--target", "visual", *of).code == OTHER
    trained = parsed(echolens("train", *of))
    assert trained["videos"] == 6


def pictures_by_cosine(library: Path, file_name: str, second: int) -> dict[tuple[str, int], float]:
    """Return the cosine of a clip's sound in a second with each picture, by file name and second."""
    with Session.open(library, torch.device("cpu"), create=False) as session:
        features = {video.file_name: of for video, of in all_features(session, session.front_end)}
    sound = features[file_name].audio[second]
    return {
        (name, int(start_s)): float(sound @ picture)
        for name, of in features.items()
        for start_s, picture in zip(of.start_s, of.visual, strict=True)
    }
