"""The command line: every command's answer as JSON, its exit code, and what goes to which stream."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from catalogue_samples import ingest
from media_samples import tone, write_sound, write_video
from rights_samples import as_nobody
from service_samples import Command, Ran, film

from app.schemas.measurement import MeasurementAnswer
from index.library import Library
from model.frontends import weights
from model.frontends.names import NAMES
from model.network.checkpoint import Checkpoint
from model.training.recipe import DEFAULT

ROOT = Path(__file__).parents[2]
MEDIUM, LIBRARY, PARTLY, OTHER = 3, 4, 5, 6
STATS = {
    "videos",
    "segments",
    "audio_latents",
    "visual_latents",
    "failed",
    "labelled",
    "duration_s",
    "lossy",
    "loss_s",
    "incomplete",
    "missing",
    "outdated",
    "frontend",
    "fingerprint",
    "catalogue_version",
    "size_bytes",
    "failures",
}


def parsed(ran: Ran) -> Any:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


@pytest.fixture
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for two epochs: what is tested is the command, not the model."""
    monkeypatch.setattr("model.training.recipe.recipe_named", lambda name: replace(DEFAULT, epochs=2))


def test_ingest_reports_what_came_in(echolens: Command, footage: list[Path], tmp_path: Path) -> None:
    """The first run adds, the second knows all; counts agree with `library stats`, labels are in."""
    directory = footage[0].parent
    csv = tmp_path / "labels.csv"
    relative = os.path.relpath(directory, tmp_path)
    csv.write_text("file,label\n" + "".join(f"{relative}/{f.name},x\n" for f in footage[:4]))
    arguments = ("ingest", directory, "--frontend", "raw", "--library", tmp_path / "lib", "--labels", csv, "--json")
    first, second = parsed(echolens(*arguments)), parsed(echolens(*arguments))
    assert (first["added"], first["known"], first["failed"], first["untrained"]) == (6, 0, [], False)
    assert (second["added"], second["known"], second["failed"]) == (0, 6, [])
    stats = parsed(echolens("library", "stats", "--library", tmp_path / "lib", "--json"))
    assert set(stats) == STATS
    assert (stats["videos"], stats["segments"], stats["labelled"], stats["failed"]) == (6, 30, 4, 0)
    assert (stats["audio_latents"], stats["visual_latents"], stats["duration_s"]) == (30, 30, pytest.approx(30, abs=1))
    assert (stats["frontend"], stats["failures"]) == ("raw", [])


def test_ingest_s_exit_code_tells_none_some_and_all(echolens: Command, footage: list[Path], tmp_path: Path) -> None:
    """0 all in, 5 some failed, 3 all failed, 6 nothing named; the failed are listed with code and advice."""
    bad = tmp_path / "bad.mp4"
    bad.write_text("no film " * 50)
    library = ("--library", tmp_path / "lib", "--json")
    assert echolens("ingest", footage[0], *library, "--frontend", "raw").code == 0
    part = echolens("ingest", footage[1], bad, *library)
    assert part.code == PARTLY
    (failed,) = json.loads(part.out)["failed"]
    assert (failed["path"], failed["code"]) == (str(bad), "not_a_medium")
    assert "bad.mp4: not_a_medium" in part.err
    assert echolens("ingest", bad, *library).code == MEDIUM
    assert echolens("ingest", tmp_path / "absent.mp4", *library).code == MEDIUM
    (tmp_path / "none").mkdir()
    assert echolens("ingest", tmp_path / "none", *library).code == OTHER
    stats = parsed(echolens("library", "stats", *library))
    assert (stats["videos"], stats["failed"]) == (2, 1)  # a path that does not exist is no failure of the library
    assert {f["code"] for f in stats["failures"]} == {"not_a_medium"}
    plain = echolens("library", "stats", "--library", tmp_path / "lib")
    assert (plain.code, "not_a_medium" in plain.out) == (0, True)


