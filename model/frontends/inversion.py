"""From a mel spectrogram back to a sound: a spectrum that explains it, then phases that fit (Griffin-Lim)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex64, Float32
from torch import Tensor

SPECTRUM_STEPS = 60
PHASE_STEPS = 32
MOMENTUM = 0.99  # Perraudin, Balazs and Sondergaard, WASPAA 2013
SMALLEST = 1e-12
SEED = 0  # of the first phases: the same spectrogram gives the same sound


@dataclass(frozen=True, eq=False)
class Inversion:
    """Undo `bank @ |stft|^2`: the filter bank, the window of the transform, and its hop in samples."""

    bank: Float32[Tensor, "mels bins"]
    window: Float32[Tensor, "fft"]
    hop: int

    def sound(self, power: Float32[Tensor, "mels spectra"], samples: int) -> Float32[Tensor, "samples"]:
        """Return a sound of so many samples whose mel power is near the one given."""
        missing = samples // self.hop + 1 - power.shape[1]  # the transform pads both ends: one spectrum more
        padded = torch.cat([power, power[:, -1:].expand(-1, missing)], dim=1)
        return self._with_phases(self._spectrum(padded).sqrt(), samples)

    def _spectrum(self, power: Float32[Tensor, "mels spectra"]) -> Float32[Tensor, "bins spectra"]:
        """Return a power spectrum, nowhere negative, by multiplicative updates (Lee and Seung, NIPS 2000).

        The pseudo-inverse alone is negative where a tone stands beside silence: 2 bel off, against 0.2 here.
        """
        wanted, mixing = self.bank.T @ power, self.bank.T @ self.bank
        spectrum = wanted.clone()
        for _ in range(SPECTRUM_STEPS):
            spectrum = spectrum * wanted / (mixing @ spectrum).clamp_min(SMALLEST)
        return spectrum

    def _with_phases(self, magnitude: Float32[Tensor, "bins spectra"], samples: int) -> Float32[Tensor, "samples"]:
        turns = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(SEED))
        phase = torch.polar(torch.ones_like(magnitude), 2 * math.pi * turns)
        before = torch.zeros_like(phase)
        for _ in range(PHASE_STEPS):
            found = self._transform(self._inverse(magnitude * phase, samples))
            ahead = found - MOMENTUM / (1 + MOMENTUM) * before
            phase, before = ahead / ahead.abs().clamp_min(SMALLEST), found
        return self._inverse(magnitude * phase, samples)

    def _transform(self, sound: Float32[Tensor, "samples"]) -> Complex64[Tensor, "bins spectra"]:
        return torch.stft(
            sound, len(self.window), self.hop, window=self.window, pad_mode="constant", return_complex=True
        )

    def _inverse(self, spectrum: Complex64[Tensor, "bins spectra"], samples: int) -> Float32[Tensor, "samples"]:
        return torch.istft(spectrum, len(self.window), self.hop, window=self.window, length=samples)
