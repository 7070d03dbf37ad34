"""`library reencode --frontend`: the originals are read again by another front-end, beside what serves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from library_samples import state
from service_samples import Command, film_footage

import app.library.model_swap
from app.library.adoption import adopt
from app.library.default_model import DEFAULT_MODEL
from app.library.features import features_of
from app.library.model_swap import reencode
from app.library.session import Session
from index.library import Library
from model.errors import FrontEndError, Mismatch, OriginalsGone, UntrainedLibrary
from model.frontends.frontend import FrontEnd
from model.frontends.raw import RawFrontEnd
from model.frontends.registry import make_front_end
from model.network.checkpoint import Checkpoint
from model.training.plan import Trained
from model.training.validation import Validation

CPU = torch.device("cpu")
LIBRARY, PARTLY, OTHER = 4, 5, 6
Counted = list[str]


class Fake(RawFrontEnd):
    """Stand in for `pretrained`, without its weights: other shapes, and it counts what it reads."""

    name, identity = "pretrained", "fake-1"
    audio_shape, visual_shape = (6,), (4,)

    def __init__(self) -> None:
        self.read: Counted = []

    def audio(self, sound: np.ndarray) -> np.ndarray:
        return np.abs(sound[:6]).astype(np.float32)

    def visual(self, frame: np.ndarray) -> np.ndarray:
        self.read.append("second")
        return frame.reshape(-1)[:4].astype(np.float32)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Have the fake in place of `pretrained`."""
    made = Fake()

    def make(name: str, place: Path) -> FrontEnd:
        return made if name == "pretrained" else make_front_end(name, place)

    monkeypatch.setattr("app.library.session.make_front_end", make)
    monkeypatch.setattr("app.library.session.pull_absent_weights", lambda *_: None)
    return made


@pytest.fixture
def own_footage(tmp_path: Path, own_library: Path) -> list[Path]:
    """Give the library originals that a test may remove."""
    (tmp_path / "footage").mkdir()
    files = film_footage(tmp_path / "footage")
    with Library.open(own_library) as library:
        for video in library.catalogue.every_video():
            (file,) = (f for f in files if f.name == video.file_name)
            file.write_bytes(library.locate(video.path).read_bytes())
            library.catalogue.relocate(video.video_id, str(file))
    return files


def identity(library: Path) -> tuple[str | None, str | None]:
    with Library.open(library, create=False) as opened:
        return opened.catalogue.identity


def test_there_and_back(own_library: Path, fake: Fake) -> None:
    """Every second is read by the other front-end; without a first model the library is untrained; back, as it was."""
    before = state(own_library)
    with Session.open(own_library, CPU, create=False) as session:
        assert session.front_end.name == "raw"
        done = reencode(session, None, False, front_end="pretrained")
        assert (done.before, done.after, done.frontend, done.videos) == (before[0], None, "pretrained", 6)
        assert session.front_end is fake
        assert len(fake.read) == 30
        for video in session.library.catalogue.every_video():
            assert features_of(session, video).visual.shape == (5, 4)
        with pytest.raises(UntrainedLibrary, match="echolens train"):
            session.gallery("visual")
        assert session.library.catalogue.stats().visual_latents == 0
        done = reencode(session, None, False, front_end="raw")
        assert (done.before, done.after) == (None, before[0])
        assert len(session.gallery("visual").table.ids) == 30
    assert state(own_library)[2] == before[2]
    assert identity(own_library) == ("raw", before[0])


