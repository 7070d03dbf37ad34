"""What every file of the matrix shows and plays, and how it is read back from one decoded second.

Second s of the truth has the colour COLOURS[s] in the upper three quarters. In the lowest quarter a white bar grows
from the left: its share of the width is the share of the second that has passed. Its sound is a tone of 400 + 200 s Hz
that rises by 100 Hz within the second, so that a second of sound fits the truth at one place alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float32, Float64, UInt8
from PIL import Image

COLOURS = (
    (220, 30, 30),
    (30, 200, 30),
    (40, 60, 220),
    (220, 210, 30),
    (210, 40, 210),
    (30, 210, 210),
    (240, 240, 240),
    (120, 60, 20),
    (100, 100, 100),
    (250, 140, 20),
)
SECONDS = 5
WIDTH, HEIGHT = 160, 120
SOUND_RATE_HZ, HEARD_RATE_HZ = 48_000, 16_000
AMPLITUDE = 0.4
SMALL = (64, 48)  # the size, (width, height), at which pictures are compared
UPPER, BAR = slice(4, 30), slice(40, 46)  # rows of a small picture
FARTHEST_COLOUR = 90.0  # what is farther from every colour is none
FAINTEST = 10 ** (-50 / 20)  # a sound of a lower level has no place
LEAST_LIKENESS = 0.3  # of a second of sound to the truth at its best place


def sound_at(rate_hz: int, seconds: int = SECONDS) -> Float64[np.ndarray, "samples"]:
    """Return the truth's sound."""
    time_s = np.arange(seconds * rate_hz) / rate_hz
    second = np.floor(time_s)
    hz = 400 + 200 * second + 100 * (time_s - second)
    return AMPLITUDE * np.sin(2 * np.pi * np.cumsum(hz) / rate_hz)


def frame_at(time_s: Fraction) -> UInt8[np.ndarray, "120 160 3"]:
    """Return the truth's frame."""
    second = int(time_s)
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[: 3 * HEIGHT // 4] = COLOURS[second]
    frame[3 * HEIGHT // 4 :, : round(WIDTH * (time_s - second))] = 255
    return frame


def frames(rate_hz: Fraction) -> Iterator[UInt8[np.ndarray, "120 160 3"]]:
    """Yield the truth's frames at a rate."""
    number = 0
    while number / rate_hz < SECONDS:
        yield frame_at(number / rate_hz)
        number += 1


def write_bases(directory: Path, rates_hz: set[str]) -> None:
    """Write what FFmpeg encodes: `base.wav`, and raw pictures for each rate, such as "30000/1001"."""
    for rate_hz in sorted(rates_hz):
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", rate_hz, "-i", "-"]
        command = ["ffmpeg", "-y", "-v", "error", *raw, "-c:v", "rawvideo", str(base_path(directory, rate_hz))]
        pixels = b"".join(frame.tobytes() for frame in frames(Fraction(rate_hz)))
        subprocess.run(command, input=pixels, check=True)
    soundfile.write(directory / "base.wav", sound_at(SOUND_RATE_HZ), SOUND_RATE_HZ, subtype="PCM_16")


def base_path(directory: Path, rate_hz: str) -> Path:
    """Return where the pictures of a rate lie."""
    return directory / f"base-{rate_hz.replace('/', '-')}.nut"


def small(frame: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "48 64 3"]:
    """Return a frame at the size at which pictures are compared."""
    return np.asarray(Image.fromarray(frame).resize(SMALL, Image.Resampling.BOX))


def colour_of(picture: UInt8[np.ndarray, "48 64 3"]) -> Float64[np.ndarray, "3"]:
    """Return the mean colour of the upper part."""
    return np.asarray(picture[UPPER, 8:-8].reshape(-1, 3).mean(axis=0, dtype=np.float64))


def place_of_picture(picture: UInt8[np.ndarray, "48 64 3"]) -> float | None:
    """Return the truth's second that a picture shows; None where it shows none, or lies on its side or its head."""
    colour = colour_of(picture)
    known = np.asarray(COLOURS, np.float64)[:SECONDS]
    if np.ptp(colour) < 3:  # a grey picture
        known = np.repeat((known @ [0.299, 0.587, 0.114])[:, np.newaxis], 3, axis=1)
    distances = np.linalg.norm(known - colour, axis=1)
    bar = picture[BAR].mean(axis=(0, 2)) / 255
    share = float(bar.mean())
    edge = round(share * len(bar))
    if (
        distances.min() > FARTHEST_COLOUR
        or np.r_[1.0, bar[: edge - 2]].min() < 0.6
        or np.r_[0, bar[edge + 2 :]].max() > 0.4
    ):
        return None
    return int(distances.argmin()) + share


def place_of_sound(sound: Float32[np.ndarray, "16000"]) -> float | None:
    """Return the truth's time at which a second of sound begins; None where it is none of the truth."""
    loudness = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    if loudness < FAINTEST:
        return None
    spectrum, size = _truth_spectrum()
    likeness = np.abs(np.fft.ifft(spectrum * np.conj(np.fft.fft(sound, size))))
    best = int(likeness.argmax())
    if likeness[best] < LEAST_LIKENESS * AMPLITUDE * loudness * len(sound) / np.sqrt(2):
        return None
    return (best if best < size - len(sound) else best - size) / HEARD_RATE_HZ


@cache
def _truth_spectrum() -> tuple[np.ndarray, int]:
    """Return the spectrum of the truth's analytic signal, and its size: room for a second before and behind."""
    size = (SECONDS + 1) * HEARD_RATE_HZ
    spectrum = np.fft.fft(sound_at(HEARD_RATE_HZ), size)
    spectrum[size // 2 :] = 0
    return spectrum, size
