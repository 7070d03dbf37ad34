"""The `raw` front-end: log-mel and a small RGB picture, trained end to end, nothing to download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image

from model.frontends.filter_bank import filter_bank
from model.frontends.frontend import FrontEnd
from model.frontends.inversion import Inversion
from model.media.segments import SAMPLE_RATE_HZ

MELS = 64
SPECTRA = 32  # spectra a second
FFT_SAMPLES = 1024
HOP_SAMPLES = SAMPLE_RATE_HZ // SPECTRA
LOWEST_HZ = 50.0
FLOOR_POWER = 1e-8  # -80 dB
PICTURE_PX = 32


class RawFrontEnd(FrontEnd):
    """Log-mel spectrogram in bel (log10 of power), (64, 32), and picture in [0, 1], (3, 32, 32).

    The filter bank is librosa's (Slaney); the transform runs in torch, which is several times faster.
    """

    name = "raw"
    identity = "raw-1"
    audio_shape = (MELS, SPECTRA)
    visual_shape = (3, PICTURE_PX, PICTURE_PX)

    def __init__(self, directory: Path | None = None, keep: bool = True) -> None:
        """Read the filter bank from a directory; compute it where it is not there, and with `keep` write it there."""
        self._bank = torch.from_numpy(filter_bank(directory, SAMPLE_RATE_HZ, FFT_SAMPLES, MELS, LOWEST_HZ, keep))
        self._window = torch.hann_window(FFT_SAMPLES)

    def audio(self, sound: Float32[np.ndarray, "16000"]) -> Float32[np.ndarray, "64 32"]:
        """Return log10 of the mel power, at least -8."""
        spectrum = torch.stft(
            torch.from_numpy(sound),
            FFT_SAMPLES,
            HOP_SAMPLES,
            window=self._window,
            pad_mode="constant",
            return_complex=True,
        )
        power = spectrum[:, :SPECTRA].abs().square()
        return (self._bank @ power).clamp_min(FLOOR_POWER).log10().numpy()

    def visual(self, frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "3 32 32"]:
        """Return the whole frame, reduced by area averaging."""
        small = Image.fromarray(frame).resize((PICTURE_PX, PICTURE_PX), Image.Resampling.BOX)
        return np.asarray(small, np.float32).transpose(2, 0, 1) / 255

    def sound(self, audio: Float32[np.ndarray, "64 32"]) -> Float32[np.ndarray, "16000"]:
        """Return a second of sound that has about these features; samples beyond [-1, 1] are possible."""
        power = torch.pow(10.0, torch.from_numpy(audio))
        return Inversion(self._bank, self._window, HOP_SAMPLES).sound(power, SAMPLE_RATE_HZ).numpy()

    def picture(self, visual: Float32[np.ndarray, "3 32 32"]) -> UInt8[np.ndarray, "32 32 3"]:
        """Return the picture that has these features; values outside [0, 1] are clipped."""
        pixels: np.ndarray = np.rint(255 * np.clip(visual, 0, 1)).astype(np.uint8)
        return pixels.transpose(1, 2, 0)
