"""How loud each hundredth of a second of a library's videos is, for the page's waveforms.

A video's folder of previews has a file `peaks`: a byte for each 1/100 s. It is written at ingest, a second at a time,
and filled from the seconds' sounds where an older release wrote none. 0 is not known, or silent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float32, Float64, UInt8

from index.disk import writing
from model.errors import MediaError
from model.frontends.frontend import FrontEnd
from model.media.medium import FOOTAGE, open_medium
from model.media.segments import SAMPLE_RATE_HZ
from model.media.stretch import Stretch

PER_S = 100
FILE = "peaks"
MOST_DECODED_S = 120  # of seconds whose sound is gone too, at one request; the others stay unknown


def write_peaks(directory: Path, start_s: int, sound: Float32[np.ndarray, "16000"]) -> None:
    """Write the peaks of a second. Raises LibraryError (full disk)."""
    loudest = np.abs(sound).reshape(PER_S, SAMPLE_RATE_HZ // PER_S).max(axis=1)
    # The root spreads quiet sounds; rounded up, so that no second that is heard is all zeros.
    cells = np.ceil(255 * np.sqrt(np.clip(loudest, 0, 1))).astype(np.uint8)
    path = directory / FILE
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.pwrite(descriptor, cells.tobytes(), start_s * PER_S)
        finally:
            os.close(descriptor)


def read_cells(directory: Path, start_s: int, stop_s: int) -> UInt8[np.ndarray, "seconds 100"]:
    """Return what is known of the seconds [start_s, stop_s)."""
    cells = np.zeros((stop_s - start_s) * PER_S, np.uint8)
    try:
        known = np.fromfile(directory / FILE, np.uint8, len(cells), offset=start_s * PER_S)
    except (FileNotFoundError, ValueError):  # or a file that ends before
        known = cells[:0]
    cells[: len(known)] = known
    return cells.reshape(-1, PER_S)


def fill_peaks(
    _: FrontEnd, directory: Path, seconds: Sequence[int], original: Path | None, audio_track: int | None = None
) -> None:
    """Write the peaks of seconds that are heard: of their sounds, or of the original where those are gone.

    Raises LibraryError (full disk).
    """
    with writing(directory):
        directory.mkdir(exist_ok=True)
    gone = [second for second in seconds if not _fill_from_preview(directory, second)]
    if original is None or not gone:
        return
    try:
        _fill_from_original(directory, set(gone[:MOST_DECODED_S]), original, audio_track)
    except MediaError:  # a waveform with a hole is better than none
        return


def peaks_of(
    cells: UInt8[np.ndarray, "seconds 100"], from_s: float, length_s: float, per_s: float
) -> Float64[np.ndarray, "peaks"]:
    """Return the largest, 0..1, of each 1 / per_s s of [from_s, from_s + length_s), counted from the first cell."""
    flat = np.append(cells.ravel(), np.uint8(0))
    count = max(1, int(np.ceil(length_s * per_s - 1e-6)))
    times_s = from_s + np.minimum(np.arange(count + 1) / per_s, length_s)
    first = np.minimum(np.floor(times_s[:-1] * PER_S + 1e-6).astype(np.int64), len(flat) - 2)
    stop = np.clip(np.ceil(times_s[1:] * PER_S - 1e-6).astype(np.int64), first + 1, len(flat) - 1)
    loudest = np.maximum.reduceat(flat, np.column_stack([first, stop]).ravel())[::2]
    return np.asarray(np.square(loudest / 255.0))


def _fill_from_preview(directory: Path, second: int) -> bool:
    try:
        sound, rate_hz = soundfile.read(directory / f"{second}.wav", dtype="float32")
    except (OSError, soundfile.LibsndfileError):
        return False
    if sound.shape != (SAMPLE_RATE_HZ,) or rate_hz != SAMPLE_RATE_HZ:
        return False
    write_peaks(directory, second, sound)
    return True


def _fill_from_original(directory: Path, seconds: set[int], original: Path, audio_track: int | None) -> None:
    medium = open_medium(original, FOOTAGE, audio_track)
    for start_s, stop_s in _runs(sorted(seconds)):
        found = np.zeros((stop_s - start_s) * PER_S, np.float32)
        for block in Stretch(medium, float(start_s), float(stop_s), most_channels=0, most_side=1).blocks():
            at = ((block.start_s + np.arange(block.length) / block.sample_rate_hz) * PER_S).astype(np.int64)
            np.maximum.at(found, np.minimum(at, len(found) - 1), np.abs(np.atleast_2d(block.samples)[0]))
        for number, second in enumerate(range(start_s, stop_s)):
            cells = np.maximum(found[number * PER_S : (number + 1) * PER_S], np.float32(1e-4))
            write_peaks(directory, second, np.repeat(cells, SAMPLE_RATE_HZ // PER_S))


def _runs(seconds: Sequence[int]) -> list[tuple[int, int]]:
    """Return the stretches [start, stop) that cover the seconds, without gaps."""
    runs: list[tuple[int, int]] = []
    for second in seconds:
        if runs and runs[-1][1] == second:
            runs[-1] = runs[-1][0], second + 1
        else:
            runs.append((second, second + 1))
    return runs
