"""What does a watched directory cost? A look at files that are known, and `echolens watch` while nothing happens.

    python -m benchmarks.robustness.watched [--files 10000 100000] [--seconds 60] [--json OUT]

CPU seconds of a look, the best of three; how long until the next look without an event; and the share of one core that
the process takes over so many seconds at rest, with a library of 20 sounds.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from operator import attrgetter
from pathlib import Path

import numpy as np
import soundfile

from app.library.examined import stamp_of
from app.library.listing import list_files
from app.library.watch import MOST_SHARE_AT_REST, RESCAN_S, Watch
from benchmarks.report import json_parser, tell
from index.library import CATALOGUE, Library

COLUMNS = "video_id, sha256, path, file_name, media_type, duration_s, uploaded, added_at"
PER_FOLDER, SOUNDS, RATE_HZ, MOST_START_S = 1000, 20, 8000, 120.0


def main() -> None:
    """Measure the looks, then the process."""
    parser = json_parser(__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    looks = [looked(files) for files in arguments.files]
    tell({"looks": looks, "at_rest": rested(arguments.seconds)}, arguments.json)


def looked(files: int) -> dict[str, float]:
    """Return what a look at so many known files costs."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "footage"
        for number in range(files):
            folder = root / f"{number // PER_FOLDER:04d}"
            if number % PER_FOLDER == 0:
                folder.mkdir(parents=True)
            (folder / f"clip-{number:07d}.mp4").write_bytes(b"x")
        with Library.open(Path(directory) / "library") as library:
            _take_in(library, root)
            watch = Watch(library, [root], lambda path: list_files([path]), attrgetter("path"))
            computed_s = []
            for _ in range(3):
                began_s = time.thread_time()
                assert watch.look() == [], "all of it is known"
                computed_s.append(time.thread_time() - began_s)
            watch.close()
    least_s = min(computed_s)
    return {"files": files, "cpu_s": round(least_s, 3), "next_s": round(max(RESCAN_S, least_s / MOST_SHARE_AT_REST))}


def _take_in(library: Library, root: Path) -> None:
    """Write videos of files that nobody reads."""
    rows, examined = [], []
    for number, listed in enumerate(list_files([root]).files):
        video_id, path = f"{number:016x}", str(listed.path)
        rows.append((video_id, f"{number:064x}", path, listed.path.name, "video/mp4", 1.0, 0, "2026-01-01T00:00:00"))
        stamp = stamp_of(listed.path)
        assert stamp is not None
        examined.append((path, stamp, video_id))
    with sqlite3.connect(library.directory / CATALOGUE) as connection:
        connection.executemany(f"INSERT INTO videos ({COLUMNS}) VALUES ({', '.join('?' * 8)})", rows)
    connection.close()
    library.catalogue.put_examined(examined)


def rested(seconds: float) -> dict[str, float]:
    """Return what `echolens watch` takes of a core while nothing happens."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "footage"
        root.mkdir()
        for number in range(SOUNDS):
            time_s = np.arange(RATE_HZ) / RATE_HZ
            soundfile.write(root / f"{number}.wav", 0.5 * np.sin(2 * np.pi * (200 + 10 * number) * time_s), RATE_HZ)
        options = ["--library", f"{directory}/library", "--frontend", "raw", "--settle", "1", "--device", "cpu"]
        command = [sys.executable, "-m", "app.cli", "watch", str(root), *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            late = threading.Timer(MOST_START_S, process.kill)
            late.start()
            assert process.stdout is not None
            for _ in range(SOUNDS):
                assert "added" in process.stdout.readline()
            late.cancel()
            time.sleep(5)
            before = _ticks(process.pid)
            time.sleep(seconds)
            took = (_ticks(process.pid) - before) / os.sysconf("SC_CLK_TCK")
            process.terminate()
    return {
        "seconds": seconds,
        "cpu_s": took,
        "share_of_a_core": round(took / seconds, 5),
        "exit_code": process.returncode,
    }


def _ticks(pid: int) -> int:
    after_name = re.sub(r"^.*\) ", "", Path(f"/proc/{pid}/stat").read_text())
    user, system = after_name.split()[11:13]
    return int(user) + int(system)


if __name__ == "__main__":
    main()
