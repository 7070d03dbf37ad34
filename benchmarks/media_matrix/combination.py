"""One combination of the matrix: how FFmpeg writes it, and what happens to it then."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from benchmarks.media_matrix.damage import damaged
from benchmarks.media_matrix.truth import base_path

FFMPEG_S = 120.0  # the longest that FFmpeg may take for one file


@dataclass(frozen=True)
class Combination:
    """Hold a combination: FFmpeg's arguments as a shell would take them.

    `picture`, `sound`: the arguments that encode a track; None: there is none. `picture_input`, `sound_input`: those
    before its base. `lag_s`: how much later the sound of a moment comes than its picture. `damage`: see damage.py.
    `mix`: a filter with which the oracle makes mono where FFmpeg's own mix is not what is wanted.
    """

    kind: str
    name: str
    suffix: str
    picture: str | None = None
    sound: str | None = None
    muxer: str = ""
    rate_hz: str = "25"
    picture_input: str = ""
    sound_input: str = ""
    lag_s: float = 0.0
    damage: str = ""
    mix: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def frame_s(self) -> float:
        """Return how long a frame is on show."""
        return float(1 / Fraction(self.rate_hz))

    @property
    def file_name(self) -> str:
        """Return the name of its file."""
        return f"{self.kind}-{self.name}.{self.suffix}".replace(" ", "_")

    def command(self, bases: Path, out: Path) -> list[str]:
        """Return the command that writes the whole file."""
        inputs, tracks = [], []
        if self.picture is not None:
            inputs += [*shlex.split(self.picture_input), "-i", str(base_path(bases, self.rate_hz))]
            tracks += ["-map", "0:v", *shlex.split(self.picture)]
        if self.sound is not None:
            inputs += [*shlex.split(self.sound_input), "-i", str(bases / "base.wav")]
            tracks += ["-map", f"{int(self.picture is not None)}:a", *shlex.split(self.sound)]
        exact = ["-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact", "-strict", "-2"]
        return ["ffmpeg", "-nostdin", "-y", "-v", "error", *inputs, *tracks, *exact, *shlex.split(self.muxer), str(out)]

    def write(self, bases: Path, directory: Path) -> tuple[Path, Path] | None:
        """Write the whole file and the damaged one (the same where nothing happens to it); None if FFmpeg cannot."""
        directory.mkdir(parents=True, exist_ok=True)
        whole = directory / self.file_name
        made = subprocess.run(self.command(bases, whole), capture_output=True, timeout=FFMPEG_S, check=False)
        if made.returncode or not whole.exists() or not whole.stat().st_size:
            return None
        if not self.damage:
            return whole, whole
        broken = directory / f"{whole.stem}-damaged{whole.suffix}"
        broken.write_bytes(damaged(whole.read_bytes(), self.damage))
        return whole, broken
