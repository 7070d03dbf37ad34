"""Building blocks of sounds at 16 kHz: ringing modes, bands of noise, gliding tones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.signal import butter, sosfilt

from model.media.segments import SAMPLE_RATE_HZ
from model.synthesis.canvas import Number
from model.synthesis.cause import Track


def times(duration_s: Number) -> Track:
    """Return the time of each sample in seconds."""
    return np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def modes(
    pitch_hz: Number,
    ratios: Sequence[Number],
    gains: Sequence[Number],
    decays_s: Sequence[Number],
    duration_s: Number,
) -> Track:
    """Return the ringing of a struck body: decaying sines, those above 7.6 kHz left out."""
    time_s = times(duration_s)
    result = np.zeros(len(time_s))
    for ratio, gain, decay_s in zip(ratios, gains, decays_s, strict=True):
        if pitch_hz * ratio < 7600:
            result += gain * np.sin(2 * np.pi * pitch_hz * ratio * time_s) * np.exp(-time_s / decay_s)
    return result * np.minimum(1, time_s / 0.001)


def noise(rng: np.random.Generator, duration_s: Number, low_hz: Number, high_hz: Number) -> Track:
    """Return noise between two frequencies, of unit level."""
    white = rng.standard_normal(round(duration_s * SAMPLE_RATE_HZ))
    band = [max(low_hz, 20.0), min(high_hz, 7900.0)]
    result = np.asarray(sosfilt(butter(2, band, "bandpass", fs=SAMPLE_RATE_HZ, output="sos"), white))
    return np.asarray(result / (np.sqrt(np.mean(result**2)) + 1e-9))


def burst(rng: np.random.Generator, duration_s: Number, low_hz: Number, high_hz: Number, decay_s: Number) -> Track:
    """Return a short stroke of noise that dies away."""
    return noise(rng, duration_s, low_hz, high_hz) * np.exp(-times(duration_s) / decay_s)


def glide(pitch_hz: Track, harmonics: Sequence[Number] = (1.0,)) -> Track:
    """Return a tone that follows a pitch for each sample; `harmonics` are the gains of its multiples."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    top_hz = float(pitch_hz.max())
    voices = (gain * np.sin(k * phase) for k, gain in enumerate(harmonics, start=1) if k * top_hz < 7800)
    return np.asarray(sum(voices, start=np.zeros(len(phase))))


def swell(duration_s: Number, attack_s: Number, release_s: Number) -> Track:
    """Return an envelope that rises to 1, stays and falls to 0 at the end."""
    time_s = times(duration_s)
    return np.clip(np.minimum(time_s / attack_s, (duration_s - time_s) / release_s), 0, 1)


def lay(duration_s: Number, strokes: Iterable[tuple[Number, Track]]) -> Track:
    """Return the sum of sounds, each starting at its time; what runs past the end is cut."""
    result = np.zeros(round(duration_s * SAMPLE_RATE_HZ))
    for at_s, sound in strokes:
        start = round(at_s * SAMPLE_RATE_HZ)
        room = result[start : start + len(sound)]
        room += sound[: len(room)]
    return result


def wander(rng: np.random.Generator, duration_s: Number, rate_hz: Number) -> Track:
    """Return a smooth random curve in [0, 1] that changes about `rate_hz` times a second."""
    knots = rng.random(int(duration_s * rate_hz) + 3)
    position = times(duration_s) * rate_hz
    below = position.astype(np.int64)
    share = 0.5 - 0.5 * np.cos(np.pi * (position - below))
    return np.asarray(knots[below] * (1 - share) + knots[below + 1] * share)
