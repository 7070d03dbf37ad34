"""Temporary files: gone with the request, with the service, and after a kill with the next start."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fastapi import UploadFile

from app.http.uploads import SMALL_BYTES, query_file
from app.media.upload import SmallUpload, on_disk
from app.processes.scratch import scratch


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_goes_with_the_service(temporary: Path) -> None:
    """With all that is in it."""
    with scratch() as directory:
        (directory / "file").write_bytes(b"1")
        assert directory.parent == temporary
    assert list(temporary.iterdir()) == []


def test_what_a_killed_service_left_goes_at_the_next_start(temporary: Path) -> None:
    """A folder that nobody holds goes; another service's, and what is not ours, stays."""
    left = temporary / "elscratch-left"
    left.mkdir()
    (left / "clip.mp4").write_bytes(b"1")
    (temporary / "other").mkdir()
    with scratch() as first, scratch() as second:
        assert not left.exists()
        assert first.is_dir()
        assert {p.name for p in temporary.iterdir()} == {"other", first.name, second.name}


@pytest.mark.parametrize("size", [10, SMALL_BYTES + 1])
@pytest.mark.parametrize("fails", [False, True])
def test_a_query_s_file_lives_as_long_as_its_request(temporary: Path, size: int, fails: bool) -> None:
    """Under its own name, whole, and gone after, however the request ends."""

    async def run() -> None:
        upload = UploadFile(io.BytesIO(bytes(size)), size=size, filename="../../a b.wav")
        async with query_file(upload, temporary) as file:
            assert file is not None
            assert isinstance(file, Path) == (size > SMALL_BYTES), "what is small stays in memory until it is decoded"
            with on_disk(file) as path:
                assert (path.name, path.stat().st_size) == ("a b.wav", size)
                assert path.parent.parent == temporary
                if fails:
                    raise ValueError("the request failed")

    if fails:
        with pytest.raises(ValueError, match="the request failed"):
            asyncio.run(run())
    else:
        asyncio.run(run())
    assert [path for path in temporary.rglob("*") if path.name != f"uploads-{os.getpid()}"] == []


def test_a_held_file_can_be_written_where_a_killed_process_began(temporary: Path) -> None:
    """What it left under the same name is no hindrance to the second attempt; only the folder stays."""
    folder = temporary / f"uploads-{os.getpid()}"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"so, and more")
    with on_disk(SmallUpload(temporary, "a.wav", b"sound")) as path:
        assert path == folder / "a.wav"
        assert path.read_bytes() == b"sound"
    assert list(temporary.rglob("*")) == [folder]


def test_a_folder_that_is_tidied_up_is_made_again(temporary: Path) -> None:
    """As systems do with temporary files that nobody has touched for days."""
    for _ in range(2):
        with on_disk(SmallUpload(temporary, "a.wav", b"sound")) as path:
            assert path.read_bytes() == b"sound"
        path.parent.rmdir()


def test_the_folder_of_a_process_that_was_killed_goes_with_the_next_one(temporary: Path) -> None:
    """The first small upload of a process clears up; the folders of processes that run stay."""
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE, check=True)
    left, other = temporary / f"uploads-{int(ended.stdout)}", temporary / f"uploads-{os.getppid()}"
    for folder in (left, other):
        folder.mkdir()
        (folder / "a.wav").write_bytes(b"sound")
    with on_disk(SmallUpload(temporary, "b.wav", b"sound")) as path:
        assert not left.exists()
        assert (other / "a.wav").exists()
        assert path.parent.name == f"uploads-{os.getpid()}"