def test_stats_tell_seconds_to_a_tenth(echolens: Command, tmp_path: Path) -> None:
    """That is exact enough for people; with --json they are exact."""
    sound = write_sound(tmp_path / "a.wav", tone(1.2345, 48000))
    library = ("--library", tmp_path / "lib")
    echolens("ingest", sound, *library, "--frontend", "raw")
    (line,) = [line for line in echolens("library", "stats", *library).out.splitlines() if "total length" in line]
    assert line.split()[-1] == "1.2"
    assert parsed(echolens("library", "stats", *library, "--json"))["duration_s"] == pytest.approx(1.2345, abs=1e-4)


def test_a_mistake_in_the_labels_stops_before_anything_is_taken_in(
    echolens: Command, footage: list[Path], tmp_path: Path
) -> None:
    """Exit code 6 with the line, and no library was made."""
    csv = tmp_path / "labels.csv"
    csv.write_text("file,label,event_start_s,event_end_s\na.mp4,dog,3,1\n")
    ran = echolens("ingest", footage[0], "--library", tmp_path / "lib", "--labels", csv)
    assert ran.code == OTHER
    assert "labels.csv, line 2" in ran.err
    assert not (tmp_path / "lib").exists()


def test_retrieve_answers_as_the_service_does(echolens: Command, library: Path, footage: list[Path]) -> None:
    """The clip's own second is first; filters and grouping work; a table without --json."""
    arguments = ("retrieve", footage[2], "--query-modality", "visual", "--at", 3, "--library", library)
    body = parsed(echolens(*arguments, "--target", "visual", "--k", 4, "--json"))
    assert set(body) == {"hits", "verdict", "search", "query", "device", "warnings", "notes", "timings_ms"}
    assert len(body["hits"]) == 4
    assert (body["hits"][0]["file_name"], body["hits"][0]["start_s"]) == (footage[2].name, 3)
    grouped = parsed(echolens(*arguments, "--target", "audio", "--group-by", "video", "--json"))["hits"]
    assert len({h["video_id"] for h in grouped}) == len(grouped) == 6
    labelled = parsed(echolens(*arguments, "--target", "audio", "--label", "blue", "--json"))["hits"]
    assert {h["label"] for h in labelled} == {"blue"}
    late = parsed(echolens(*arguments, "--target", "audio", "--after", 2, "--before", 4, "--k", 100, "--json"))["hits"]
    assert {h["start_s"] for h in late} == {2, 3}
    own = body["hits"][0]
    alone = parsed(echolens(*arguments, "--target", "audio", "--video-id", own["video_id"], "--json"))["hits"]
    assert {h["file_path"] for h in alone} == {own["file_path"]} == {str(footage[2])}
    second = ("--segment-id", own["segment_id"], "--query-modality", "visual", "--library", library)
    again = parsed(echolens("retrieve", *second, "--target", "visual", "--k", 4, "--json"))["hits"]
    assert [h["segment_id"] for h in again] == [h["segment_id"] for h in body["hits"]]
    table = echolens(*arguments, "--target", "visual")
    assert (table.code, footage[2].name in table.out, "exact" in table.out) == (0, True, True)


def test_localize_answers_as_the_service_does(echolens: Command, library: Path, footage: list[Path]) -> None:
    """Windows and matrix as JSON, bars without; a second file may ask."""
    arguments = ("localize", footage[0], "--direction", "a2v", "--library", library)
    body = parsed(echolens(*arguments, "--start", 1, "--length", 2, "--json"))
    assert len(body["windows"]) == 4
    assert np.array(body["distances"]).shape == (2, 5)
    assert len(parsed(echolens(*arguments, "--query", footage[0], "--json"))["windows"]) == 1
    bars = echolens(*arguments, "--start", 1, "--length", 2)
    assert (bars.code, "%" in bars.out) == (0, True)


