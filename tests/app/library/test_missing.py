"""Videos whose files are gone are marked and not searched; a disk that is not there marks nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from service_samples import film, ingest_into

from app.library.check import check
from app.library.ingest import Outcome, Source
from app.library.missing import mark_gone, report
from index.library import Library
from index.records import Video

LONG_AGO_S = 1e9


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make two clips, one of them in a folder."""
    (tmp_path / "root" / "disk").mkdir(parents=True)
    film(tmp_path / "root" / "a.mp4", 0, 0, 1.0)
    film(tmp_path / "root" / "disk" / "b.mp4", 1, 1, 1.0)
    return tmp_path / "root"


@pytest.fixture
def library(tmp_path: Path, root: Path) -> Path:
    taken(tmp_path / "library", root / "a.mp4", root / "disk" / "b.mp4")
    return tmp_path / "library"


def taken(library: Path, *files: Path) -> list[Outcome]:
    return ingest_into(library, [Source(file, file.name) for file in files])


def gone(library: Path, directory: Path) -> list[str]:
    with Library.open(library) as opened:
        return [video.file_name for video in mark_gone(opened, [directory])]


def searched(library: Path) -> set[str]:
    with Library.open(library) as opened:
        return {video.file_name for video in opened.catalogue.latents("visual").videos.values()}


def test_a_file_that_is_gone_is_marked_and_not_searched(library: Path, root: Path) -> None:
    """Told once; the library is sound."""
    (root / "a.mp4").unlink()
    assert gone(library, root) == ["a.mp4"]
    assert gone(library, root) == []
    assert searched(library) == {"b.mp4"}
    assert [finding.severity for finding in check(library, media=True) if "missing" in finding.code] == ["remark"]


def test_it_comes_back_with_its_file(library: Path, root: Path, tmp_path: Path) -> None:
    """At its old path or a new one, known by its content."""
    for back in (root / "a.mp4", root / "renamed.mp4"):
        (found,) = list(root.glob("*.mp4"))
        found.rename(tmp_path / "away.mp4")
        assert len(gone(library, root)) == 1
        (tmp_path / "away.mp4").rename(back)
        (outcome,) = taken(library, back)
        assert outcome.state == "known"
        assert "found again" in str(outcome.note)
        assert searched(library) == {"a.mp4", "b.mp4"}


def test_a_directory_that_is_empty_marks_nothing(library: Path, root: Path) -> None:
    """Its disk may not be there."""
    shutil.rmtree(root)
    assert gone(library, root) == []
    root.mkdir()
    assert gone(library, root) == []


def test_a_folder_on_which_a_disk_was_marks_nothing(library: Path, root: Path) -> None:
    """It is empty, and nobody deleted a file in it since: its time is older than the video."""
    (root / "disk" / "b.mp4").unlink()
    os.utime(root / "disk", (LONG_AGO_S, LONG_AGO_S))
    assert gone(library, root) == []


def test_a_folder_that_was_emptied_marks_what_was_in_it(library: Path, root: Path) -> None:
    """Its time says that something was deleted."""
    (root / "disk" / "b.mp4").unlink()
    assert gone(library, root) == ["b.mp4"]


def test_a_folder_that_is_gone_marks_what_was_in_it(library: Path, root: Path) -> None:
    """The one above it holds something."""
    shutil.rmtree(root / "disk")
    assert gone(library, root) == ["b.mp4"]


def test_a_link_to_a_disk_that_is_not_there_marks_nothing(tmp_path: Path) -> None:
    """The file is looked for where the link leads."""
    root, disk = tmp_path / "root", tmp_path / "mnt" / "disk"
    (root / "sub").mkdir(parents=True)
    disk.mkdir(parents=True)
    film(disk / "films.mp4", 0, 0, 1.0)
    (root / "link").symlink_to(disk)
    (root / "other").touch()
    taken(tmp_path / "library", root / "link" / "films.mp4")
    (disk / "films.mp4").unlink()
    os.utime(disk, (LONG_AGO_S, LONG_AGO_S))
    assert gone(tmp_path / "library", root) == []


def test_other_directories_are_not_looked_at(library: Path, root: Path) -> None:
    """Neither beside it nor with a name that begins alike."""
    (root / "a.mp4").unlink()
    (root.parent / "roo").mkdir()
    (root.parent / "roo" / "x").touch()
    assert gone(library, root.parent / "roo") == gone(library, root / "disk") == []


def test_the_report_names_the_first_few() -> None:
    """In one sentence."""
    videos = [Video(str(n), "", "", f"{n}.mp4", "", 1.0, False, None, None, None, "") for n in range(5)]
    assert report(videos).startswith("5 videos went missing: 0.mp4, 1.mp4, 2.mp4, ...")
