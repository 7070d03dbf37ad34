"""A file decoded to its seconds, by Echolens and by the ffmpeg command: the same form for both."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from benchmarks.media_matrix.combination import FFMPEG_S
from benchmarks.media_matrix.truth import HEARD_RATE_HZ, SMALL, small
from model.errors import EcholensError
from model.media.medium import FOOTAGE, open_medium

OURS_S = 60.0  # the longest that Echolens may take for one file
# Of a damaged file all that can be decoded is compared; of a whole one nothing may be told as lost but an odd end.
MOST_LOSS, MOST_LOSS_OF_WHOLE = 1.0, 0.03
TIE_S = 1e-6
# A second output that takes every track: of some formats, ffmpeg counts time from the first of those that it reads.
ALL_TRACKS = ("-map", "0:v?", "-map", "0:a?", "-c", "copy", "-f", "null", "-")
SHOWN = re.compile(r"\] n: *\d+ pts: *\S+ pts_time:(\S+) .*? sar:(\d+)/(\d+) s:(\d+)x(\d+)")


@dataclass(frozen=True, eq=False)
class Second:
    """Hold one second: its sound at 16 kHz, its picture at a small size, and the width of that over its height."""

    sound: Float32[np.ndarray, "16000"] | None
    picture: UInt8[np.ndarray, "48 64 3"] | None
    aspect: float | None
    sound_whole: bool = True
    picture_whole: bool = True
    lost_s: float = 0.0


@dataclass(frozen=True)
class Frame:
    """Hold a picture of the oracle and when it begins."""

    start_s: float
    aspect: float
    pixels: UInt8[np.ndarray, "48 64 3"]


def by_echolens(path: Path, damaged: bool = False) -> list[Second] | str:
    """Return the seconds that Echolens decodes, or why it refuses."""
    most_loss = MOST_LOSS if damaged else MOST_LOSS_OF_WHOLE
    try:
        medium = open_medium(path, replace(FOOTAGE, wall_s=OURS_S, most_loss=most_loss))
        return [
            Second(
                segment.sound,
                None if segment.frame is None else small(segment.frame),
                None if segment.frame is None else segment.frame.shape[1] / segment.frame.shape[0],
                segment.sound_whole,
                segment.frame_whole,
                segment.lost_s,
            )
            for segment in medium.segments()
        ]
    except EcholensError as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:  # a fault is a disagreement, not the end of the matrix
        return f"fault {type(error).__name__}: {error}"


def by_ffmpeg(path: Path, frame_s: float, mix: str = "") -> list[Second]:
    """Return the seconds that the ffmpeg command decodes, counted from the file's common start; none if it cannot."""
    sound, frames = ffmpeg_sound(path, mix), ffmpeg_frames(path)
    still = len(frames) == 1 and not len(sound)
    end_s = max(len(sound) / HEARD_RATE_HZ, frames[-1].start_s + frame_s if frames else 0.0)
    count = 1 if still else int(end_s + 0.5 + TIE_S)
    return [_second(sound, frames, second) for second in range(count)]


def ffmpeg_sound(path: Path, mix: str) -> Float32[np.ndarray, "samples"]:
    """Return the sound track at 16 kHz, mixed by layout, silence where its stamps leave a gap."""
    mono = f"{mix or 'anull'},aresample={HEARD_RATE_HZ}:async=1:first_pts=0:ochl=mono:rematrix_maxval=1"
    heard = _output("-v", "error", path, "-vn", "-sn", "-dn", "-af", mono, "-f", "f32le", "-")
    return np.frombuffer(heard.stdout[: len(heard.stdout) // 4 * 4], np.float32)


def ffmpeg_frames(path: Path) -> list[Frame]:
    """Return the frames of the picture track in order, upright."""
    chain = f"showinfo,format=rgb24,scale={SMALL[0]}:{SMALL[1]}:flags=area"
    how = ("-an", "-sn", "-dn", "-vf", chain, "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    seen = _output("-v", "info", path, *how)
    shown = SHOWN.findall(seen.stderr.decode(errors="replace"))
    size = 3 * SMALL[0] * SMALL[1]
    pictures = [seen.stdout[start : start + size] for start in range(0, len(seen.stdout) // size * size, size)]
    frames = [
        Frame(
            float(start_s),
            int(width) / int(height) * (int(across) / int(down) if int(across) and int(down) else 1),
            np.frombuffer(pixels, np.uint8).reshape(SMALL[1], SMALL[0], 3),
        )
        for (start_s, across, down, width, height), pixels in zip(shown, pictures, strict=False)
        if start_s != "NOPTS"
    ]
    return sorted(frames, key=lambda frame: frame.start_s)


def _output(level_option: str, level: str, path: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", level_option, level, "-threads", "1", "-i", str(path)]
    try:
        return subprocess.run([*command, *arguments, *ALL_TRACKS], capture_output=True, timeout=FFMPEG_S, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, b"", b"")


def _second(sound: Float32[np.ndarray, "samples"], frames: list[Frame], second: int) -> Second:
    """Cut a second out: the frame that begins nearest to its middle, or else the one that is still on show."""
    heard = sound[second * HEARD_RATE_HZ : (second + 1) * HEARD_RATE_HZ]
    padded = np.pad(heard, (0, HEARD_RATE_HZ - len(heard))) if len(heard) >= HEARD_RATE_HZ / 2 else None
    within = [frame for frame in frames if second - TIE_S <= frame.start_s < second + 1 - TIE_S]
    before = [frame for frame in frames if frame.start_s < second]
    chosen = min(within, key=lambda frame: round(abs(frame.start_s - second - 0.5), 5)) if within else None
    chosen = chosen or (before[-1] if before else None)
    return Second(padded, chosen.pixels if chosen else None, chosen.aspect if chosen else None)