def test_a_video_of_the_library_is_localized_by_its_id(echolens: Command, library: Path, footage: list[Path]) -> None:
    """Its stored seconds answer as its file does; a part of it may be searched; one place, and what belongs to it."""
    at = ("--direction", "a2v", "--library", library)
    own = parsed(echolens("videos", "list", "--search", footage[0].name, "--library", library, "--json"))["videos"][0]
    asked = ("localize", "--video-id", own["video_id"], "--start", 1, "--length", 2, *at, "--json")
    by_id, by_file = parsed(echolens(*asked)), parsed(echolens("localize", footage[0], *asked[3:]))
    assert np.array(by_id["distances"]) == pytest.approx(np.array(by_file["distances"]), rel=1e-3)
    part = parsed(echolens(*asked, "--from", 2, "--for", 3))
    assert (part["from_s"], part["length_s"]) == (2, 3)
    assert part["distances"] == [row[2:] for row in by_id["distances"]]
    for arguments, words in (
        (("localize", "--start", 1, "--length", 2), "--video-id"),
        (("localize", footage[0], "--video-id", own["video_id"], "--start", 1, "--length", 2), "--video-id"),
        (("localize", footage[0], "--from", 1, "--start", 1, "--length", 2), "--from"),
        (("localize", "--video-id", own["video_id"], "--audio-track", 1, "--start", 1, "--length", 2), "--audio-track"),
    ):
        ran = echolens(*arguments, *at)
        assert (ran.code, words in ran.err) == (OTHER, True), ran


@pytest.mark.usefixtures("no_network")
def test_an_error_has_its_exit_code_and_says_its_code(
    echolens: Command, library: Path, footage: list[Path], tmp_path: Path
) -> None:
    """2 wrong usage, 3 the medium, 4 the library, 6 the question; standard output stays empty."""
    empty = tmp_path / "empty.wav"
    empty.touch()
    (tmp_path / "file").write_text("x")
    with Library.open(tmp_path / "untrained") as opened:
        opened.catalogue.set_identity("raw", None)
        ingest(opened.catalogue, 0)
    clip, at = str(footage[0]), ("--library", library)
    ask = ("retrieve", clip, "--target", "visual", "--query-modality", "audio")
    for code, name, arguments in (
        (2, "", ("retrieve", clip, *at)),
        (2, "", ("retrieve", clip, "--target", "smell", *at)),
        (2, "", ("localize", clip, "--direction", "x", *at)),
        (2, "", ("nonsense",)),
        (2, "", ("train", "--seed", "-1", *at)),
        (MEDIUM, "empty_file", ("retrieve", empty, "--target", "visual", *at)),
        (MEDIUM, "not_a_medium", ("retrieve", tmp_path / "absent", "--target", "visual", *at)),
        (LIBRARY, "library", (*ask, "--library", tmp_path / "absent")),
        (LIBRARY, "library", (*ask, "--library", tmp_path / "file")),
        (LIBRARY, "library", ("library", "stats", "--library", tmp_path / "absent")),
        (LIBRARY, "untrained_library", (*ask, "--library", tmp_path / "untrained")),
        (OTHER, "query", ("retrieve", clip, "--target", "visual", *at)),
        (OTHER, "query", (*ask, "--k", 0, *at)),
        (OTHER, "query", (*ask, "--at", "inf", *at)),
        (OTHER, "query", (*ask, "--at", "nan", *at)),
        (OTHER, "query", (*ask, "--max-distance", "nan", *at)),
        (OTHER, "query", ("localize", clip, "--direction", "a2v", *at)),
        (OTHER, "training", ("train", "--recipe", "secret", *at)),
        (OTHER, "archive", ("evaluate", "--archive", clip)),
        (OTHER, "archive", ("train", "--archive", clip)),
        (OTHER, "front_end", ("frontends", "pull", "--from", tmp_path, "--library", tmp_path / "new")),
        (OTHER, "front_end", ("ingest", clip, "--frontend", "pretrained", "--library", tmp_path / "new2")),
    ):
        ran = echolens(*arguments)
        assert ran.code == code, (arguments, ran)
        assert ran.out == "" or code == 2
        assert f"{name}: " in ran.err or not name, ran.err
        assert "Traceback" not in ran.err
    assert not (tmp_path / "absent").exists()


