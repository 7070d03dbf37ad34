"""A file that an older release decoded is read anew once; only what changed is written, and ids and labels stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from media_samples import write_picture, write_video

import app.library.rereading
import app.media.footage
from app.library.check import check
from app.library.default_model import DEFAULT_MODEL
from app.library.features import features_of
from app.library.ingest import Outcome, Source, ingest
from app.library.rereading import count_changed
from app.library.session import Session
from app.library.videos import delete_video
from index.catalogue import Catalogue
from index.records import SegmentRow, Video
from model.data.features import Features
from model.data.temporal_context import TemporalContext
from model.errors import Damaged
from model.media.medium import DECODING, Limits, Reading
from model.modality import MODALITIES
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

CPU = torch.device("cpu")
LENGTH_S = 10
Change = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part be four seconds."""
    monkeypatch.setattr("model.data.feature_parts.PART_S", 4)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write ten seconds, each with a look and a sound of its own."""
    return write_video(tmp_path / "film.mp4", LENGTH_S)


def take(session: Session, path: Path, **more: Any) -> Outcome:
    (outcome,) = ingest(session, [Source(path, path.name, **more)], Limits())
    return outcome


def decoded_before(
    session: Session, film: Path, monkeypatch: pytest.MonkeyPatch, change: Change | None
) -> list[SegmentRow]:
    """Take a film in as an older release did: its rules `change` a segment, features are one file; return its rows."""
    following = Reading.__next__
    with monkeypatch.context() as older:
        older.setattr("model.data.feature_parts.PART_S", 600)
        if change is not None:
            older.setattr(Reading, "__next__", lambda self: change(following(self)))
        take(session, film)
    c = sqlite3.connect(session.library.directory / "catalogue.sqlite")
    c.execute("UPDATE videos SET decoding = 1, label = 'owl'")
    c.commit()
    c.close()
    (video,) = session.library.catalogue.every_video()
    path = session.library.features_path(video.sha256, session.front_end.identity)
    columns = {n: array for n, array in vars(Features.load(path)).items() if not n.endswith("whole")}
    np.savez(path, **columns)
    return session.library.catalogue.segments_of(video.video_id)


def assert_as_if_new(session: Session, film: Path, tmp_path: Path) -> None:
    """What the library holds of the film is what a new library would hold; features and latents agree."""
    (video,) = session.library.catalogue.every_video()
    with Session.open(tmp_path / "new", CPU, "raw") as new:
        take(new, film)
        expected = features_of(new, video)
        rows = [(r.start_s, r.heard, r.seen) for r in new.library.catalogue.segments_of(video.video_id)]
    found = features_of(session, video)
    assert all(getattr(found, name).tobytes() == array.tobytes() for name, array in vars(expected).items())
    assert [(r.start_s, r.heard, r.seen) for r in session.library.catalogue.segments_of(video.video_id)] == rows
    encoder: Encoder = session.encoder
    for modality in MODALITIES:
        mask = expected.heard if modality == "audio" else expected.seen
        table = session.library.catalogue.latents_of(video.video_id, modality)
        mu = encoder.latents(modality, getattr(expected, modality)[mask]).mu
        in_time = np.argsort(table.start_s)
        np.testing.assert_allclose(table.latents.mu[in_time], mu, rtol=1e-4, atol=1e-5)
    assert check(session.library.directory, media=True) == []


def test_what_has_not_changed_is_only_stamped(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No note, no new version of the catalogue; the next ingest does not decode it again."""
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        rows = decoded_before(session, film, monkeypatch, None)
        before = session.library.catalogue.catalogue_version
        assert {f.code for f in check(session.library.directory, media=False)} == {"older_decoding"}
        outcome = take(session, film)
        assert (outcome.state, outcome.note) == ("known", None)
        (video,) = session.library.catalogue.every_video()
        assert (video.decoding, video.label) == (DECODING, "owl")
        assert session.library.catalogue.catalogue_version == before
        assert session.library.catalogue.segments_of(video.video_id) == rows
        assert_as_if_new(session, film, tmp_path)
        monkeypatch.setattr("app.library.reading.decode_part", None)
        assert take(session, film).state == "known"


