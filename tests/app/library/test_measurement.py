"""The measurement: the library's own videos, by themselves and by label, through the latents it serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from service_samples import assert_problem, make_library, serving
from starlette.testclient import TestClient

import app.library.measurement
from app.library.default_model import DEFAULT_MODEL
from app.library.features import corpus_of
from app.library.measurement import GALLERIES, MeasuredModel, measure
from app.library.session import Session
from model.errors import LibraryBusy
from model.judging.evaluation import evaluate
from model.judging.own_video import own_video
from model.judging.scorers import LatentScorer
from model.network.checkpoint import Checkpoint

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


def test_every_library_is_measured_by_own_video(client: TestClient) -> None:
    """Both directions with interval and exact chance, the gallery's size; under nine videos no figure among nine."""
    own = client.get("/metrics/mrr").json()["own_video"]
    assert (own["all"]["gallery"], own["nine"], own["trained_on"]) == (6, None, 0)
    assert own["all"]["chance"] == pytest.approx(sum(1 / k for k in range(1, 7)) / 6)
    assert set(own["all"]["mrr"]) == {"AV", "VA"}
    assert {k: one["chance"] for k, one in own["recall_at"].items()} == {"1": pytest.approx(1 / 6), "5": 5 / 6, "10": 1}
    assert all(set(one["recall"]) == {"AV", "VA"} for one in own["recall_at"].values())
    for figure in [*own["all"]["mrr"].values(), *own["recall_at"]["1"]["recall"].values()]:
        assert 0 <= figure["low"] <= figure["mean"] <= figure["high"] <= 1
        assert figure["n"] == 6


def test_own_video_is_measured_through_the_latents_that_serve(library: Path) -> None:
    """The figures equal those of the features, encoded anew."""
    with Session.open(library, torch.device("cpu"), create=False) as session:
        corpus = corpus_of(session)
        order = np.argsort(np.array(corpus.video_ids))  # the library draws its seconds in order of id
        sorted_corpus = corpus.of_videos(order)
        scorer = LatentScorer.of_checkpoint(session.encoder.checkpoint, sorted_corpus, session.device)
        seconds = np.flatnonzero(sorted_corpus.paired)
        expected = own_video(scorer, seconds, sorted_corpus.video[seconds], GALLERIES, 0)
        assert measure(session).own_video == expected


def test_an_unlabelled_library_answers_by_own_video(own_library: Path) -> None:
    """With no label and with one alone: the figures by label are null, and a note says how to get them."""
    with serving(own_library) as client:
        videos = client.get("/videos").json()["videos"]
        labelled = client.get("/metrics/mrr").json()
        for video in videos[1:]:
            client.patch(f"/videos/{video['video_id']}", json={})
        one = client.get("/metrics/mrr").json()
        client.patch(f"/videos/{videos[0]['video_id']}", json={})
        none = client.get("/metrics/mrr").json()
    assert [body["labelled"] for body in (labelled, one, none)] == [6, 1, 0]
    for body in (one, none):
        assert body["own_video"] == labelled["own_video"]
        assert (body["echolens"], body["chance"], body["videos"], body["trained_on"]) == (None, None, 0, 0)
        assert any("by label" in note and "PATCH" in note for note in body["notes"])
    assert not any("by label" in note for note in labelled["notes"])


def test_the_answer_says_what_the_model_was_trained_on(
    client: TestClient, own_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe, on how many videos, and how many of them are measured: figures on those are not held out."""
    body = client.get("/metrics/mrr").json()
    assert body["model"] == {"recipe": "default", "trained_videos": 1792}
    assert not any("by heart" in note for note in body["notes"])
    assert any("copy" in note and "miss" in note for note in body["notes"])
    monkeypatch.setattr(Checkpoint, "trained_on", lambda _, video_ids: len(list(video_ids)) // 2)
    with serving(own_library) as own_client:
        body = own_client.get("/metrics/mrr").json()
    assert (body["trained_on"], body["own_video"]["trained_on"]) == (3, 3)
    assert any("trained on 3 of these 6 videos" in note and "by heart" in note for note in body["notes"])


def test_a_checkpoint_that_says_nothing_of_its_training_is_measured() -> None:
    """Its recipe is unknown, and no video is known to be trained on."""
    silent = replace(Checkpoint.load(DEFAULT_MODEL), training={})
    assert MeasuredModel.of(silent) == MeasuredModel(None, 0)


def test_one_video_with_sound_and_picture_is_nothing_to_measure(tmp_path: Path, footage: list[Path]) -> None:
    """409 with what there is, what is expected and what to do; a second video with sound and picture is enough."""
    with serving(make_library(tmp_path / "one", footage[:1])) as client:
        assert_problem(client.get("/metrics/mrr"), 409, "nothing_to_measure", "1 videos", "at least 2", "ingest")
    with serving(make_library(tmp_path / "two", footage[:2])) as client:
        assert client.get("/metrics/mrr").json()["own_video"]["all"]["gallery"] == 2


def test_a_large_library_is_measured_in_part(own_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more videos than are measured, some are drawn, for each figure from its own videos; the seed says which."""
    monkeypatch.setattr(app.library.measurement, "MOST_VIDEOS", 4)
    with Session.open(own_library, torch.device("cpu"), create=False) as session:
        found = [measure(session, seed) for seed in (0, 0, 1)]
    assert (found[0].own_video.all.gallery, found[0].videos, found[0].labelled) == (4, 4, 6)
    assert found[0] == found[1]
    assert found[0].own_video != found[2].own_video
