"""Pulling pinned weights: from a directory, from a URL, interrupted, wrong."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.request
from pathlib import Path

import pytest

from model.errors import FrontEndError
from model.frontends import weights
from model.frontends.weights import WeightsFile, pull, verified

CONTENTS = {"one.tflite": b"one" * 100_000, "two.tflite": b"two" * 100_000}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pin two small files and return the directory that holds them."""
    directory = tmp_path / "home"
    directory.mkdir()
    pinned = []
    for name, content in CONTENTS.items():
        (directory / name).write_bytes(content)
        url = (directory / name).as_uri()
        pinned.append(WeightsFile(name, url, hashlib.sha256(content).hexdigest(), len(content)))
    monkeypatch.setattr(weights, "PULLED", tuple(pinned))
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir()}


@pytest.mark.parametrize("from_directory", [True, False], ids=["from a directory", "from their URLs"])
def test_a_pull_fills_the_directory(home: Path, tmp_path: Path, from_directory: bool) -> None:
    """All files arrive, nothing else does, and each origin is reported, with the size, before it is fetched."""
    reported: list[str] = []
    paths = pull(tmp_path / "new" / "into", home if from_directory else None, reported.append)
    assert contents(tmp_path / "new" / "into") == CONTENTS
    assert [p.name for p in paths] == list(CONTENTS)
    origins = [str(home / n) if from_directory else (home / n).as_uri() for n in CONTENTS]
    assert reported == [f"Fetching {n} (0.3 MB) from {origin}" for n, origin in zip(CONTENTS, origins, strict=True)]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError("disk full")], ids=type)
def test_an_interrupted_copy_leaves_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    """Half a file is neither kept nor taken for weights."""

    def half(origin: str, target: Path) -> None:
        target.write_bytes(Path(origin).read_bytes()[:100])
        raise interruption

    monkeypatch.setattr(shutil, "copyfile", half)
    expected = FrontEndError if isinstance(interruption, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        pull(tmp_path / "into", home)
    assert contents(tmp_path / "into") == {}


def test_a_connection_that_breaks_off_is_a_front_end_error(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The HTTP client's own errors do not leak, and nothing is left."""

    def broken(origin: str, timeout: float) -> None:
        raise http.client.IncompleteRead(b"half")

    monkeypatch.setattr(urllib.request, "urlopen", broken)
    with pytest.raises(FrontEndError, match="--from DIR"):
        pull(tmp_path / "into")
    assert contents(tmp_path / "into") == {}


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", CONTENTS["two.tflite"][:-1]])
def test_a_wrong_file_is_refused(home: Path, tmp_path: Path, content: bytes) -> None:
    """What is not the pinned file does not appear; what was right before it stays."""
    (home / "two.tflite").write_bytes(content)
    with pytest.raises(FrontEndError, match=r"two\.tflite has the SHA-256 .*, expected"):
        pull(tmp_path / "into", home)
    assert contents(tmp_path / "into") == {"one.tflite": CONTENTS["one.tflite"]}


def test_a_wrong_file_never_replaces_a_right_one(home: Path, tmp_path: Path) -> None:
    """After a pull from a bad source the weights that were there still serve."""
    pull(tmp_path / "into", home)
    (home / "one.tflite").write_bytes(b"spoilt")
    with pytest.raises(FrontEndError):
        pull(tmp_path / "into", home)
    assert contents(tmp_path / "into") == CONTENTS


def test_a_source_without_the_file_says_so(home: Path, tmp_path: Path) -> None:
    """The message names the file that is missing."""
    (home / "two.tflite").unlink()
    with pytest.raises(FrontEndError, match=r"two\.tflite \(0\.3 MB\) cannot be fetched"):
        pull(tmp_path / "into", home)


def test_a_target_that_is_a_file_is_refused(home: Path, tmp_path: Path) -> None:
    """Weights go into a directory."""
    (tmp_path / "into").write_text("x")
    with pytest.raises(FrontEndError, match=r"given, a directory .*expected"):
        pull(tmp_path / "into", home)


def test_verified_bytes_are_the_files(home: Path) -> None:
    """What is right is returned whole; one bit more or less is refused."""
    pinned = weights.PULLED[0]
    assert verified(home, pinned) == CONTENTS["one.tflite"]
    (home / "one.tflite").write_bytes(CONTENTS["one.tflite"][:-1] + b"f")
    with pytest.raises(FrontEndError, match="SHA-256"):
        verified(home, pinned)


@pytest.mark.shared
def test_the_pins_are_those_of_the_shared_weights(shared: Path, tmp_path: Path) -> None:
    """The pinned checksums are right: a pull of the real files goes through."""
    assert len(pull(tmp_path / "into", shared / "frontends")) == 1