def test_the_first_model_of_a_front_end_serves_at_once(
    own_library: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `begin` has a model for it, the library is encoded with that one."""
    with torch.no_grad():
        shipped = Checkpoint.load(DEFAULT_MODEL)
    fake.audio_shape, fake.visual_shape = RawFrontEnd.audio_shape, RawFrontEnd.visual_shape
    with Session.open(own_library, CPU, create=False) as session:
        raw = session.front_end_of("raw")
        monkeypatch.setattr(Fake, "audio", lambda _, sound: raw.audio(sound))
        monkeypatch.setattr(Fake, "visual", lambda _, frame: raw.visual(frame))

        def begin(library: Library, front_end: object) -> str:
            first = Checkpoint(shipped.model, shipped.normalization, "pretrained", "fake-1", shipped.weights)
            first.save(library.checkpoints / first.fingerprint)
            return first.fingerprint

        monkeypatch.setattr(app.library.model_swap, "begin", begin)
        done = reencode(session, None, False, front_end="pretrained")
        assert session.gallery("visual").encoder.fingerprint == done.after
        assert len(session.gallery("audio").table.ids) == 30
        again = reencode(session, None, False, front_end="pretrained")
    assert (again.before, again.after) == (done.after, done.after), "the same front-end keeps its model"


def test_a_change_that_was_stopped_goes_on(own_library: Path, fake: Fake) -> None:
    """What was stopped changed nothing, and the second run reads only what the first had not."""
    before, steps = state(own_library), []

    def stop() -> None:
        steps.append("video")
        if len(steps) == 2:
            raise KeyboardInterrupt

    with Session.open(own_library, CPU, create=False) as session:
        with pytest.raises(KeyboardInterrupt):
            reencode(session, None, False, stop, front_end="pretrained")
        assert state(own_library) == before
        assert identity(own_library) == ("raw", before[0])
        reencode(session, None, False, front_end="pretrained")
    assert len(fake.read) == 30


def test_videos_whose_originals_are_gone_are_named_before_anything_is_done(
    echolens: Command, own_library: Path, own_footage: list[Path], fake: Fake
) -> None:
    """4 with each name, and not a second was read; with --leave-out 5, and the others are read."""
    own_footage[1].unlink()
    own_footage[3].write_bytes(b"of another size")
    before = state(own_library)
    ask = ("library", "reencode", "--frontend", "pretrained", "--library", own_library, "--json")
    ran = echolens(*ask)
    assert ran.code == LIBRARY
    for word in ("originals_gone", own_footage[1].name, own_footage[3].name, "2 of 6", "--leave-out"):
        assert word in ran.err
    assert (fake.read, state(own_library)) == ([], before)
    ran = echolens(*ask, "--leave-out")
    assert ran.code == PARTLY, ran.err
    report = json.loads(ran.out)
    assert sorted(report["left_out"]) == sorted([own_footage[1].name, own_footage[3].name])
    assert (report["videos"], len(fake.read), identity(own_library)[0]) == (4, 20, "pretrained")


def test_originals_are_not_needed_where_the_features_are_there(
    own_library: Path, own_footage: list[Path], fake: Fake
) -> None:
    """The way back needs no file whose features are in the cache."""
    with Session.open(own_library, CPU, create=False) as session:
        reencode(session, None, False, front_end="pretrained")
        own_footage[0].unlink()
        assert reencode(session, None, False, front_end="raw").videos == 6
        for path in own_library.glob("cache/features/fake-1/*.npz"):
            path.unlink()
        with pytest.raises(OriginalsGone) as gone:
            reencode(session, None, False, front_end="pretrained")
    assert gone.value.file_names == (own_footage[0].name,)


def test_a_session_follows_what_another_did(own_library: Path, fake: Fake) -> None:
    """Front-end, decoders and galleries are those of the catalogue, there and back."""
    with Session.open(own_library, CPU, create=False) as reader, Session.open(own_library, CPU, create=False) as writer:
        assert len(reader.gallery("visual").table.ids) == 30
        reencode(writer, None, False, front_end="pretrained")
        assert reader.front_end is fake
        assert reader.decoder.front_end is reader.footage_decoder.front_end is fake  # type: ignore[attr-defined]
        with pytest.raises(UntrainedLibrary):
            reader.gallery("visual")
        reencode(writer, None, False, front_end="raw")
        assert reader.gallery("visual").encoder.checkpoint.front_end == "raw"
        assert reader.decoder.front_end.name == "raw"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("no_network")
def test_without_weights_nothing_is_begun(echolens: Command, own_library: Path) -> None:
    """6 with what fetches them, and the library serves as before."""
    before = state(own_library)
    ran = echolens("library", "reencode", "--frontend", "pretrained", "--library", own_library)
    assert (ran.code, "front_end: " in ran.err, "frontends pull" in ran.err) == (OTHER, True, True), ran.err
    assert state(own_library) == before


def test_a_checkpoint_of_the_other_front_end_needs_its_name(echolens: Command, own_library: Path, fake: Fake) -> None:
    """Mismatch says how to change the front-end; with it a checkpoint of the first one is refused likewise."""
    given = ("--checkpoint", DEFAULT_MODEL, "--library", own_library)
    ran = echolens("library", "reencode", "--frontend", "pretrained", *given)
    assert (ran.code, "checkpoint_mismatch" in ran.err, "--frontend" in ran.err) == (LIBRARY, True, True), ran.err
    with Session.open(own_library, CPU, create=False) as session:
        reencode(session, None, False, front_end="pretrained")
    assert echolens("library", "reencode", *given).code == LIBRARY
    assert echolens("library", "reencode", "--frontend", "raw", *given).code == 0
    assert identity(own_library)[0] == "raw"


def test_a_model_of_the_front_end_before_is_not_adopted(own_library: Path, fake: Fake) -> None:
    """A training that ends after the front-end was changed says so, and changes nothing."""
    trained = Trained(Checkpoint.load(DEFAULT_MODEL), Validation(1.0, 0.1, 3), {}, (), (), ())
    with Session.open(own_library, CPU, create=False) as session:
        reencode(session, None, False, front_end="pretrained")
        with pytest.raises(Mismatch, match="train again"):
            adopt(session, trained)
    assert identity(own_library) == ("pretrained", None)


# Defaults


def test_a_new_library_of_footage_is_pretrained(
    echolens: Command, footage: list[Path], fake: Fake, tmp_path: Path
) -> None:
    """`ingest` into a directory without a library, with no flag; `demo` makes a `raw` one that can answer."""
    assert echolens("ingest", footage[0], "--library", tmp_path / "mine").code == 0
    assert identity(tmp_path / "mine")[0] == "pretrained"
    assert echolens("demo", "--library", tmp_path / "demo", "--clips", 1).code == 0
    front_end, fingerprint = identity(tmp_path / "demo")
    assert (front_end, fingerprint) == ("raw", Checkpoint.load(DEFAULT_MODEL).fingerprint)


@pytest.mark.usefixtures("no_network")
def test_without_weights_a_new_library_says_what_to_do(echolens: Command, footage: list[Path], tmp_path: Path) -> None:
    """6: fetch them; afterwards, or with another front-end, the same directory is used."""
    ran = echolens("ingest", footage[0], "--library", tmp_path / "mine")
    assert (ran.code, "front_end: " in ran.err, "frontends pull" in ran.err) == (OTHER, True, True), ran.err
    assert identity(tmp_path / "mine") == (None, None)
    assert echolens("ingest", footage[0], "--frontend", "raw", "--library", tmp_path / "mine").code == 0


def test_the_demonstration_is_not_mixed_into_footage(
    echolens: Command, footage: list[Path], fake: Fake, tmp_path: Path
) -> None:
    """`demo` into a `pretrained` library: 4, with another library or a change of front-end as the way out."""
    assert echolens("ingest", footage[0], "--library", tmp_path / "mine").code == 0
    ran = echolens("demo", "--library", tmp_path / "mine", "--clips", 1)
    assert (ran.code, "another library" in " ".join(ran.err.split())) == (LIBRARY, True), ran.err


def test_a_front_end_that_fails_is_tried_again(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty library that could not begin for want of weights begins once they are there."""

    def absent(name: str, place: Path) -> object:
        raise FrontEndError("no weights")

    Library.open(tmp_path / "new").close()
    with Session.open(tmp_path / "new", CPU, create=False) as session:
        with monkeypatch.context() as patch:
            patch.setattr("app.library.session.make_front_end", absent)
            with pytest.raises(FrontEndError):
                session.begin()
        session.begin()
        assert session.front_end is fake
