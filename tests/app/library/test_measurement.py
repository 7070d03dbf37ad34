"""The measurement: the library's own labelled videos, through the latents it serves, beside chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from service_samples import assert_problem, serving
from starlette.testclient import TestClient

import app.library.measurement
from app.library.features import corpus_of
from app.library.measurement import GALLERIES, measure
from app.library.session import Session
from model.errors import LibraryBusy
from model.judging.evaluation import evaluate
from model.judging.scorers import LatentScorer

DIRECTIONS = ("AA", "AV", "VA", "VV")


def test_the_answer_has_every_figure_beside_chance(client: TestClient) -> None:
    """Four directions with MRR and mAP and their intervals, two views of localization, and what was measured."""
    body = client.get("/metrics/mrr").json()
    assert (body["videos"], body["labelled"], body["protocol"]) == (6, 6, "corrected")
    ready = client.get("/health/ready").json()
    assert body["fingerprint"] == ready["fingerprint"]
    assert body["catalogue_version"] == ready["catalogue_version"]
    for report in (body["echolens"], body["chance"]):
        assert tuple(report["retrieval"]) == DIRECTIONS
        for figures in report["retrieval"].values():
            for figure in figures.values():
                assert 0 <= figure["low"] <= figure["mean"] <= figure["high"] <= 1
                assert figure["n"] == 6
        assert set(report["localization"]) == {"plain", "rolled"}
        for view in report["localization"].values():
            assert {c: set(f) for c, f in view.items()} == {"A2V": {"exact", "tiou"}, "V2A": {"exact", "tiou"}}


def test_chance_is_chance(client: TestClient) -> None:
    """Of five others one is of the query's kind: its mean reciprocal rank in a random order is H5 / 5."""
    expected = float(np.mean(1 / np.arange(1, 6)))
    found = client.get("/metrics/mrr").json()["chance"]["retrieval"]["VV"]["mrr"]
    assert found["mean"] == pytest.approx(expected, abs=0.15)


def test_the_latents_that_serve_are_the_model_s_own(library: Path) -> None:
    """Figures from the catalogue's latents equal those from encoding the features anew."""
    with Session.open(library, torch.device("cpu"), create=False) as session:
        corpus = corpus_of(session)
        scorer = LatentScorer.of_checkpoint(session.encoder.checkpoint, corpus, session.device)
        assert measure(session).echolens == evaluate(corpus, scorer, GALLERIES, 0)


def test_the_figures_are_kept_until_the_library_changes(own_library: Path) -> None:
    """Twice the same; a label that changes is measured anew; another seed draws other galleries."""
    with serving(own_library) as client:
        first = client.get("/metrics/mrr").json()
        assert client.get("/metrics/mrr").json() == first
        assert client.get("/metrics/mrr", params={"seed": 1}).json()["seed"] == 1
        video_id = client.get("/videos").json()["videos"][0]["video_id"]
        client.patch(f"/videos/{video_id}", json={})
        after = client.get("/metrics/mrr").json()
        assert (after["videos"], after["labelled"]) == (5, 5)
        assert after["catalogue_version"] > first["catalogue_version"]


@pytest.mark.parametrize(("changes", "held"), [(2, True), (3, False)])
def test_a_library_that_changes_while_it_is_read_is_read_again(
    own_library: Path, monkeypatch: pytest.MonkeyPatch, changes: int, held: bool
) -> None:
    """A video deleted or changed meanwhile costs another try, not a wrong figure; a third change in a row is told."""
    with Session.open(own_library, torch.device("cpu"), create=False) as session:
        catalogue, read, tries = session.library.catalogue, app.library.measurement._read, []

        def disturbed(*asked: Any) -> Any:
            tries.append(0)
            found = read(*asked)
            if len(tries) == 1:
                catalogue.delete_video(next(catalogue.every_video()).video_id)
            elif len(tries) <= changes:
                catalogue.update_labels(next(catalogue.every_video()).video_id, "other", None, None)
            return found

        monkeypatch.setattr(app.library.measurement, "_read", disturbed)
        if held:
            found = measure(session)
            assert (found.labelled, found.catalogue_version) == (5, catalogue.catalogue_version)
        else:
            with pytest.raises(LibraryBusy, match="changed"):
                measure(session)
        assert len(tries) == 3


def test_nothing_labelled_is_told(own_library: Path) -> None:
    """409 with the way to label, with no label and with one alone."""
    with serving(own_library) as client:
        videos = client.get("/videos").json()["videos"]
        for video in videos[1:]:
            client.patch(f"/videos/{video['video_id']}", json={})
        assert_problem(client.get("/metrics/mrr"), 409, "nothing_labelled", "at least two", "PATCH")
        client.patch(f"/videos/{videos[0]['video_id']}", json={})
        assert_problem(client.get("/metrics/mrr"), 409, "nothing_labelled", "--labels CSV", "PATCH")
