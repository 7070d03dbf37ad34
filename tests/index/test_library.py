"""A library is a directory that one writer at a time may change."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.library import Library
from model.errors import LibraryBusy, LibraryError

ROOT = Path(__file__).parents[2]


def test_a_library_is_made_and_found_again(tmp_path: Path) -> None:
    """Opening makes the directory with its folders; opening it again, also with create=False, finds it."""
    with Library.open(tmp_path / "a" / "b") as library:
        folders = library.cache, library.checkpoints, library.frontends, library.previews, library.media
        assert all(f.is_dir() and f.parent == library.directory for f in folders)
        library.catalogue.set_identity("raw", None)
    with Library.open(tmp_path / "a" / "b", create=False) as library:
        assert library.catalogue.frontend == "raw"


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    """A file, a directory of something else and, without create, an empty one are refused, untouched."""
    file, other, empty = tmp_path / "file", tmp_path / "other", tmp_path / "empty"
    file.write_text("x")
    other.mkdir()
    (other / "clip.mp4").write_text("x")
    empty.mkdir()
    for path, create in ((file, True), (other, True), (empty, False), (tmp_path / "absent", False)):
        with pytest.raises(LibraryError, match=r"given.*expected.*:"):
            Library.open(path, create)
    assert [p.name for p in other.iterdir()] == ["clip.mp4"]
    assert list(empty.iterdir()) == []
    assert not (tmp_path / "absent").exists()


def test_a_directory_that_holds_only_a_library_s_own_parts_may_become_one(tmp_path: Path) -> None:
    """Pulled front-ends, a volume's lost+found and hidden files are no obstacle."""
    for name in ("frontends", "lost+found", ".hidden"):
        (tmp_path / name).mkdir()
    with Library.open(tmp_path) as library:
        assert library.catalogue.stats().videos == 0


def test_one_writer_over_threads(tmp_path: Path) -> None:
    """A second writer is turned away at once, while readers read; the lock is free again afterwards."""

    def write(library: Library) -> None:
        with library.writer():
            pass

    with (
        Library.open(tmp_path) as library,
        Library.open(tmp_path) as second,
        ThreadPoolExecutor(1) as threads,
    ):
        with library.writer():
            for other in (library, second):
                with pytest.raises(LibraryBusy, match="one writer"):
                    threads.submit(write, other).result()
            assert second.catalogue.stats().videos == 0
        threads.submit(write, second).result()


CHILD = """
import sys
from pathlib import Path
from index.library import Library
with Library.open(Path(sys.argv[1])).writer():
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_one_writer_over_processes_and_a_dead_one_does_not_block(tmp_path: Path) -> None:
    """Another process's lock holds, and ends when that process is killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child, Library.open(tmp_path) as library:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        with pytest.raises(LibraryBusy), library.writer():
            pass
        child.kill()
        child.wait()
        with library.writer():
            pass


def test_features_have_a_place_per_content_and_front_end(tmp_path: Path) -> None:
    """Two front-ends or two videos never share a file; the folder is there; an id cannot leave the cache."""
    with Library.open(tmp_path) as library:
        paths = {library.features_path(video, f) for video in ("a" * 64, "b" * 64) for f in ("raw-1", "paper-1")}
        assert len(paths) == 4
        assert all(p.parent.is_dir() and p.is_relative_to(library.cache / "features") for p in paths)
        for wrong in ("../x", "", ".."):
            with pytest.raises(ValueError, match="front-end"):
                library.features_path("a" * 64, wrong)
