"""Generated clips as video files."""

from __future__ import annotations

from pathlib import Path

from model.media.mp4 import write_mp4
from model.synthesis.clips import generate_clip, plan_clip


def film_clip(seed: int, directory: Path) -> Path:
    """Write the clip of a seed as `directory`/SEED-KIND.mp4 and return the path; a file that is there stays."""
    path = directory / f"{seed:07d}-{plan_clip(seed).kind}.mp4"
    if not path.exists():
        clip = generate_clip(seed)
        partial = path.with_suffix(".partial")
        write_mp4(partial, clip.frames, clip.frame_rate_hz, clip.sound, clip.sample_rate_hz)
        partial.replace(path)
    return path