def test_a_library_is_not_ingested_with_another_front_end(
    echolens: Command, own_library: Path, shared_weights: Path, footage: list[Path]
) -> None:
    """4: only `library reencode` changes a library's front-end."""
    shutil.copytree(shared_weights, own_library / "frontends", dirs_exist_ok=True)
    ran = echolens("ingest", footage[0], "--frontend", "pretrained", "--library", own_library)
    assert ran.code == LIBRARY
    assert "checkpoint_mismatch: " in ran.err


@pytest.fixture
def shared_weights(shared: Path) -> Path:
    if not (shared / "frontends").is_dir():
        pytest.skip("the shared media are not beside this checkout")
    return shared / "frontends"


def test_frontends_are_listed_with_what_they_lack(echolens: Command, tmp_path: Path) -> None:
    """`raw` needs nothing; no other one is ready without weights."""
    listed = parsed(echolens("frontends", "list", "--library", tmp_path, "--json"))
    assert listed == [{"name": name, "ready": name == "raw"} for name in NAMES]
    assert "pull" in echolens("frontends", "list", "--library", tmp_path).out


def test_pulled_weights_make_a_front_end_ready(echolens: Command, shared_weights: Path, tmp_path: Path) -> None:
    """`pull --from` copies the pinned files; a changed byte is refused and leaves nothing."""
    files = parsed(echolens("frontends", "pull", "--from", shared_weights, "--library", tmp_path / "lib", "--json"))
    assert [Path(f["file"]).name for f in files] == ["yamnet.tflite"]
    assert all(Path(f["file"]).stat().st_size == f["bytes"] for f in files)
    listed = parsed(echolens("frontends", "list", "--library", tmp_path / "lib", "--json"))
    assert [f["name"] for f in listed if f["ready"]] == ["raw", "pretrained"]
    broken = tmp_path / "broken"
    shutil.copytree(shared_weights, broken)
    (broken / "yamnet.tflite").chmod(0o644)
    (broken / "yamnet.tflite").write_bytes(b"x" + (broken / "yamnet.tflite").read_bytes()[1:])
    ran = echolens("frontends", "pull", "--from", broken, "--library", tmp_path / "other")
    assert ran.code == OTHER
    assert list((tmp_path / "other" / "frontends").iterdir()) == []


def test_the_starting_model_is_written_without_footage(echolens: Command, shared_weights: Path, tmp_path: Path) -> None:
    """The weights of the networks are enough."""
    library = tmp_path / "library"
    echolens("frontends", "pull", "--library", library, "--from", shared_weights)
    told = parsed(echolens("frontends", "start", "--library", library, "--out", tmp_path / "start", "--json"))
    found = Checkpoint.load(tmp_path / "start")
    assert found.fingerprint == told["fingerprint"]
    assert (found.training["videos"], found.match is not None) == (0, True)


