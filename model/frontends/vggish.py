"""VGGish: what a second of sound is like, as 128 numbers.

Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP 2017; input and layers are those of the
published model of AudioSet. The embedding is taken after its last ReLU, without the PCA and the 8 bits of AudioSet's
own features, as the features of AVE are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import conv2d, linear, max_pool2d, relu

from model.frontends.one_thread import one_thread
from model.media.segments import SAMPLE_RATE_HZ

SPECTRA, BANDS = 96, 64
WINDOW_SAMPLES, HOP_SAMPLES, FFT_SAMPLES = 400, 160, 512
LOWEST_HZ, HIGHEST_HZ = 125.0, 7500.0
LOG_OFFSET = 0.01
POOLED = (1, 2, 4, 6)  # a pool follows these of the six convolutions
CONVOLUTIONS = (0, 3, 6, 8, 11, 13)  # their numbers in the names of the weights
LINEAR = (0, 2, 4)


class VGGish:
    """Hold the weights; equal sounds get equal bits, whatever the number of threads."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """Take the published weights, as PyTorch's port of them names them."""
        self._convolutions = [_pair(weights, f"features.{number}") for number in CONVOLUTIONS]
        self._linear = [_pair(weights, f"embeddings.{number}") for number in LINEAR]

    @property
    def numbers(self) -> int:
        """Return how many numbers an embedding has."""
        return len(self._linear[-1][1])

    def __call__(self, sound: Float32[np.ndarray, "16000"]) -> Float32[np.ndarray, "D"]:
        """Return the embedding, 0 or more, of the first 0.975 s."""
        with torch.inference_mode(), one_thread():
            found = torch.from_numpy(log_mel(sound))[None, None]
            for number, (weight, bias) in enumerate(self._convolutions, 1):
                found = relu(conv2d(found, weight, bias, padding=1))
                if number in POOLED:
                    found = max_pool2d(found, 2)
            flat = found.permute(0, 2, 3, 1).flatten()  # the published weights have the channels last
            for weight, bias in self._linear:
                flat = relu(linear(flat, weight, bias))
            return np.asarray(flat.numpy())


def log_mel(sound: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "96 64"]:
    """Return the log of the mel magnitudes, 96 spectra of 25 ms, one each 10 ms."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)
    frames = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), WINDOW_SAMPLES)[::HOP_SAMPLES]
    magnitude = np.abs(np.fft.rfft(frames[:SPECTRA] * window, FFT_SAMPLES))
    return np.asarray(np.log(magnitude @ _bank() + LOG_OFFSET), np.float32)


@cache
def _bank() -> np.ndarray:
    """Return the triangles, (bins, bands): straight in mel, not in Hz."""
    bins = _mel(np.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FFT_SAMPLES)[:, None]
    edges = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), BANDS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    bank: np.ndarray = np.maximum(0, np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)))
    return bank


def _mel(hz: np.ndarray | float) -> np.ndarray:
    return np.asarray(1127 * np.log1p(np.asarray(hz) / 700))


def _pair(weights: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return weights[f"{name}.weight"].float(), weights[f"{name}.bias"].float()
