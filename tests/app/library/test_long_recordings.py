"""A recording of any length comes in part by part: stopped, killed and gone on with, each second is there once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from library_samples import other_checkpoint
from media_samples import stepped_tone, write_picture, write_sound, write_video
from service_samples import ended_job, serving, until, upload

import app.library.reading
import app.media.footage
from app.jobs.ingest_job import IngestWork
from app.library.check import check
from app.library.default_model import DEFAULT_MODEL
from app.library.encoding import PartEncoder, encoded, encoded_parts
from app.library.features import features_of
from app.library.ingest import Outcome, Source, ingest
from app.library.model_swap import reencode
from app.library.reading import length_of
from app.library.session import Session
from app.library.videos import delete_video
from app.media.decoding import Facts
from app.media.previews import HOST
from index.catalogue import Catalogue
from index.library import Library
from index.records import LatentBatch, Video
from model.data.corpus import Annotation
from model.data.features import Features
from model.data.temporal_context import TemporalContext
from model.errors import Damaged, LibraryError, NotReadable
from model.media.medium import Limits, Reading
from model.modality import MODALITIES
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

CPU = torch.device("cpu")
PART_S, LENGTH_S = 4, 14


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part be four seconds."""
    monkeypatch.setattr("model.data.feature_parts.PART_S", PART_S)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write fourteen seconds, each with a look and a sound of its own."""
    return write_video(tmp_path / "film.mp4", LENGTH_S)


def take(session: Session, path: Path, stop: Any = lambda: False, **more: Any) -> list[Outcome]:
    return ingest(session, [Source(path, path.name, **more)], Limits(), stop=stop)


def content(library: Library) -> list[Any]:
    """Return all that the catalogue holds of each video but its ids and times; numbers but for their rounding."""
    catalogue, found = library.catalogue, list[Any]()
    for video in catalogue.every_video():
        seconds = [(r.start_s, r.heard, r.seen) for r in catalogue.segments_of(video.video_id)]
        tables = [catalogue.latents_of(video.video_id, modality) for modality in MODALITIES]
        found.append((video.file_name, video.duration_s, video.complete, video.loss_s, seconds))
        found += [(t.start_s.tolist(), Rounded(t.latents.mu), Rounded(t.latents.generated)) for t in tables]
    return found


@dataclass(eq=False)
class Rounded:
    """Hold numbers; those of a batch of another size may be rounded otherwise."""

    values: np.ndarray

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rounded) and np.allclose(self.values, other.values, rtol=1e-4, atol=1e-5)


@pytest.fixture
def clean(tmp_path: Path, film: Path) -> list[Any]:
    """Return what an undisturbed ingest makes of the film."""
    with Session.open(tmp_path / "clean", CPU, "raw") as session:
        (outcome,) = take(session, film)
        assert (outcome.state, outcome.note) == ("added", None)
        (video,) = session.library.catalogue.every_video()
        assert (video.complete, video.loss_s) == (True, 0.0)
        assert [r.start_s for r in session.library.catalogue.segments_of(video.video_id)] == list(range(LENGTH_S))
        return content(session.library)


def test_parts_hold_what_one_reading_holds(
    tmp_path: Path, film: Path, clean: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds and latents are those of a recording that fits into one part; features come in a file each part."""
    features = sorted(p.name.split(".", 1)[1] for p in (tmp_path / "clean").glob("cache/features/*/*"))
    assert features == ["12.npz", "4.npz", "8.npz", "npz"]
    assert check(tmp_path / "clean", media=True) == []
    monkeypatch.setattr("model.data.feature_parts.PART_S", 600)
    with Session.open(tmp_path / "whole", CPU, "raw") as session:
        take(session, film)
        assert content(session.library) == clean
        (video,) = session.library.catalogue.every_video()
        whole = features_of(session, video)
    with Session.open(tmp_path / "clean", CPU) as session:
        joined = features_of(session, video)
        assert all(getattr(joined, name).tobytes() == array.tobytes() for name, array in vars(whole).items())
        delete_video(session.library, video.video_id)
    assert not list((tmp_path / "clean").glob("cache/features/*/*"))