def test_ingest_fetches_the_weights_that_a_library_lacks(
    echolens: Command, shared_weights: Path, footage: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so first, on standard error; once they are there it says and fetches nothing."""
    url = (shared_weights / "yamnet.tflite").as_uri()
    monkeypatch.setattr(weights, "PULLED", (replace(weights.YAMNET, url=url),))
    arguments = ("ingest", footage[0], "--frontend", "pretrained", "--library", tmp_path / "lib", "--json")
    first, second = echolens(*arguments), echolens(*arguments)
    assert (parsed(first)["added"], first.err) == (1, f"Fetching yamnet.tflite (4.1 MB) from {url}\n")
    assert (parsed(second)["known"], second.err) == (1, "")
    assert not parsed(first)["untrained"]


def test_a_new_library_answers_without_training(
    echolens: Command, shared_weights: Path, footage: list[Path], tmp_path: Path
) -> None:
    """`ingest` without a flag says so, and that training may help; then a sound and words find pictures."""
    library = ("--library", tmp_path / "lib")
    assert echolens("frontends", "pull", "--from", shared_weights, *library).code == 0
    ran = echolens("ingest", *footage[:2], *library)
    assert (ran.code, "You can search it now" in ran.out, "echolens train" in ran.out) == (0, True, True), ran.out
    for query in ((footage[0], "--query-modality", "audio"), ("--text", "dog")):
        hits = parsed(echolens("retrieve", *query, "--target", "visual", "--k", 3, *library, "--json"))["hits"]
        assert len(hits) == 3


def test_reencode_fetches_the_weights_that_it_needs(
    echolens: Command, shared_weights: Path, own_library: Path, footage: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so first, on standard error, and ends with a library that the starting model has encoded."""
    url = (shared_weights / "yamnet.tflite").as_uri()
    monkeypatch.setattr(weights, "PULLED", (replace(weights.YAMNET, url=url),))
    library = ("--library", own_library)
    ran = echolens("library", "reencode", "--frontend", "pretrained", *library, "--json")
    assert ran.err == f"Fetching yamnet.tflite (4.1 MB) from {url}\n"
    done = parsed(ran)
    stats = parsed(echolens("library", "stats", *library, "--json"))
    assert (stats["frontend"], stats["fingerprint"], stats["visual_latents"]) == ("pretrained", done["after"], 30)
    ask = ("retrieve", footage[2], "--query-modality", "audio", "--target", "visual", *library, "--json")
    assert parsed(echolens(*ask))["query"]["fingerprint"] == done["after"] is not None


@pytest.mark.usefixtures("no_network")
def test_ingest_without_weights_or_network_says_what_to_do(
    echolens: Command, footage: list[Path], tmp_path: Path
) -> None:
    """6: the file, its size, and both ways to get it; nothing is ingested, and the library is still no one's."""
    ran = echolens("ingest", footage[0], "--frontend", "pretrained", "--library", tmp_path / "lib")
    assert (ran.code, ran.out) == (OTHER, "")
    for words in ("yamnet.tflite (4.1 MB) cannot be fetched", "another machine", "frontends pull --from DIR"):
        assert words in ran.err
    with Library.open(tmp_path / "lib", create=False) as library:
        assert (library.catalogue.frontend, list(library.catalogue.every_video())) == (None, [])


@pytest.mark.usefixtures("no_network")
def test_nothing_is_fetched_for_a_library_of_another_front_end(
    echolens: Command, own_library: Path, footage: list[Path]
) -> None:
    """A library that stays `raw` needs no weights: it is told first that its footage is of another front-end."""
    ran = echolens("ingest", footage[0], "--frontend", "pretrained", "--library", own_library)
    assert (ran.code, "checkpoint_mismatch" in ran.err, "Fetching" in ran.err) == (LIBRARY, True, False), ran.err


def test_the_demonstration_is_made_once(echolens: Command, tmp_path: Path) -> None:
    """Clips of generated kinds, labelled, with their event; the second run makes none."""
    arguments = ("demo", "--library", tmp_path / "lib", "--clips", 2, "--json")
    assert parsed(echolens(*arguments)) == {"added": 2, "known": 0, "failed": 0}
    with Library.open(tmp_path / "lib", create=False) as library:
        before = list(library.catalogue.every_video())
        version = library.catalogue.catalogue_version
    assert all(v.label and v.event_start_s is not None and v.event_end_s is not None for v in before)
    assert parsed(echolens(*arguments)) == {"added": 0, "known": 2, "failed": 0}
    with Library.open(tmp_path / "lib", create=False) as library:
        assert (list(library.catalogue.every_video()), library.catalogue.catalogue_version) == (before, version)


@pytest.mark.usefixtures("short_training")
def test_training_ends_with_a_report_and_does_as_it_says(echolens: Command, own_library: Path) -> None:
    """Adopted: the library's fingerprint and all its latents are the new model's. Not adopted: nothing changed."""
    before = parsed(echolens("library", "stats", "--library", own_library, "--json"))
    report = parsed(echolens("train", "--library", own_library, "--json"))
    assert {"fingerprint", "checkpoint", "videos", "pairs", "epochs", "validation", "adopted", "serving"} <= set(report)
    assert report["pairs"] <= 30
    assert report["checkpoint"] is None
    assert 0 < report["validation"]["chance"] < 1
    after = parsed(echolens("library", "stats", "--library", own_library, "--json"))
    if report["adopted"]:
        assert after["fingerprint"] == report["fingerprint"] != before["fingerprint"]
        assert (after["audio_latents"], after["visual_latents"]) == (30, 30)
    else:
        assert after == before


@pytest.mark.usefixtures("short_training")
def test_an_untrained_library_takes_the_first_model(echolens: Command, footage: list[Path], tmp_path: Path) -> None:
    """Footage without a model is features alone; after `train` it can be searched."""
    library = tmp_path / "lib"
    with Library.open(library) as opened:
        opened.catalogue.set_identity("raw", None)
    ran = parsed(echolens("ingest", *footage, "--library", library, "--json"))
    assert (ran["added"], ran["untrained"]) == (6, True)
    report = parsed(echolens("train", "--library", library, "--json"))
    assert (report["adopted"], report["serving"]) == (True, None)
    stats = parsed(echolens("library", "stats", "--library", library, "--json"))
    assert (stats["fingerprint"], stats["audio_latents"]) == (report["fingerprint"], 30)
    ask = ("retrieve", footage[4], "--query-modality", "visual", "--target", "visual", "--at", 2, "--library", library)
    first = parsed(echolens(*ask, "--json"))["hits"][0]
    assert (first["file_name"], first["start_s"]) == (footage[4].name, 2)


@pytest.mark.usefixtures("short_training")
def test_training_with_out_leaves_the_library_as_it_is(echolens: Command, own_library: Path, tmp_path: Path) -> None:
    """--out writes the checkpoint and adopts nothing."""
    before = parsed(echolens("library", "stats", "--library", own_library, "--json"))
    report = parsed(echolens("train", "--library", own_library, "--out", tmp_path / "model", "--json"))
    assert "adopted" not in report
    assert (tmp_path / "model.json").is_file()
    assert (tmp_path / "model.safetensors").is_file()
    assert parsed(echolens("library", "stats", "--library", own_library, "--json")) == before


def test_too_little_footage_cannot_be_learnt_from(echolens: Command, tmp_path: Path) -> None:
    """One video, or none with both modalities: 6 and 4, each with what to add."""
    for number, (path, code, name) in enumerate(
        (
            (film(tmp_path / "one.mp4", 0, 0, 2.0), OTHER, "training"),
            (write_sound(tmp_path / "s.wav", tone(2), 16000), OTHER, "training"),
        )
    ):
        library = tmp_path / f"lib-{number}"
        assert echolens("ingest", path, "--frontend", "raw", "--library", library).code == 0
        ran = echolens("train", "--library", library)
        assert (ran.code, f"{name}: " in ran.err) == (code, True), ran.err
    with Library.open(tmp_path / "empty"):
        pass
    ran = echolens("train", "--library", tmp_path / "empty")
    assert (ran.code, "empty_library" in ran.err) == (LIBRARY, True)


def test_evaluate_prints_chance_beside(echolens: Command, library: Path) -> None:
    """Every system in every direction, random ranking, untrained network and blind rules among them."""
    body = parsed(echolens("evaluate", "--library", library, "--galleries", 5, "--json"))
    assert set(body) == {*MeasurementAnswer.model_fields, "systems", "rules"}  # those of GET /metrics/mrr, and others
    assert set(body["systems"]) == {"random_init"}
    assert {"uniform", "always_first", "always_last"} <= set(body["rules"])
    assert (body["videos"], body["labelled"], body["galleries"], body["seed"]) == (6, 6, 5, 0)
    for report in (body["echolens"], body["chance"], body["systems"]["random_init"]["by_label"]):
        assert set(report["retrieval"]) == {"AA", "AV", "VA", "VV"}
    for own in (body["own_video"], body["systems"]["random_init"]["own_video"]):
        assert set(own["all"]["mrr"]) == {"AV", "VA"}
        assert set(own["recall_at"]) == {"1", "5", "10"}
    MeasurementAnswer.model_validate({name: body[name] for name in MeasurementAnswer.model_fields})
    table = echolens("evaluate", "--library", library, "--galleries", 5)
    assert table.code == 0
    assert all(name in table.out for name in ("own video", "among the first", "random_ranking", "uniform"))


def test_evaluate_says_that_it_measures_training_videos(
    echolens: Command, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence below the tables; not of a model that saw none of the videos."""
    asked = ("evaluate", "--library", library, "--galleries", 1)
    assert "by heart" not in echolens(*asked).out
    monkeypatch.setattr(Checkpoint, "trained_on", lambda _, video_ids: 2)
    assert "trained on 2 of these 6 videos" in " ".join(echolens(*asked).out.split())


def test_evaluate_needs_no_labels(echolens: Command, footage: list[Path], tmp_path: Path) -> None:
    """By own video it answers, and says how to label for the rest; of one video there is nothing to measure: 4."""
    at = ("--library", tmp_path / "lib")
    assert echolens("ingest", footage[0], "--frontend", "raw", *at).code == 0
    ran = echolens("evaluate", *at)
    assert (ran.code, "nothing_to_measure: " in ran.err) == (LIBRARY, True)
    assert echolens("ingest", footage[2], *at).code == 0
    ran = echolens("evaluate", *at)
    assert ran.code == 0
    assert "own video" in ran.out
    assert "--labels CSV" in ran.out
    body = parsed(echolens("evaluate", *at, "--json"))
    assert (body["own_video"]["all"]["gallery"], body["echolens"], body["videos"]) == (2, None, 0)


def test_serve_refuses_to_be_open_to_others_without_a_key(echolens: Command, tmp_path: Path) -> None:
    """2 with the name of the variable; a port that is none likewise."""
    ran = echolens("serve", "--library", tmp_path, "--host", "0.0.0.0")
    assert (ran.code, "ECHOLENS_API_KEY" in ran.err) == (2, True)
    assert echolens("serve", "--library", tmp_path, "--port", 0).code == 2


def test_serve_names_the_setting_that_it_refuses(
    echolens: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what was given and what is expected."""
    monkeypatch.setenv("ECHOLENS_INDEX", "magic")
    ran = echolens("serve", "--library", tmp_path)
    assert ran.code == 2
    assert "ECHOLENS_INDEX=magic" in ran.err
    assert "hnsw" in ran.err


def test_serve_of_a_directory_that_cannot_be_written_ends_with_one_line(echolens: Command, open_path: Path) -> None:
    """4 with the command that mends it: no traceback, nothing loaded."""
    with as_nobody():
        ran = echolens("serve", "--library", open_path)
    assert ran.code == LIBRARY
    (line,) = ran.err.strip().splitlines()
    assert "chown -R 65534:" in line


def environments_of_children(pid: int) -> list[dict[str, str]]:
    """Return the environments that a process has started its children with."""
    started = [child for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]
    read = [Path(f"/proc/{child}/environ").read_text().rstrip("\0").split("\0") for child in started]
    return [dict(variable.split("=", 1) for variable in variables) for variables in read]


def test_serve_answers_on_its_port_and_ends_when_told(own_library: Path) -> None:
    """Ready, one search, a clean end on SIGTERM; its processes are to keep CUDA's kernels in the library's cache."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "app.cli", "serve", "--library", str(own_library), "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_CACHE_PATH"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as service:
        base, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        try:
            with httpx2.Client(trust_env=False) as client:
                while True:
                    try:
                        assert client.get(f"{base}/health/ready").json()["status"] == "ready"
                        break
                    except httpx2.TransportError:
                        assert time.monotonic() < deadline, "the service does not come up"
                        assert service.poll() is None
                        time.sleep(0.1)
                data = {"segment_id": "1", "target": "visual", "k": "2"}
                assert len(client.post(f"{base}/retrieve", data=data).json()["hits"]) == 2
            assert {e["CUDA_CACHE_PATH"] for e in environments_of_children(service.pid)} == {
                str(own_library / "cache" / "cuda")
            }
        finally:
            service.terminate()
        _, err = service.communicate(timeout=30)
    assert "Traceback" not in err
    assert "Application shutdown complete" in err


def test_a_mute_video_is_ingested_by_its_look(echolens: Command, tmp_path: Path) -> None:
    """No sound track is no failure."""
    clip = write_video(tmp_path / "mute.mp4", 2.0, sound=False)
    ran = parsed(echolens("ingest", clip, "--frontend", "raw", "--library", tmp_path / "lib", "--json"))
    assert (ran["added"], ran["failed"]) == (1, [])
    stats = parsed(echolens("library", "stats", "--library", tmp_path / "lib", "--json"))
    assert (stats["audio_latents"], stats["visual_latents"]) == (0, 2)


def test_ingest_of_a_directory_tells_in_one_line_what_it_passed_over(
    echolens: Command, footage: list[Path], tmp_path: Path
) -> None:
    """Side files and texts are no failures; later, what went missing is told, and what takes its place."""
    root, library = tmp_path / "films", ("--frontend", "raw", "--library", tmp_path / "lib")
    (root / "@eaDir").mkdir(parents=True)
    for name, clip in (("a.mp4", 0), ("b.mp4", 1), ("@eaDir/a.mp4", 2)):
        shutil.copy(footage[clip], root / name)
    (root / "a.nfo").write_text("about it")
    (root / ".DS_Store").touch()
    ran = echolens("ingest", root, *library)
    assert ran.code == 0
    assert "Files added: 2, already in the library: 0, failed: 0." in ran.out
    assert (
        "Passed over: 1 hidden (such as .DS_Store), 1 system folders (such as @eaDir), 1 no media (such as a.nfo)."
        in (ran.out)
    )
    (root / "b.mp4").unlink()
    shutil.copy(footage[3], root / "a.mp4")
    ran = parsed(echolens("ingest", root, *library, "--json"))
    assert (ran["added"], ran["known"], len(ran["missing"])) == (1, 0, 1)
    assert ran["passed_over"] == {"hidden": 1, "system folders": 1, "no media": 1}
    assert ran["notes"]["a.mp4"].startswith("it takes the place of what its path held before")
    assert [video["file_name"] for video in parsed(echolens("videos", "list", *library[2:], "--json"))["videos"]] == [
        "b.mp4",
        "a.mp4",
    ]


@pytest.mark.parametrize("mode", [0o744, 0o700])
def test_ingest_names_a_directory_of_another_user_and_takes_the_rest(
    echolens: Command, footage: list[Path], open_path: Path, mode: int
) -> None:
    """5, with what to do, and no traceback; alone it is an error of the command."""
    closed = open_path / "films" / "closed"
    closed.mkdir(parents=True)
    for file in (closed / "a.mp4", open_path / "films" / "b.mp4"):
        shutil.copy(footage[0], file)
    closed.chmod(mode)
    library = ("--frontend", "raw", "--library", open_path / "lib")
    for clip in footage[1:3]:  # twice as root: nobody may not load what Python imports late, where that lies in /root
        echolens("ingest", clip, *library)
    for path in (open_path / "lib", *(open_path / "lib").rglob("*")):
        path.chmod(0o777)
    with as_nobody():
        ran = echolens("ingest", open_path / "films", *library)
        alone = echolens("ingest", closed, *library)
        inside = echolens("ingest", closed / "a.mp4", *library)
    assert ran.code == PARTLY
    assert "Files added: 1, already in the library: 0, failed: 1." in ran.out
    assert f"not_readable: the directory {closed} cannot be read (Permission denied)" in ran.err.replace("\n", " ")
    for refused in (alone, inside):
        assert refused.code == MEDIUM
        assert "right to read" in refused.err.replace("\n", " ")
