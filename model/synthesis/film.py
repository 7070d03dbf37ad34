"""Generated clips as video files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.containers import write_mp4
from model.synthesis.clips import generate_clip


@dataclass(frozen=True)
class FilmedClip:
    """Say where a generated clip lies and what is true of it; the event is [event_start_s, event_end_s)."""

    path: Path
    kind: str
    event_start_s: int
    event_end_s: int


def film_clip(seed: int, directory: Path) -> FilmedClip:
    """Write the clip of a seed as `directory`/SEED-KIND.mp4; a file that is there already stays."""
    clip = generate_clip(seed)
    path = directory / f"{seed:07d}-{clip.kind}.mp4"
    if not path.exists():
        partial = path.with_suffix(".partial.mp4")
        write_mp4(partial, clip.frames, clip.frame_rate_hz, clip.sound, clip.sample_rate_hz)
        partial.replace(path)
    return FilmedClip(path, clip.kind, clip.event_start_s, clip.event_end_s)