def test_a_recording_is_decoded_once_from_end_to_end(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many parts it has, the file is opened once for decoding: the reading is kept between them."""
    opened: list[int] = []
    begin = app.media.footage._OpenReading.__init__

    def counting(self: Any, medium: Any, start_s: int) -> None:
        opened.append(start_s)
        begin(self, medium, start_s)

    monkeypatch.setattr("app.media.footage._OpenReading.__init__", counting)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        take(session, film)
    assert opened == [0]


@pytest.mark.parametrize("length_s", [4, 8, 3, 1])
def test_a_length_of_whole_parts_has_no_empty_part(tmp_path: Path, length_s: int) -> None:
    """The last part says that it is the last; a picture is a part of one second."""
    sound = write_sound(tmp_path / "s.wav", stepped_tone(length_s), 16000)
    picture = write_picture(tmp_path / "p.png")
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        assert [o.state for path in (sound, picture) for o in take(session, path)] == ["added"] * 2
        videos = {v.file_name: v for v in session.library.catalogue.every_video()}
        assert all(v.complete for v in videos.values())
        assert session.library.catalogue.end_s(videos["s.wav"].video_id) == length_s
        assert session.library.catalogue.end_s(videos["p.png"].video_id) == 1
    assert len(list((tmp_path / "library").glob("cache/features/*/*"))) == (length_s + 3) // PART_S + 1


def test_what_has_been_read_can_be_found(tmp_path: Path, film: Path, clean: list[Any]) -> None:
    """Stopped after each part, the library answers with the seconds so far; in the end it is as if never stopped."""
    ends, labels = [], Annotation("", "bell", 1.0, 2.0)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        catalogue = session.library.catalogue
        while not (outcomes := take(session, film, stop=lambda: True, annotation=labels)):
            (video,) = catalogue.every_video()
            ends.append(catalogue.end_s(video.video_id))
            assert not video.complete
            assert len(session.table("audio").ids) == ends[-1]
            assert {f.code for f in check(session.library.directory, media=True)} == {"incomplete"}
        assert ends == [4, 8, 12]
        assert (outcomes[0].state, outcomes[0].video_id) == ("added", video.video_id)
        assert catalogue.video(video.video_id).label == "bell"
        assert content(session.library) == clean
        assert [o.state for o in take(session, film)] == ["known"]


class Killed(BaseException):
    """Stand for the end of the process."""


@contextmanager
def killed(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, call: int, after: bool) -> Iterator[None]:
    """End the work at a call of a method, before or after it was done."""
    method, calls = getattr(owner, name), 0

    def deadly(self: Any, *arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        done = method(self, *arguments, **more)
        if calls == call:
            raise Killed
        return done

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, deadly)
        with pytest.raises(Killed):
            yield


KILLS = [
    (Catalogue, "ingest", 1, False),
    (Catalogue, "ingest", 1, True),
    (Catalogue, "rewrite", 1, False),
    (Catalogue, "rewrite", 1, True),
    (Catalogue, "rewrite", 3, False),
    (Catalogue, "rewrite", 3, True),
    (Features, "save", 1, True),
    (Features, "save", 3, False),
    (Features, "save", 3, True),
    (Reading, "__next__", 7, False),
]


@pytest.mark.parametrize(("owner", "name", "call", "after"), KILLS)
def test_killed_anywhere_every_second_comes_in_once(
    tmp_path: Path,
    film: Path,
    clean: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    call: int,
    after: bool,
) -> None:
    """Before and after each commit, before and after each file of features, while decoding: the next run goes on."""
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        with killed(monkeypatch, owner, name, call, after):
            take(session, film)
        app.media.footage._kept.cache_clear()  # they ended with the process
        outcomes = take(session, film)
        assert [o.state for o in outcomes] in (["added"], ["known"])
        assert content(session.library) == clean
    assert check(tmp_path / "library", media=True) == []


def test_half_written_previews_of_a_killed_process_go(tmp_path: Path, film: Path) -> None:
    """The next run removes them; those of a process that lives it leaves."""
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        take(session, film, stop=lambda: True)
        (video,) = session.library.catalogue.every_video()
        ended = subprocess.Popen(["true"])
        ended.wait()
        left, living = (
            session.library.previews / video.video_id / f"9.wav.{number}-1-{HOST}.partial"
            for number in (ended.pid, os.getpid())
        )
        left.touch()
        living.touch()
        take(session, film)
        assert (left.exists(), living.exists()) == (False, True)


def test_what_was_cut_off_without_its_features_begins_anew(tmp_path: Path, film: Path, clean: list[Any]) -> None:
    """Their context is needed at the seam; the label that it got meanwhile stays."""
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        take(session, film, stop=lambda: True)
        (video,) = session.library.catalogue.every_video()
        session.library.catalogue.update_labels(video.video_id, "owl", None, None)
        session.library.features_path(video.sha256, session.front_end.identity).unlink()
        take(session, film)
        assert session.library.catalogue.video(video.video_id).label == "owl"
        assert content(session.library) == clean


def test_killed_while_it_begins_anew_a_video_keeps_its_label(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed goes only as the new first part comes; the sound track stays the one that was asked for."""
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        take(session, film, stop=lambda: True, audio_track=1)
        (video,) = session.library.catalogue.every_video()
        session.library.catalogue.update_labels(video.video_id, "owl", None, None)
        for features in session.library.cache.glob("features/*/*"):
            features.unlink()

        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as cut:
            for step in ("ingest", "rewrite"):
                cut.setattr(Catalogue, step, killed)
            with pytest.raises(KeyboardInterrupt):
                take(session, film)
        shutil.rmtree(session.library.cache / "features")
        take(session, film)
        (video,) = session.library.catalogue.every_video()
        assert (video.label, video.audio_track, video.complete) == ("owl", 1, True)


def test_a_refusal_midway_leaves_nothing(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the third part cannot be decoded, the two before it go: seconds, features, previews; the failure stays."""
    following = Reading.__next__

    def failing(self: Reading) -> Any:
        segment = following(self)
        if segment.start_s == 9:
            raise Damaged("the rest of film.mp4 is noise: copy it again")
        return segment

    monkeypatch.setattr(Reading, "__next__", failing)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        (outcome,) = take(session, film)
        assert (outcome.state, outcome.code) == ("failed", "damaged")
        assert [f.path for f in session.library.catalogue.failures()] == [str(film)]
        assert session.library.catalogue.is_empty
    assert not list((tmp_path / "library").glob("cache/features/*/*"))
    assert not list((tmp_path / "library" / "previews").iterdir())
    assert film.is_file()


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def close(_: Path) -> None:
    raise NotReadable("film.mp4 cannot be read (Input/output error)")


@pytest.mark.parametrize("begun_before", [True, False])
@pytest.mark.parametrize("disturb", [touch, close])
def test_a_file_that_is_disturbed_keeps_what_was_committed_of_it(
    tmp_path: Path, film: Path, clean: list[Any], monkeypatch: pytest.MonkeyPatch, disturb: Any, begun_before: bool
) -> None:
    """Touched, or unreadable for a moment, it is the same content: it keeps its label, and is gone on with."""
    decode, calls = app.library.reading.decode_part, list[int]()

    def disturbed(front_end: Any, path: Path, *rest: Any) -> Any:
        part = decode(front_end, path, *rest)
        calls.append(1)
        if len(calls) == 2 - begun_before:
            disturb(path)
        return part

    with Session.open(tmp_path / "library", CPU, "raw") as session:
        if begun_before:
            take(session, film, stop=lambda: True)
        with monkeypatch.context() as patch:
            patch.setattr("app.library.reading.decode_part", disturbed)
            (outcome,) = take(session, film)
        assert outcome.code in ("changing", "not_readable")
        (video,) = session.library.catalogue.every_video()
        assert (session.library.catalogue.end_s(video.video_id), video.complete) == (PART_S, False)
        session.library.catalogue.update_labels(video.video_id, "owl", None, None)
        (outcome,) = take(session, film)
        assert (outcome.state, outcome.video_id) == ("added", video.video_id)
        assert session.library.catalogue.video(video.video_id).label == "owl"
        assert session.library.catalogue.failures() == []
        assert content(session.library) == clean


def test_what_is_written_over_while_it_is_read_leaves_nothing(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other content under its path is another recording, though the part before was of the old one."""
    decode, calls = app.library.reading.decode_part, list[int]()

    def overwritten(front_end: Any, path: Path, *rest: Any) -> Any:
        part = decode(front_end, path, *rest)
        calls.append(1)
        if len(calls) == 2:
            with path.open("ab") as file:
                file.write(b"more")
        return part

    monkeypatch.setattr("app.library.reading.decode_part", overwritten)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        assert [o.state for o in take(session, film)] == ["changing"]
        assert session.library.catalogue.is_empty


def test_loss_over_all_parts_is_summed_told_and_judged(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each second lost a quarter: gone on with after a stop, the sum is of all; beyond the share it is refused."""
    following = Reading.__next__

    def lossy(self: Reading) -> Any:
        segment = following(self)
        self.loss_s += 0.25
        return replace(segment, lost_s=0.25, sound_whole=False, frame_whole=segment.start_s % 2 == 0)

    monkeypatch.setattr(Reading, "__next__", lossy)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        assert take(session, film, stop=lambda: True) == []
        (video,) = session.library.catalogue.every_video()
        assert video.loss_s == pytest.approx(1.0)
        (outcome,) = take(session, film)
        assert "3.5 s of 14.0 s could not be decoded" in str(outcome.note)
        rows = session.library.catalogue.segments_of(video.video_id)
        assert [(r.sound_whole, r.frame_whole) for r in rows] == [(False, t % 2 == 0) for t in range(LENGTH_S)]
        assert session.library.catalogue.stats().loss_s == pytest.approx(3.5)
        delete_video(session.library, video.video_id)
        ingest(session, [Source(film, film.name)], Limits(most_loss=0.2), stop=lambda: True)
        (outcome,) = ingest(session, [Source(film, film.name)], Limits(most_loss=0.2))
        assert (outcome.state, outcome.code, "may be lost" in str(outcome.detail)) == ("failed", "damaged", True)
        assert session.library.catalogue.is_empty


def test_a_declared_length_that_is_too_short_is_not_the_length(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fourteen seconds of a file that declares three: the loss is judged against what was read, and that is told."""
    inspect, following = app.library.reading.inspect, Reading.__next__

    def declaring_less(*arguments: Any) -> Any:
        return replace(inspect(*arguments), declared_s=3.0)

    def lossy(self: Reading) -> Any:
        segment = following(self)
        self.loss_s += 0.25
        return replace(segment, lost_s=0.25)

    monkeypatch.setattr("app.library.reading.inspect", declaring_less)
    monkeypatch.setattr(Reading, "__next__", lossy)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        assert [o.state for o in take(session, film)] == ["added"]
        (video,) = session.library.catalogue.every_video()
        assert (video.duration_s, video.loss_s) == (14.0, pytest.approx(3.5))


@pytest.mark.parametrize(
    ("declared_s", "length_s"), [(None, 10.0), (9.6, 9.6), (10.4, 10.4), (9.0, 10.0), (40.0, 40.0)]
)
def test_the_length_is_what_is_declared_unless_more_was_read(declared_s: float | None, length_s: float) -> None:
    """Ten seconds were read, of which the last may be short."""
    facts = Facts("", 0, "", declared_s, True, True)
    assert length_of(facts, 10) == length_s


def test_a_full_disk_midway_keeps_what_is_in(
    tmp_path: Path, film: Path, clean: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part that does not fit leaves no file; with room the file is gone on with."""
    rewrite = Catalogue.rewrite
    calls: list[int] = []

    def full(self: Catalogue, *arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise LibraryError("disk is full")
        rewrite(self, *arguments)

    monkeypatch.setattr(Catalogue, "rewrite", full)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        with pytest.raises(LibraryError, match="full"):
            take(session, film)
        (video,) = session.library.catalogue.every_video()
        assert session.library.catalogue.end_s(video.video_id) == 8
        assert len(list((tmp_path / "library").glob("cache/features/*/*"))) == 2
        take(session, film)
        assert content(session.library) == clean


def test_a_video_that_is_deleted_while_it_comes_in_stays_deleted(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcome says so, and nothing of it is left."""
    rewrite = Catalogue.rewrite

    def deleted(self: Catalogue, video: Video, *arguments: Any) -> None:
        self.delete_video(video.video_id)
        rewrite(self, video, *arguments)

    monkeypatch.setattr(Catalogue, "rewrite", deleted)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        (outcome,) = take(session, film)
        assert (outcome.state, outcome.code) == ("failed", "not_found")
        assert session.library.catalogue.is_empty
    assert not list((tmp_path / "library").glob("cache/features/*/*"))
    assert not list((tmp_path / "library" / "previews").iterdir())


def test_the_model_may_change_between_two_parts(tmp_path: Path, film: Path) -> None:
    """Seconds before and behind the change have the latents of the model that serves in the end."""
    other = other_checkpoint(tmp_path)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        take(session, film, stop=lambda: True)
        swapped = reencode(session, other, leave_out=False)
        assert swapped.videos == 1
        take(session, film)
        (video,) = session.library.catalogue.every_video()
        expected = Encoder(Checkpoint.load(other), CPU).latents("visual", features_of(session, video).visual)
        table = session.library.catalogue.latents_of(video.video_id, "visual")
        assert Rounded(table.latents.mu) == Rounded(expected.mu)
        assert Rounded(table.latents.generated) == Rounded(expected.generated)
    assert check(tmp_path / "library", media=True) == []


def test_features_that_are_gone_are_made_again_in_parts(tmp_path: Path, film: Path, clean: list[Any]) -> None:
    """Of a whole recording and of one that is still coming in: as many seconds as the catalogue knows."""
    for name, stops in (("clean", False), ("library", True)):
        with Session.open(tmp_path / name, CPU, "raw") as session:
            take(session, film, stop=lambda stops=stops: stops)
            (video,) = session.library.catalogue.every_video()
            before = features_of(session, video)
            for path in (tmp_path / name).glob("cache/features/*/*"):
                path.unlink()
            again = features_of(session, video)
            assert all(getattr(again, n).tobytes() == array.tobytes() for n, array in vars(before).items())
            assert len(again) == (PART_S if stops else LENGTH_S)


# In context


def with_context(weights: tuple[float, ...]) -> Encoder:
    return Encoder(replace(Checkpoint.load(DEFAULT_MODEL), stored=None, context=TemporalContext(weights, 0.9)), CPU)


def made_up(seconds: int, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> Features:
    """Return scenes of different looks, with gaps, silences and stretches without a picture."""
    random = np.random.default_rng(7)
    start_s = np.setdiff1d(np.arange(seconds + 3), [11, 12, 30])
    looks = random.random((8, *shapes[1])).astype(np.float32)
    n = len(start_s)
    visual = looks[random.integers(0, 8, n) // 2 * 2] + 0.01 * random.random((n, *shapes[1])).astype(np.float32)
    seen = (random.random(n) < 0.8) & ~((start_s > 15) & (start_s < 24))
    audio = random.random((n, *shapes[0])).astype(np.float32)
    whole = np.ones(n, bool)
    return Features(start_s, audio, visual, random.random(n) < 0.7, seen, whole, whole)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 0.5), (1.0, 0.8, 0.5, 0.2)])
@pytest.mark.parametrize("part_s", [1, 2, 5, 7, 60])
def test_latents_in_context_do_not_know_of_parts(tmp_path: Path, weights: tuple[float, ...], part_s: int) -> None:
    """Over cuts, gaps and seconds without a picture: what is written last of each second is what one pass gives."""
    encoder = with_context(weights)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        shapes = session.front_end.audio_shape, session.front_end.visual_shape
    features = made_up(45, shapes)
    parts = [features.rows(features.start_s // part_s == number) for number in range(48 // part_s + 1)]
    written: dict[str, dict[int, LatentBatch]] = {"audio": {}, "visual": {}}
    for batches in encoded_parts(encoder, parts, None):
        for modality, batch in batches.items():
            for row, second in enumerate(batch.start_s.tolist()):
                one = np.array([row])
                written[modality][second] = LatentBatch(batch.start_s[one], batch.latents[one])
    for modality, batch in encoded(encoder, features, None).items():
        found = written[modality]
        assert sorted(found) == batch.start_s.tolist()
        mu = np.concatenate([found[second].latents.mu for second in sorted(found)])
        np.testing.assert_allclose(mu, batch.latents.mu, rtol=1e-5, atol=1e-6)
    assert PartEncoder(None, None).encoded(features) == {}


# As jobs


def test_training_need_not_wait_for_a_long_recording(own_library: Path, film: Path) -> None:
    """An upload's job gives way between two parts while a writer is wanted, and goes on with it afterwards."""
    with serving(own_library) as client:
        jobs = client.app.state.service.jobs  # type: ignore[attr-defined]
        wanted = next(runner._work for runner in jobs._runners.values() if hasattr(runner._work, "_writer_wanted"))
        wanted._writer_wanted.set()
        job_id = upload(client, film).json()["job_id"]
        assert client.get(f"/jobs/{job_id}").json()["state"] in ("queued", "running")
        wanted._writer_wanted.clear()
        job = ended_job(client, job_id)
        assert (job["state"], job["result"]["state"]) == ("done", "added")
    with Library.open(own_library, create=False) as library:
        video = library.catalogue.video(job["result"]["video_id"])
        assert (video.complete, library.catalogue.end_s(video.video_id)) == (True, LENGTH_S)


def test_a_cancelled_upload_leaves_no_part_of_a_video(
    own_library: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed of it goes with its file."""
    rewrite = Catalogue.rewrite
    with serving(own_library) as client:
        before = client.get("/videos").json()["total"]

        def cancelling(self: Catalogue, *arguments: Any) -> None:
            rewrite(self, *arguments)
            client.delete(f"/jobs/{job_id}")

        job_id = ""
        monkeypatch.setattr(Catalogue, "rewrite", cancelling)
        job_id = upload(client, film).json()["job_id"]
        until(lambda: client.get(f"/jobs/{job_id}").json()["state"] == "cancelled")
        assert client.get("/videos").json()["total"] == before
    assert list((own_library / "media").iterdir()) == []
    assert check(own_library, media=True) == []


def test_a_cancelled_upload_leaves_no_part_where_the_service_was_killed_before_it_was_removed(
    own_library: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start removes it."""
    rewrite = Catalogue.rewrite
    with serving(own_library) as client, monkeypatch.context() as patched:
        before = client.get("/videos").json()["total"]

        def cancelling(self: Catalogue, *arguments: Any) -> None:
            rewrite(self, *arguments)
            client.delete(f"/jobs/{job_id}")

        job_id = ""
        patched.setattr(Catalogue, "rewrite", cancelling)
        patched.setattr(IngestWork, "tidy", lambda self, job: None)
        job_id = upload(client, film).json()["job_id"]
        until(lambda: client.get(f"/jobs/{job_id}").json()["state"] == "cancelled")
        assert client.get("/videos").json()["total"] == before + 1
    with serving(own_library) as client:
        assert client.get("/videos").json()["total"] == before
    assert list((own_library / "media").iterdir()) == []
