"""`echolens watch`, as a process that is stopped and killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from media_samples import tone, write_sound
from service_samples import Command, until

from index.library import Library
from model.errors import LibraryError

ROOT = Path(__file__).parents[3]


@contextmanager
def watching(library: Path, root: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `echolens watch`; kill it at the end if it runs."""
    options = ["--frontend", "raw", "--settle", "0.2", "--rescan", "1000", "--device", "cpu"]
    command = [sys.executable, "-m", "app.cli", "watch", str(root), "--library", str(library), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def names(library: Path) -> set[str]:
    try:
        with Library.inspect(library) as opened:
            return {video.file_name for video in opened.catalogue.every_video() if video.complete}
    except LibraryError:  # not yet made
        return set()


def test_it_ends_when_told_and_catches_up_after_it_was_killed(tmp_path: Path) -> None:
    """SIGTERM: exit code 0 and no traceback. After kill -9 the next start takes in what came meanwhile."""
    library, root = tmp_path / "library", tmp_path / "footage"
    root.mkdir()
    with watching(library, root) as process:
        write_sound(root / "a.wav", tone(1), 16000)
        until(lambda: "a.wav" in names(library), 60)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    write_sound(root / "b.wav", tone(1, frequency_hz=300.0), 16000)
    with watching(library, root) as process:
        until(lambda: names(library) == {"a.wav", "b.wav"}, 60)
        write_sound(root / "c.wav", tone(1, frequency_hz=200.0), 16000)
        until(lambda: names(library) == {"a.wav", "b.wav", "c.wav"}, 60)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out.splitlines() == [
        f"{root / name}: added (no picture: only its sound can be found)" for name in ("b.wav", "c.wav")
    ]
    assert "Traceback" not in err


def test_a_file_is_no_directory_to_watch(echolens: Command, tmp_path: Path) -> None:
    """The message says what takes files."""
    path = write_sound(tmp_path / "a.wav", tone(1), 16000)
    ran = echolens("watch", path, "--library", tmp_path / "library")
    assert ran.code == 6
    assert "echolens ingest" in ran.err
