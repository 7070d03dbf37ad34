"""What names tell of files that systems and cameras leave beside footage."""

from __future__ import annotations

import pytest

from app.library.names import is_named_as_medium, is_system_folder, looks_like_text, side_files


@pytest.mark.parametrize(
    ("parent", "name"),
    [
        ("films", "@eaDir"),
        ("films", "#recycle"),
        ("films", "@Recycle"),
        ("", "$RECYCLE.BIN"),
        ("", "System Volume Information"),
        ("", "lost+found"),
        ("", "FOUND.000"),
        ("films", "__MACOSX"),
        ("photos", "Catalogue Previews.lrdata"),
        ("M4ROOT", "THMBNL"),
        ("M4ROOT", "SUB"),
        ("CONTENTS", "ICON"),
        ("DCIM", "CANONMSC"),
        ("Photos Library.photoslibrary", "resources"),
        ("Holiday.fcpbundle", "Render Files"),
    ],
)
def test_folders_of_systems_and_of_small_copies(parent: str, name: str) -> None:
    """Whatever the case of their letters."""
    assert is_system_folder(name, parent)
    assert is_system_folder(name.lower(), parent.upper())


@pytest.mark.parametrize(
    ("parent", "name"),
    [
        ("films", "recycle"),
        ("films", "SUB"),
        ("films", "icon"),
        ("CLIP", "THMBNL"),
        ("Photos Library.photoslibrary", "originals"),
        ("M4ROOT", "CLIP"),
        ("", "found"),
    ],
)
def test_folders_of_people(parent: str, name: str) -> None:
    """The same words elsewhere are names that a person gave."""
    assert not is_system_folder(name, parent)


@pytest.mark.parametrize(
    ("side", "film"),
    [
        ("GOPR0001.LRV", "GOPR0001.MP4"),
        ("GOPR0001.THM", "GOPR0001.MP4"),
        ("GL010001.LRV", "GX010001.MP4"),
        ("gl020001.lrv", "GH020001.MP4"),
        ("DJI_0001.LRF", "DJI_0001.MP4"),
        ("DJI_0001.SRT", "DJI_0001.MP4"),
        ("VIRB0001.GLV", "VIRB0001.MP4"),
        ("MVI_0001.THM", "MVI_0001.AVI"),
        ("C0001M01.XML", "C0001.MP4"),
        ("MOV001.MOI", "MOV001.MOD"),
        ("LRV_20230101_120000_01_001.insv", "VID_20230101_120000_00_001.insv"),
        ("IMG_0001.xmp", "IMG_0001.JPG"),
    ],
)
def test_a_side_file_is_one_only_beside_its_film(side: str, film: str) -> None:
    """Alone it is all that is left of the film."""
    assert side_files([film, side]) == {side}
    assert side_files([side]) == side_files([side, "other.mp4"]) == set()


def test_a_small_copy_beside_a_photograph_or_a_text_is_no_side_file() -> None:
    """Only a film has a small copy."""
    assert side_files(["A.LRV", "A.JPG", "A.txt", "B.LRF", "B.WAV"]) == set()


def test_what_is_named_as_a_medium() -> None:
    """By the ending, whatever its case; no table of the machine is asked."""
    assert all(map(is_named_as_medium, ["a.MP4", "b.m2ts", "c.heic", "d.Opus", "e.mxf", "f.360"]))
    assert not any(map(is_named_as_medium, ["a", "a.txt", "a.mod", "a.ts", "a.db", "a.zip", "mp4"]))


def test_text_is_known_by_its_first_bytes() -> None:
    """A letter may be cut in two at the end of them; zeros and broken letters are no text."""
    assert looks_like_text(b"")
    assert looks_like_text("module owl\n\nü".encode()[:-1])
    assert not looks_like_text(b"\x47\x40\0\x10")
    assert not looks_like_text(b"\xff\xfe" + b"a" * 100)