CHANGES: dict[str, tuple[Change, int]] = {
    "another frame at 2 s": (lambda s: replace(s, frame=255 - s.frame) if s.start_s == 2 else s, 1),
    "another frame at 5 s": (lambda s: replace(s, frame=255 - s.frame) if s.start_s == 5 else s, 1),
    "silent from 6 s on": (lambda s: replace(s, sound=None) if s.start_s >= 6 else s, 4),
    "all a second late": (lambda s: replace(s, start_s=s.start_s + 1), LENGTH_S + 1),
    "no picture": (lambda s: replace(s, frame=None), LENGTH_S),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed_is_written(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever older rules made of it: seconds, features, latents and previews become those of today."""
    change, changed = CHANGES[name]
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        rows = decoded_before(session, film, monkeypatch, change)
        outcome = take(session, film)
        assert (outcome.state, outcome.note) == (
            "known",
            f"read anew by the new rules: {changed} of {LENGTH_S} seconds changed",
        )
        (video,) = session.library.catalogue.every_video()
        assert (video.decoding, video.label, video.video_id) == (DECODING, "owl", rows[0].video_id)
        ids = {row.start_s: row.segment_id for row in rows}
        now = {row.start_s: row.segment_id for row in session.library.catalogue.segments_of(video.video_id)}
        assert all(now[second] == ids[second] for second in now if second in ids)
        assert_as_if_new(session, film, tmp_path)


def test_cut_off_it_is_read_anew_again(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the catalogue's commit and the features: the second run writes both, to the same end."""
    change, _ = CHANGES["silent from 6 s on"]

    class Killed(BaseException):
        pass

    def deadly(*_: object) -> None:
        raise Killed

    with Session.open(tmp_path / "library", CPU, "raw") as session:
        decoded_before(session, film, monkeypatch, change)
        with monkeypatch.context() as patch:
            patch.setattr("app.library.rereading.keep_part", deadly)
            with pytest.raises(Killed):
                take(session, film)
        assert take(session, film).note
        assert_as_if_new(session, film, tmp_path)


def test_a_file_that_can_no_longer_be_read_stays_as_it_was(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note says why; its seconds are found as before, and it is tried again the next time."""

    def failing(_: Reading) -> Any:
        raise Damaged("film.mp4 is noise")

    with Session.open(tmp_path / "library", CPU, "raw") as session:
        rows = decoded_before(session, film, monkeypatch, None)
        with monkeypatch.context() as patch:
            patch.setattr(Reading, "__next__", failing)
            outcome = take(session, film)
        assert (outcome.state, "is noise" in str(outcome.note)) == ("known", True)
        (video,) = session.library.catalogue.every_video()
        assert (video.decoding, session.library.catalogue.segments_of(video.video_id)) == (1, rows)
        assert session.library.catalogue.failures() == []
        take(session, film)
        assert_as_if_new(session, film, tmp_path)


def test_another_sound_track_is_read_anew(tmp_path: Path, film: Path) -> None:
    """Asked for track 1 it is read with that; without a wish it keeps the track that it has."""
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        take(session, film)
        assert take(session, film, audio_track=1).state == "known"
        (video,) = session.library.catalogue.every_video()
        assert video.audio_track == 1
        take(session, film)
        assert session.library.catalogue.video(video.video_id).audio_track == 1


def test_rounding_is_no_change() -> None:
    """A millionth is what another machine makes of the same second; a thousandth is another second."""
    random, whole = np.random.default_rng(0), np.ones(3, bool)
    values = random.normal(size=(3, 50)).astype(np.float32)
    one = Features(np.arange(3), values, values, whole, whole, whole, whole)
    assert count_changed(one, replace(one, audio=values * np.float32(1 + 1e-6))) == 0
    assert count_changed(one, replace(one, audio=values * np.float32(1 + 1e-3))) == 3
    assert count_changed(one, replace(one, sound_whole=np.array([True, False, True]))) == 1
    assert count_changed(one, one.rows(np.array([0, 2]))) == 1
    assert count_changed(None, one) == 3


@pytest.mark.parametrize("step", ["rewrite", "stamp"])
def test_a_video_that_is_deleted_while_it_is_read_anew_stops_nothing(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Its file fails with the reason, nothing of it stays, and the files behind it come in."""
    other = write_picture(tmp_path / "other.png")
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        decoded_before(session, film, monkeypatch, CHANGES["another frame at 5 s"][0])
        write = getattr(Catalogue, step)

        def delete_and_write(self: Catalogue, video: Video, *rest: Any) -> None:
            delete_video(session.library, video.video_id)
            write(self, video, *rest)

        monkeypatch.setattr(Catalogue, step, delete_and_write)
        outcomes = ingest(session, [Source(film, film.name), Source(other, other.name)], Limits())
        assert [(o.state, o.code) for o in outcomes] == [("failed", "not_found"), ("added", None)]
        assert [f.code for f in check(session.library.directory, media=True)] == []


def test_a_cut_off_change_of_the_sound_track_is_not_taken_for_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seconds are of both tracks then: the next ingest reads the file anew, though no track is named."""
    film = write_video(tmp_path / "film.mp4", LENGTH_S)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        take(session, film)
        keep, following = app.library.rereading.keep_part, Reading.__next__

        def killed(*part: Any) -> None:
            keep(*part)
            raise KeyboardInterrupt

        with monkeypatch.context() as cut:
            cut.setattr(Reading, "__next__", lambda self: replace(following(self), sound=None))  # as the other track
            cut.setattr("app.library.rereading.keep_part", killed)
            with pytest.raises(KeyboardInterrupt):
                take(session, film, audio_track=1)
        assert {f.code for f in check(session.library.directory, media=False)} == {"older_decoding"}
        take(session, film)
        assert_as_if_new(session, film, tmp_path)


def test_what_was_read_anew_before_the_file_failed_is_told(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts before the damage are renewed and the note says so; the next ingest reads the whole file again."""
    following = Reading.__next__

    def failing(self: Reading) -> Any:
        segment = following(self)
        if segment.start_s == 9:
            raise Damaged("film.mp4 is noise at the end")
        return segment

    with Session.open(tmp_path / "library", CPU, "raw") as session:
        decoded_before(session, film, monkeypatch, CHANGES["another frame at 5 s"][0])
        with monkeypatch.context() as patch:
            patch.setattr(Reading, "__next__", failing)
            outcome = take(session, film)
        app.media.footage._kept.cache_clear()
        assert outcome.state == "known"
        assert "1 of the first 8 seconds changed, the rest stays as it was decoded before" in str(outcome.note)
        assert "noise at the end" in str(outcome.note)
        assert {f.code for f in check(session.library.directory, media=False)} == {"older_decoding"}
        assert take(session, film).state == "known"
        assert_as_if_new(session, film, tmp_path)


@pytest.mark.parametrize("call", [1, 2])
def test_a_cut_off_rereading_leaves_no_seam(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """The last seconds before the cut got latents without what follows: the next ingest writes them in full context."""
    rewrite, calls = Catalogue.rewrite, list[int]()

    def killed(self: Catalogue, *arguments: Any) -> None:
        calls.append(1)
        if len(calls) == call + 1:
            raise KeyboardInterrupt
        rewrite(self, *arguments)

    context = TemporalContext((1.0, 0.8), 0.0)
    monkeypatch.setattr(
        Session,
        "encoder",
        property(lambda _: Encoder(replace(Checkpoint.load(DEFAULT_MODEL), stored=None, context=context), CPU)),
    )
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        decoded_before(session, film, monkeypatch, CHANGES["another frame at 2 s"][0])
        with monkeypatch.context() as cut:
            cut.setattr(Catalogue, "rewrite", killed)
            with pytest.raises(KeyboardInterrupt):
                take(session, film)
        app.media.footage._kept.cache_clear()
        take(session, film)
        with Session.open(tmp_path / "new", CPU, "raw") as new:
            take(new, film)
            (video,) = new.library.catalogue.every_video()
            for modality in MODALITIES:
                found, expected = (s.library.catalogue.latents_of(video.video_id, modality) for s in (session, new))
                mu, wanted = (t.latents.mu[np.argsort(t.start_s)] for t in (found, expected))
                np.testing.assert_allclose(mu, wanted, rtol=1e-4, atol=1e-5)
