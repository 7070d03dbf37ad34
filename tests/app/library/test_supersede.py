"""One path holds one content: what is replaced goes, what moved is found, what grows is taken once it is whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from media_samples import tone, write_sound
from rights_samples import as_nobody
from service_samples import film, ingest_into

import app.library.reading
from app.library.check import check
from app.library.ingest import Outcome, Source, ingest
from app.library.session import Session
from app.library.videos import delete_video
from index.library import Library
from index.records import Video
from model.data.corpus import Annotation
from model.media.medium import FOOTAGE

CPU = torch.device("cpu")


def taken(library: Path, *files: Path | Source) -> list[Outcome]:
    return ingest_into(library, [f if isinstance(f, Source) else Source(f, f.name) for f in files])


def videos(directory: Path) -> list[Video]:
    with Library.open(directory, create=False) as library:
        return list(library.catalogue.every_video())


def faults(directory: Path) -> list[str]:
    return [finding.code for finding in check(directory, media=True) if finding.severity == "fault"]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return film(tmp_path / "clip.mp4", 0, 0, 2.0)


def test_other_content_under_a_path_takes_its_place(library: Path, clip: Path) -> None:
    """The old video goes with its seconds, previews and features; its label and event stay with the path."""
    old = taken(library, Source(clip, clip.name, Annotation("", "owl", 0.0, 1.0)))[0].video_id
    film(clip, 1, 1, 3.0)
    new = taken(library, clip)[0]
    assert (new.state, new.note) == ("added", "it takes the place of what its path held before")
    (video,) = videos(library)
    assert (video.video_id, video.label, video.event_start_s, video.event_end_s) == (new.video_id, "owl", 0.0, 1.0)
    assert not (library / "previews" / str(old)).exists()
    assert len(list((library / "cache" / "features").rglob("*.npz"))) == 1
    with Library.open(library) as opened:
        assert opened.catalogue.stats().segments == 3
    assert faults(library) == []


def test_a_label_that_comes_with_the_new_content_is_its_own(library: Path, clip: Path) -> None:
    """The old one is not taken over."""
    taken(library, Source(clip, clip.name, Annotation("", "owl")))
    film(clip, 1, 1, 2.0)
    taken(library, Source(clip, clip.name, Annotation("", "bell")))
    assert [video.label for video in videos(library)] == ["bell"]


def test_a_recording_that_was_ingested_while_it_grew_is_one_video(library: Path, clip: Path, tmp_path: Path) -> None:
    """First half of it, then the whole under the same path: the whole stays, and is found once."""
    whole = write_sound(tmp_path / "whole.wav", tone(4.0), 16000).read_bytes()
    growing = write_sound(tmp_path / "growing.wav", tone(2.0), 16000)
    taken(library, growing, clip)
    growing.write_bytes(whole)
    taken(library, growing, clip)
    with Library.open(library) as opened:
        assert [v.duration_s for v in opened.catalogue.every_video() if v.path == str(growing)] == [4.0]
        assert len(opened.catalogue.latents("audio").ids) == 4 + 2
    assert faults(library) == []


def test_content_that_is_known_from_elsewhere_takes_a_place_too(library: Path, clip: Path, tmp_path: Path) -> None:
    """A copy over a file: the copied video stays where it was, the old content is missing, and no hit is double."""
    other = film(tmp_path / "other.mp4", 1, 1, 2.0)
    first, second = taken(library, clip, other)
    shutil.copy(other, clip)
    assert [o.state for o in taken(library, clip, other)] == ["known", "known"]
    states = {video.video_id: (video.path, video.missing) for video in videos(library)}
    assert states == {first.video_id: (str(clip), True), second.video_id: (str(other), False)}
    assert faults(library) == []


def test_two_files_that_changed_places_are_both_there(library: Path, clip: Path, tmp_path: Path) -> None:
    """Each content is found where it lies now, with its own label."""
    other = film(tmp_path / "other.mp4", 1, 1, 2.0)
    taken(library, Source(clip, clip.name, Annotation("", "owl")), Source(other, other.name, Annotation("", "bell")))
    clip.rename(tmp_path / "x")
    other.rename(clip)
    (tmp_path / "x").rename(other)
    taken(library, clip, other)
    assert {(video.path, video.label, video.missing) for video in videos(library)} == {
        (str(other), "owl", False),
        (str(clip), "bell", False),
    }


@pytest.mark.parametrize("moved_name", ["a-moved.mp4", "z-moved.mp4"])
def test_a_file_that_made_room_for_another_keeps_its_label(
    library: Path, clip: Path, tmp_path: Path, moved_name: str
) -> None:
    """The old content moved, before or behind in the order; the new content under its path has no label."""
    taken(library, Source(clip, clip.name, Annotation("", "owl")))
    moved = clip.rename(tmp_path / moved_name)
    film(clip, 1, 1, 2.0)
    outcomes = taken(library, *sorted([clip, moved]))
    assert sorted(o.state for o in outcomes) == ["added", "known"]
    assert {(video.path, video.label) for video in videos(library)} == {(str(moved), "owl"), (str(clip), None)}


@pytest.mark.parametrize("moved_name", ["a-moved.mp4", "z-moved.mp4"])
def test_an_ingest_that_stops_between_the_two_keeps_the_label_too(
    library: Path, clip: Path, tmp_path: Path, moved_name: str
) -> None:
    """As a job does that gives way to a training; nothing that was taken in before is remembered but on the disk."""
    taken(library, Source(clip, clip.name, Annotation("", "owl")))
    moved = clip.rename(tmp_path / moved_name)
    film(clip, 1, 1, 3.0)
    with Session.open(library, CPU) as session:
        for path in sorted([clip, moved]):
            ingest(session, [Source(path, path.name)], FOOTAGE, stop=lambda path=path: path == min(clip, moved))
    assert {(video.path, video.label) for video in videos(library)} == {(str(moved), "owl"), (str(clip), None)}


def test_the_same_content_at_two_paths_stays_one_video(library: Path, clip: Path, tmp_path: Path) -> None:
    """And when the first of them gets other content, it is found at the second, whatever the order."""
    copy = Path(shutil.copy(clip, tmp_path / "a-copy.mp4"))
    assert [o.state for o in taken(library, clip, copy)] == ["added", "known"]
    assert [video.path for video in videos(library)] == [str(clip)]
    film(clip, 1, 1, 2.0)
    taken(library, copy, clip)
    assert sorted((video.path, video.missing) for video in videos(library)) == [(str(copy), False), (str(clip), False)]


def test_doubles_that_an_older_release_left_become_one(library: Path, clip: Path) -> None:
    """Two videos with one path: the one whose content lies there stays."""
    taken(library, clip)
    film(clip, 1, 1, 2.0)
    new = taken(library, clip)[0].video_id
    with Library.open(library) as opened:
        left = film(clip.with_name("old.mp4"), 2, 0, 2.0)
        ingest_id = taken(library, left)[0].video_id
        left.unlink()
        opened.catalogue.relocate(str(ingest_id), str(clip))
    taken(library, clip)
    assert [video.video_id for video in videos(library)] == [new]


def changing_while(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Change a file after its features were made."""
    decode = app.library.reading.decode_part

    def decode_and_change(front_end: Any, path: Path, *rest: Any) -> Any:
        features = decode(front_end, path, *rest)
        change(path)
        return features

    monkeypatch.setattr(app.library.reading, "decode_part", decode_and_change)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    copy = Path(shutil.copy2(path, path.with_name("new")))
    os.replace(copy, path)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [append, replace, touch, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_taken_next_time(
    library: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    """It is neither damaged nor failed, and nothing of it stays."""
    kept = Path(shutil.copy(clip, clip.with_name("kept")))
    with monkeypatch.context() as patched:
        changing_while(patched, change)
        (outcome,) = taken(library, clip)
    assert (outcome.state, outcome.code) == ("changing", "changing")
    assert "changes while it is read: it is taken next time" in str(outcome.detail)
    with Library.open(library) as opened:
        assert (opened.catalogue.stats().videos, opened.catalogue.failures()) == (0, [])
        assert list(opened.previews.iterdir()) == list(opened.cache.glob("features/*/*")) == []
    shutil.copy(kept, clip)
    assert taken(library, clip)[0].state == "added"


def test_a_file_that_looks_damaged_while_it_is_written_is_no_failure(
    library: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half of it cannot be decoded, and the rest comes while that is found out."""
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) // 2])
    inspect = app.library.reading.inspect

    def grow_and_inspect(front_end: Any, path: Path, *rest: Any) -> Any:
        try:
            return inspect(front_end, path, *rest)
        finally:
            path.write_bytes(content)

    with monkeypatch.context() as patched:
        patched.setattr(app.library.reading, "inspect", grow_and_inspect)
        assert taken(library, clip)[0].state == "changing"
    assert taken(library, clip)[0].state == "added"


def test_a_file_that_may_not_be_read_is_named_with_what_to_do(open_path: Path) -> None:
    """Not "export it again": its rights are what is wrong."""
    closed = film(open_path / "closed.mp4", 0, 0, 1.0)
    closed.chmod(0o600)
    (open_path / "library").mkdir(mode=0o777)
    (open_path / "library").chmod(0o777)
    with as_nobody(), Session.open(open_path / "library", CPU, "raw") as session:
        (outcome,) = ingest(session, [Source(closed, closed.name, listed=True)], FOOTAGE)
    assert (outcome.state, outcome.code) == ("failed", "not_readable")
    assert "give the user that runs Echolens the right to read it" in str(outcome.detail)


def test_a_person_s_own_file_stays_though_its_content_was_uploaded_once(library: Path, clip: Path) -> None:
    """The upload is gone, the content is found again where a person keeps it: deleting the video spares that file."""
    with Session.open(library, CPU, "raw") as session:
        upload = Path(shutil.copy(clip, session.library.media / "upload-1.mp4"))
        ingest(session, [Source(upload, clip.name, uploaded=True)], FOOTAGE)
        upload.unlink()
        (outcome,) = ingest(session, [Source(clip, clip.name)], FOOTAGE)
        assert (outcome.state, outcome.note) == ("known", "it had moved: found again")
        assert not delete_video(session.library, str(outcome.video_id)).uploaded
    assert clip.is_file()


def test_an_upload_that_a_lost_file_s_video_is_found_in_goes_with_it(library: Path, clip: Path) -> None:
    """Its video was ingested from a path, whose file is gone."""
    with Session.open(library, CPU, "raw") as session:
        upload = Path(shutil.copy(clip, session.library.media / "upload-1.mp4"))
        ingest(session, [Source(clip, clip.name)], FOOTAGE)
        clip.unlink()
        (outcome,) = ingest(session, [Source(upload, clip.name, uploaded=True)], FOOTAGE)
        assert delete_video(session.library, str(outcome.video_id)).uploaded
    assert not upload.exists()


def test_deleting_spares_what_an_older_release_took_for_an_upload(library: Path, clip: Path) -> None:
    """It kept calling a video uploaded after it was found elsewhere."""
    (outcome,) = taken(library, clip)
    with Library.open(library) as opened:
        opened.catalogue.relocate(str(outcome.video_id), str(clip), uploaded=True)
        delete_video(opened, str(outcome.video_id))
    assert clip.is_file()
