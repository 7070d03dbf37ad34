"""Which files below a directory may be footage."""

from __future__ import annotations

import os
import socket
import time
import tracemalloc
from pathlib import Path

import pytest
from rights_samples import as_nobody

from app.library.listing import Listing, is_no_medium, list_files
from index.library import Library
from model.errors import Damaged, EmptyFile, NotAMedium


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def names_of(listing: Listing, root: Path) -> list[str]:
    return [str(listed.path.relative_to(root)) for listed in listing.files]


def test_every_ordinary_file_is_listed_in_the_order_of_its_path(tmp_path: Path) -> None:
    """Whatever its ending: what a file is, its content decides when it is read."""
    files = ["a.mp4", "b.MOD", "b/c.tod", "b/x", "b-c/y.dav", "film.nfo", "no suffix", "z.ts"]
    touch(tmp_path, *files)
    listing = list_files([tmp_path])
    assert names_of(listing, tmp_path) == sorted(files, key=lambda name: name.split("/"))
    assert not any(listed.named for listed in listing.files)
    assert str(listing.passed) == ""


def test_what_is_still_being_copied_or_downloaded_is_passed_over(tmp_path: Path) -> None:
    """Its name changes when it is whole; named by a person it is taken."""
    touch(tmp_path, "a.mp4", "b.mp4.part", "c.mkv.crdownload", "D.WAV.PARTIAL", "parts.part/e.mp4")
    listing = list_files([tmp_path])
    assert names_of(listing, tmp_path) == ["a.mp4", "parts.part/e.mp4"]
    assert str(listing.passed) == "Passed over: 3 unfinished copies and downloads (such as D.WAV.PARTIAL)."
    assert names_of(list_files([tmp_path / "b.mp4.part"]), tmp_path) == ["b.mp4.part"]


def test_what_systems_and_cameras_leave_is_passed_over_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind is counted with an example."""
    touch(tmp_path, "a.mp4", ".DS_Store", "._a.mp4", ".Trashes/a.mp4", "@eaDir/a.mp4/SYNOVIDEO.mp4", "#recycle/b.mp4")
    touch(tmp_path, "$RECYCLE.BIN/c.mp4", "g/GOPR1.MP4", "g/GOPR1.LRV", "g/GOPR1.THM", "alone/GOPR2.LRV")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "nowhere.mp4").symlink_to("gone.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        server.bind("socket.mp4")
        listing = list_files([tmp_path])
    assert names_of(listing, tmp_path) == ["a.mp4", "alone/GOPR2.LRV", "g/GOPR1.MP4"]
    assert str(listing.passed) == (
        "Passed over: 3 system folders (such as #recycle), 3 hidden (such as .DS_Store), "
        "2 pipes, sockets and devices (such as pipe.mp4), 2 side files (such as GOPR1.LRV), "
        "1 links that lead nowhere (such as nowhere.mp4)."
    )


def test_what_a_person_names_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    """Also in a directory that is passed over, and one that is hidden itself; in the order it was named."""
    touch(tmp_path, "@eaDir/film.mp4", ".hidden/b.mp4", "notes.txt")
    named = [tmp_path / "notes.txt", tmp_path / "@eaDir" / "film.mp4", tmp_path / ".hidden"]
    listing = list_files(named)
    assert names_of(listing, tmp_path) == ["notes.txt", "@eaDir/film.mp4", ".hidden/b.mp4"]
    assert [listed.named for listed in listing.files] == [True, True, False]


def test_links_are_followed_once(tmp_path: Path) -> None:
    """In a circle, to a folder above, twice to one place, to a file that is there: nothing comes twice."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    touch(root, "b/real.mp4", "z.mp4")
    touch(elsewhere, "deep/far.mp4")
    (root / "a").symlink_to(root / "b")
    (root / "b" / "circle").symlink_to(root)
    (root / "b" / "self").symlink_to("self")
    (root / "above").symlink_to(tmp_path)
    (root / "copy.mp4").symlink_to("z.mp4")
    (root / "far").symlink_to(elsewhere)
    (root / "farther").symlink_to(elsewhere / "deep")
    (elsewhere / "back").symlink_to(root)
    listing = list_files([root])
    assert names_of(listing, root) == ["b/real.mp4", "far/deep/far.mp4", "z.mp4"]
    assert listing.files[1].real == elsewhere / "deep" / "far.mp4"
    assert listing.passed.counts == {"reached twice": 5, "links to folders above": 1, "links that lead nowhere": 1}


