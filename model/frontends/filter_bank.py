"""The mel filter bank: librosa computes it once and a file keeps it, because importing librosa takes a second."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.data.features import UNREADABLE


def filter_bank(
    directory: Path | None, sample_rate_hz: int, fft_samples: int, mels: int, lowest_hz: float, keep: bool = True
) -> Float32[np.ndarray, "mels bins"]:
    """Return librosa's filter bank (Slaney), read from a directory or computed.

    It is computed where there is no directory, no file or a damaged one (zip checks a CRC), and then written if
    `keep` and the disk allow it.
    """
    path = None
    if directory is not None:
        path = directory / f"mel-slaney-{sample_rate_hz}-{fft_samples}-{mels}-{lowest_hz:g}.npz"
        with suppress(*UNREADABLE):
            return _read(path, (mels, fft_samples // 2 + 1))
    from librosa.filters import mel  # only here: see the top

    bank: np.ndarray = mel(sr=sample_rate_hz, n_fft=fft_samples, n_mels=mels, fmin=lowest_hz)
    if path is not None and keep:
        with suppress(OSError):
            _write(path, bank)
    return bank


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        bank: np.ndarray = arrays["bank"]
    if bank.shape != shape or bank.dtype != np.float32:
        raise ValueError(f"{bank.dtype} {bank.shape} given, float32 {shape} expected")
    return bank


def _write(path: Path, bank: np.ndarray) -> None:
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as out:
            np.savez(out, bank=bank)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
