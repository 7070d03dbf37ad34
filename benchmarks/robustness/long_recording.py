"""Does a recording of a day come in, in flat memory, and once? Ingests it, and kills that at random moments.

    python -m benchmarks.robustness.long_recording [--hours 24] [--kind mkv] [--kills 5] [--seed 0] [--json OUT]

Makes a recording of one hour and one of many, of a tiny picture once a second and a tone (mkv, mp4), or of a tone alone
(wav). `echolens ingest` takes in both in a process of its own, whose largest resident memory is measured. It is then
killed with SIGKILL at random moments while it takes in the long one into another library, and run again. Exit 1 if a
second is missing or there twice, if anything differs from the undisturbed run, if `library check` finds a fault, or if
the long one took 100 MB more than the hour. Needs 0.2 GB of disk for each hour and library.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from app.library.check import check
from benchmarks.report import json_parser, tell
from index.library import Library
from index.records import Video
from model.data.feature_parts import PART_S
from model.errors import LibraryError
from model.modality import MODALITIES

HOUR_S = 3600
SAMPLE_RATE_HZ = 8000
MOST_MORE_BYTES = 100e6
ROUNDING = 1e-4
POLL_S = 0.05


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--kind", choices=("mkv", "mp4", "wav"), default="mkv")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="echolens-long-") as directory:
        report = run(Path(directory), arguments.hours, arguments.kind, arguments.kills, arguments.seed)
    tell(report, arguments.json)
    sys.exit(bool(report["problems"]))


def run(directory: Path, hours: int, kind: str, kills: int, seed: int) -> dict[str, Any]:
    """Ingest an hour, a long recording, and that again with kills; report memory, times and what is wrong."""
    hour, long = directory / f"hour.{kind}", directory / f"long.{kind}"
    write_recording(hour, HOUR_S)
    write_recording(long, hours * HOUR_S)
    of_hour, of_long = Ingest(directory / "one", hour).finish(), Ingest(directory / "long", long).finish()
    killed = kill_at_random(directory / "killed", long, hours * HOUR_S, kills, np.random.default_rng(seed))
    problems = list(judge(directory, hours * HOUR_S))
    if of_long.most_bytes - of_hour.most_bytes > MOST_MORE_BYTES:
        problems.append(f"{of_long.most_bytes / 1e6:.0f} MB were held, {of_hour.most_bytes / 1e6:.0f} MB for an hour")
    return {
        "hours": hours,
        "kind": kind,
        "file_mb": round(long.stat().st_size / 1e6),
        "one_hour": vars(of_hour),
        "long": vars(of_long),
        "killed_at_s": killed,
        "problems": problems,
    }


def write_recording(path: Path, length_s: int) -> None:
    """Write a tone that changes from second to second, with a picture that does, but for a WAV."""
    if path.suffix == ".wav":
        with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, "PCM_16") as out:
            for second in range(length_s):
                out.write(_tone(second))
        return
    with av.open(str(path), "w") as out:
        picture, sound = out.add_stream("mpeg4", rate=1), out.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        picture.width, picture.height, picture.pix_fmt, sound.bit_rate = 64, 48, "yuv420p", 24_000
        for second in range(length_s):
            frame = av.VideoFrame.from_ndarray(_picture(second), "rgb24")
            frame.pts, frame.time_base = second, Fraction(1)
            block = av.AudioFrame.from_ndarray(_tone(second)[None], "fltp", "mono")
            block.sample_rate, block.pts = SAMPLE_RATE_HZ, second * SAMPLE_RATE_HZ
            out.mux(picture.encode(frame))
            out.mux(sound.encode(block))
        out.mux(picture.encode(None))
        out.mux(sound.encode(None))


def _tone(second: int) -> np.ndarray:
    time_s = np.arange(SAMPLE_RATE_HZ, dtype=np.float32) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * (200 + 7 * (second % 401)) * time_s)).astype(np.float32)


def _picture(second: int) -> np.ndarray:
    picture = np.full((48, 64, 3), second % 199, np.uint8)
    picture[second % 47 :, :, second % 3] = 255 - second % 211
    return picture


@dataclass(frozen=True)
class Ran:
    """Say how long an ingest took, and its largest resident memory."""

    seconds: float
    most_bytes: int


class Ingest:
    """Run `echolens ingest` in a process of its own."""

    def __init__(self, library: Path, file: Path) -> None:
        command = ("ingest", str(file), "--library", str(library), "--frontend", "raw", "--device", "cpu")
        self._began_s = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *command], env=os.environ | {"OMP_NUM_THREADS": "1"}
        )

    def finish(self) -> Ran:
        """Wait for the end. Raises RuntimeError if it fails."""
        most_bytes = 0
        while self.process.poll() is None:
            most_bytes = max(most_bytes, _peak_bytes(self.process.pid))
            time.sleep(POLL_S)
        if self.process.returncode:
            raise RuntimeError(f"the ingest ended with {self.process.returncode}")
        ran = Ran(round(time.monotonic() - self._began_s, 1), most_bytes)
        print(ran, file=sys.stderr)
        return ran

    def kill(self) -> None:
        """End it as a power failure would."""
        self.process.kill()
        self.process.wait()


def kill_at_random(library: Path, file: Path, length_s: int, kills: int, random: np.random.Generator) -> list[int]:
    """Kill an ingest a moment after it has come to random places, then let it finish; return those places."""
    places = []
    for place_s in sorted(random.integers(0, length_s, kills).tolist()):
        print(f"to be killed at {place_s} s", file=sys.stderr)
        ingest = Ingest(library, file)
        while ingest.process.poll() is None and _end_s(library) < min(place_s, length_s - 2 * PART_S):
            time.sleep(POLL_S)
        time.sleep(float(random.uniform(0, 3)))
        places.append(_end_s(library))
        ingest.kill()
    Ingest(library, file).finish()
    return places


def judge(directory: Path, length_s: int) -> Any:
    """Yield what is wrong with the library that was killed, and how it differs from the other."""
    with Library.open(directory / "long") as whole, Library.open(directory / "killed") as killed:
        (expected,), (found,) = whole.catalogue.every_video(), killed.catalogue.every_video()
        starts = [row.start_s for row in killed.catalogue.segments_of(found.video_id)]
        if starts != list(range(length_s)):
            yield f"{len(starts)} seconds, {len(set(starts))} different ones, {length_s} expected"
        told = [(v.complete, v.duration_s, v.loss_s) for v in (expected, found)]
        if told[0] != told[1]:
            yield f"undisturbed {told[0]}, killed {told[1]}"
        yield from _differences(whole, killed, expected)
    for name in ("long", "killed"):
        yield from (f"{name}: {f.detail}" for f in check(directory / name, media=False) if f.severity == "fault")
    yield from (f"left over: {path.name}" for path in directory.rglob("*.partial"))


def _differences(whole: Library, killed: Library, video: Video) -> Any:
    for modality in MODALITIES:
        a, b = (library.catalogue.latents_of(video.video_id, modality) for library in (whole, killed))
        if a.start_s.tolist() != b.start_s.tolist():
            yield f"{len(a.start_s)} {modality} latents undisturbed, {len(b.start_s)} killed"
        elif not np.allclose(a.latents[:].mu, b.latents[:].mu, rtol=ROUNDING, atol=ROUNDING):
            yield f"the {modality} latents differ by up to {np.abs(a.latents[:].mu - b.latents[:].mu).max()}"


def _end_s(directory: Path) -> int:
    """Return how far the ingest has come."""
    try:
        with Library.inspect(directory) as library:
            return max((library.catalogue.end_s(v.video_id) for v in library.catalogue.every_video()), default=0)
    except LibraryError:  # it is just being made
        return 0


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    main()