def test_directories_that_overlap_give_each_file_once(tmp_path: Path) -> None:
    """A file that is named beside its directory stays a file that a person named."""
    touch(tmp_path, "a/b/c.txt", "a/d.mp4")
    listing = list_files([tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c.txt"])
    assert sorted(names_of(listing, tmp_path)) == ["a/b/c.txt", "a/d.mp4"]
    assert {listed.path.name: listed.named for listed in listing.files} == {"d.mp4": False, "c.txt": True}


def test_links_out_of_what_may_be_read_are_named(tmp_path: Path) -> None:
    """Neither the file nor the folder behind them is looked at."""
    root, secret = tmp_path / "root", tmp_path / "secret"
    touch(root, "a.mp4")
    touch(secret, "s.mp4")
    (root / "file.mp4").symlink_to(secret / "s.mp4")
    (root / "folder").symlink_to(secret)
    listing = list_files([root], lambda path: path.is_relative_to(root))
    assert names_of(listing, root) == ["a.mp4"]
    assert listing.outside == (root / "file.mp4", root / "folder")


def test_a_library_below_a_directory_is_passed_over(tmp_path: Path) -> None:
    """Its previews are no footage."""
    Library.open(tmp_path / "data").close()
    touch(tmp_path, "data/previews/00/0.jpg", "a.mp4")
    listing = list_files([tmp_path])
    assert names_of(listing, tmp_path) == ["a.mp4"]
    assert listing.passed.counts == {"Echolens libraries": 1}


@pytest.mark.parametrize("mode", [0o744, 0o700, 0o311])
def test_a_directory_that_may_not_be_read_is_named_and_the_rest_listed(open_path: Path, mode: int) -> None:
    """Of another user: without the right to enter it or to list it."""
    touch(open_path, "a.mp4", "closed/b.mp4", "z.mp4")
    (open_path / "closed").chmod(mode)
    with as_nobody():
        listing = list_files([open_path])
    assert names_of(listing, open_path) == ["a.mp4", "z.mp4"]
    assert listing.unreadable == ((open_path / "closed", "Permission denied"),)


def test_twenty_thousand_files_are_listed_at_once_in_little_memory(tmp_path: Path) -> None:
    """In seconds of a processor, and about a kilobyte each."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(20_000):
        os.close(os.open(folder / f"{number:06d}.mp4", os.O_CREAT))
    tracemalloc.start()
    began_s = time.process_time()
    listing = list_files([tmp_path])
    spent_s, (_, most) = time.process_time() - began_s, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(listing.files) == 20_000
    assert spent_s < 20
    assert most < 20_000 * 2000


@pytest.mark.parametrize(
    ("name", "content", "error", "is_none"),
    [
        ("film.nfo", b"a text", NotAMedium("x"), True),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0\0", NotAMedium("x"), True),
        ("empty", b"", EmptyFile("x"), True),
        ("go.mod", b"module owl\n", NotAMedium("x"), True),
        ("page.ts", b"export const owl = 1\n", Damaged("x"), True),
        ("clip.mp4", b"a text", NotAMedium("x"), False),
        ("clip.mp4", b"", EmptyFile("x"), False),
        ("MOV001.MOD", b"\0\0\0\0" * 9, NotAMedium("x"), False),
        ("recording.ts", b"\0" * 99, NotAMedium("x"), False),
        ("recording", b"\0" * 99, Damaged("x"), False),
    ],
)
def test_what_is_no_medium_and_what_is_broken(
    tmp_path: Path, name: str, content: bytes, error: NotAMedium | Damaged, is_none: bool
) -> None:
    """Named like a medium it is a failure; else one only where its format was known."""
    (tmp_path / name).write_bytes(content)
    assert is_no_medium(tmp_path / name, error) is is_none
