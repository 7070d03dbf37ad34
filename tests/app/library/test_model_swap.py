"""`library reencode`: another checkpoint serves a library, all at once or not at all."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from library_samples import other_checkpoint, state
from service_samples import Command, Ran, until

from app.library.default_model import DEFAULT_MODEL
from app.library.features import features_of
from app.library.model_swap import reencode
from app.library.session import Session
from index.library import Library
from model.errors import LibraryBusy
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

CPU = torch.device("cpu")
LIBRARY, PARTLY, OTHER = 4, 5, 6


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a checkpoint of the same front-end whose weights differ from the shipped one's."""
    return other_checkpoint(tmp_path_factory.mktemp("checkpoint"))


def parsed(ran: Ran) -> Any:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_another_checkpoint_takes_over(echolens: Command, own_library: Path, other: Path, footage: list[Path]) -> None:
    """Both fingerprints are said, every latent is the new model's of the same features, and search goes on."""
    before, new = state(own_library), Checkpoint.load(other)
    ran = parsed(echolens("library", "reencode", "--checkpoint", other, "--library", own_library, "--json"))
    (warning,) = ran.pop("warnings")
    assert "6 of 6 videos" in warning
    assert ran == {"before": before[0], "after": new.fingerprint, "frontend": "raw", "videos": 6, "left_out": []}
    encoder = Encoder(new, CPU)
    with Session.open(own_library, CPU, create=False) as session:
        for video in session.library.catalogue.every_video():
            expected = encoder.latents("visual", features_of(session, video).visual)
            kept = session.library.catalogue.latents_of(video.video_id, "visual").latents
            np.testing.assert_array_equal(kept.mu, expected.mu)
            np.testing.assert_array_equal(kept.generated, expected.generated)
    for suffix in (".json", ".safetensors"):
        kept_file = own_library / "checkpoints" / f"{new.fingerprint}{suffix}"
        assert kept_file.read_bytes() == other.with_name(other.name + suffix).read_bytes()
    ask = ("retrieve", footage[4], "--query-modality", "visual", "--target", "visual", "--at", 2)
    body = parsed(echolens(*ask, "--library", own_library, "--json"))
    assert (body["hits"][0]["file_name"], body["query"]["fingerprint"]) == (footage[4].name, new.fingerprint)
    assert echolens("library", "check", "--library", own_library).code == 0


def test_readers_have_the_old_or_the_new(own_library: Path, other: Path) -> None:
    """After every video that was encoded another session still searches the old latents; then the new ones."""
    old, seen = state(own_library), []
    with Session.open(own_library, CPU, create=False) as reader, Session.open(own_library, CPU, create=False) as writer:

        def step() -> None:
            served = reader.gallery("visual")
            seen.append((served.encoder.fingerprint, served.table.fingerprint, len(served.table.ids)))

        done = reencode(writer, other, False, step)
        assert seen == [(old[0], old[0], 30)] * 6
        # The old gallery serves until the new one is built.
        until(lambda: reader.gallery("visual").encoder.fingerprint == done.after)
        step()
        assert seen[-1] == (done.after, done.after, 30)


def test_the_checkpoint_that_serves_mends_its_own_latents(echolens: Command, own_library: Path) -> None:
    """Without --checkpoint: lost and spoilt latents are as they were, which `library check` confirms."""
    before = state(own_library)
    c = sqlite3.connect(own_library / "catalogue.sqlite")
    c.execute("DELETE FROM latents WHERE segment_id = 3")
    c.execute("UPDATE latents SET mu = ? WHERE segment_id = 5", (np.full(48, np.nan, np.float32).tobytes(),))
    c.commit()
    c.close()
    assert echolens("library", "check", "--library", own_library).code == 7
    ran = parsed(echolens("library", "reencode", "--library", own_library, "--json"))
    assert ran["before"] == ran["after"] == before[0]
    assert state(own_library)[2] == before[2]
    assert echolens("library", "check", "--library", own_library).code == 0


def test_a_checkpoint_that_does_not_fit_is_refused_by_name(
    echolens: Command, own_library: Path, tmp_path: Path
) -> None:
    """Another front-end's: 4, with both front-ends; an absent or damaged one: 6; nothing has changed."""
    before = state(own_library)
    foreign = replace(Checkpoint.load(DEFAULT_MODEL), stored=None, front_end="paper", front_end_identity="vgg-9")
    foreign.save(tmp_path / "foreign")
    ran = echolens("library", "reencode", "--checkpoint", tmp_path / "foreign", "--library", own_library)
    assert ran.code == LIBRARY
    for word in ("checkpoint_mismatch", "paper", "vgg-9", "raw", foreign.fingerprint):
        assert word in ran.err
    (tmp_path / "foreign.safetensors").write_bytes(b"x")
    for path in (tmp_path / "absent", tmp_path / "foreign"):
        assert echolens("library", "reencode", "--checkpoint", path, "--library", own_library).code == OTHER
    assert state(own_library) == before
    assert len(list((own_library / "checkpoints").iterdir())) == 2


def lose_first_video(library: Path) -> str:
    """Take a video's features away and point to a file that is not there; return its name."""
    with Library.open(library, create=False) as opened:
        video = next(opened.catalogue.every_video())
        opened.catalogue.relocate(video.video_id, "/absent.mp4")
    (features,) = library.glob(f"cache/features/*/{video.sha256}.npz")
    features.unlink()
    return video.file_name


def test_a_video_that_cannot_be_encoded_is_not_lost_unasked(
    echolens: Command, own_library: Path, other: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """4 with its name and nothing changed; with --leave-out 5, and the others are the new model's."""
    name, before = lose_first_video(own_library), state(own_library)
    ask = ("library", "reencode", "--checkpoint", other, "--library", own_library, "--json")
    ran = echolens(*ask)
    assert (ran.code, name in ran.err, "--leave-out" in ran.err) == (LIBRARY, True, True)
    assert state(own_library) == before
    ran = echolens(*ask, "--leave-out")
    assert (ran.code, json.loads(ran.out)["left_out"]) == (PARTLY, [name])
    with Library.open(own_library, create=False) as opened:
        stats = opened.catalogue.stats()
    assert (stats.fingerprint, stats.visual_latents, stats.videos) == (Checkpoint.load(other).fingerprint, 25, 6)
    assert name in caplog.text


def test_a_video_that_is_deleted_meanwhile_is_passed_over(own_library: Path, other: Path) -> None:
    """Two videos are deleted over another connection while the first is written: four are encoded, none missed."""
    with Session.open(own_library, CPU, create=False) as session, Library.open(own_library) as service:
        gone = [v.video_id for v in service.catalogue.every_video()][1:3]

        def step() -> None:
            while gone:
                video = service.catalogue.delete_video(gone.pop())
                service.features_path(video.sha256, session.front_end.identity).unlink()

        done = reencode(session, other, False, step)
        stats = session.library.catalogue.stats()
    assert (done.videos, done.left_out) == (4, ())
    assert (stats.videos, stats.audio_latents, stats.fingerprint) == (4, 20, done.after)


def test_one_writer_at_a_time(own_library: Path, other: Path) -> None:
    """While another process writes nothing is begun."""
    with Session.open(own_library, CPU, create=False) as session, Library.open(own_library) as second:
        with second.writer(), pytest.raises(LibraryBusy):
            reencode(session, other, False)
        assert not list((own_library / "checkpoints").glob(f"{Checkpoint.load(other).fingerprint}*"))
