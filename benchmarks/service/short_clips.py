"""Short generated files: footage for benchmarks that ingest much."""

from __future__ import annotations

from pathlib import Path

from model.media.encoding import encode_jpeg, encode_wav
from model.media.mp4 import write_mp4
from model.synthesis.clips import generate_clip


def make_clips(directory: Path, count: int, first_seed: int) -> list[Path]:
    """Generate `count` different short files: films of 2 to 4 s, and of every five one sound and one picture."""
    directory.mkdir(parents=True)
    return [_make_clip(directory, first_seed + number, number) for number in range(count)]


def _make_clip(directory: Path, seed: int, number: int) -> Path:
    clip, seconds = generate_clip(seed), 2 + number % 3
    first = min(clip.event_start_s, 10 - seconds)
    frames = clip.frames[first * clip.frame_rate_hz : (first + seconds) * clip.frame_rate_hz]
    sound = clip.sound[first * clip.sample_rate_hz : (first + seconds) * clip.sample_rate_hz]
    path = directory / f"{seed:07d}.{('mp4', 'mp4', 'mp4', 'wav', 'jpg')[number % 5]}"
    if path.suffix == ".mp4":
        write_mp4(path, frames, float(clip.frame_rate_hz), sound, clip.sample_rate_hz)
    else:
        path.write_bytes(encode_wav(sound) if path.suffix == ".wav" else encode_jpeg(frames[0]))
    return path
