"""What libraries print of their own accord stays off the terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from media_samples import write_video

from model.frontends.pretrained import GREETING, _without_greeting

ROOT = Path(__file__).parents[3]


@pytest.mark.shared
def test_ingest_with_pretrained_prints_nothing_to_standard_error(shared: Path, tmp_path: Path) -> None:
    """LiteRT's greeting is not shown, and nothing else is."""
    shutil.copytree(shared / "frontends", tmp_path / "lib" / "frontends")
    clip = write_video(tmp_path / "clip.mp4", 2.0)
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "ingest",
        clip,
        "--frontend",
        "pretrained",
        "--library",
        tmp_path / "lib",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_real_errors_come_through(capfd: pytest.CaptureFixture[str]) -> None:
    """All that is printed but the greeting appears, also where the block fails; then standard error is as before."""

    def fail() -> None:
        with _without_greeting():
            os.write(2, b"ERROR: out of memory\n" + GREETING + b"\nmore\n")
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    assert capfd.readouterr().err == "ERROR: out of memory\nmore\n"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
