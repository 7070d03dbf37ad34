"""A speaker's voice: pulses of the glottis through the resonances of a vocal tract, in syllables that mean nothing.

The source-filter model of Fant, "Acoustic theory of speech production", 1960, with the resonators of Klatt, JASA 1980.
Formants: means over men of Peterson and Barney, JASA 1952.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.signal import lfilter, sosfilt

from model.media.segments import SAMPLE_RATE_HZ
from model.synthesis.cause import Track
from model.synthesis.sounds import burst, noise, swell, wander

VOWELS_HZ = (
    (270, 2290, 3010, 3600),
    (530, 1840, 2480, 3600),
    (660, 1720, 2410, 3500),
    (730, 1090, 2440, 3500),
    (570, 840, 2410, 3400),
    (300, 870, 2240, 3300),
    (490, 1350, 1690, 3300),
)
WIDTHS_HZ = (70, 100, 160, 220)
CONSONANT_SHARE, PAUSE_SHARE = 0.4, 0.08  # of syllables
LEVEL = 0.08  # RMS of a recording


@dataclass(frozen=True, eq=False)
class Voice:
    """Hold what stays the same whatever is said.

    `pitch_hz`: its middle. `melody`: how far pitch moves, in octaves. `formants` (4,): the resonances of the vocal
    tract as multiples of the vowels'. `breath`: noise beside the pulses, 0 to 1. `dullness`: 0 to 1, how fast
    overtones fall. `syllable_s`: their mean length.
    """

    pitch_hz: float
    melody: float
    formants: Float64[np.ndarray, "4"]
    breath: float
    dullness: float
    syllable_s: float

    @staticmethod
    def draw(build: float, age: float, rng: np.random.Generator) -> Voice:
        """Draw a voice; a large `build` lowers pitch and formants, `age` makes it breathy (both in standard units)."""
        own = rng.standard_normal(8)
        return Voice(
            pitch_hz=float(155 * 2 ** (-0.38 * build + 0.2 * own[0])),
            melody=float(0.35 * 2 ** (0.4 * own[1])),
            formants=np.exp(-0.07 * build + 0.05 * own[2:6]),
            breath=float(1 / (1 + np.exp(1.2 - 1.2 * age - 0.4 * own[6]))),
            dullness=float(1 / (1 + np.exp(-own[7]))),
            syllable_s=float(rng.uniform(0.16, 0.26)),
        )


def speak(voice: Voice, duration_s: float, rng: np.random.Generator) -> Track:
    """Return a voice that says something, other syllables each time."""
    source = _glottis(voice, duration_s, rng)
    said = np.zeros(len(source))
    start = 0
    while start < len(source):
        length_s = voice.syllable_s * rng.uniform(0.7, 1.3)
        if rng.random() < PAUSE_SHARE:
            start += round(length_s * SAMPLE_RATE_HZ)
            continue
        if rng.random() < CONSONANT_SHARE:
            start += _add(said, start, 0.5 * burst(rng, 0.07, rng.uniform(1500, 4000), 7000, 0.03))
        formants_hz = voice.formants * VOWELS_HZ[rng.integers(len(VOWELS_HZ))] * rng.uniform(0.95, 1.05)
        part = source[start : start + round(length_s * SAMPLE_RATE_HZ)]
        if len(part) > 1:
            vowel = sosfilt(_vocal_tract(formants_hz), part)
            level = np.sqrt(np.mean(vowel**2)) + 1e-9
            _add(said, start, vowel / level * swell(len(part) / SAMPLE_RATE_HZ, 0.03, 0.05))
        start += max(1, len(part))
    return said


def record(said: Track, rng: np.random.Generator) -> Track:
    """Return what a video's microphone and room make of it; draw once a video, with a generator of the video's own."""
    duration_s = len(said) / SAMPLE_RATE_HZ
    tilt = rng.uniform(-0.4, 0.4)
    heard = lfilter([1.0, tilt], [1.0], said)
    heard = heard + 10 ** rng.uniform(-1.8, -0.9) * noise(rng, duration_s, 80, rng.uniform(1500, 7500))
    level = LEVEL * 2 ** rng.uniform(-0.7, 0.7)
    return np.asarray(np.clip(heard * level / np.sqrt(np.mean(heard**2)), -1, 1))


def _glottis(voice: Voice, duration_s: float, rng: np.random.Generator) -> Track:
    """Return pulses whose overtones fall, and breath."""
    melody = wander(rng, duration_s, 3.0)[: round(duration_s * SAMPLE_RATE_HZ)]
    pitch_hz = voice.pitch_hz * 2 ** (voice.melody * (melody - 0.5))
    pulses = np.diff(np.floor(np.cumsum(pitch_hz) / SAMPLE_RATE_HZ), prepend=0.0)
    pole = 0.9 + 0.08 * voice.dullness
    flow = lfilter([1.0, -1.0], [1.0, -0.995], lfilter([1.0], [1.0, -pole], pulses))
    flow = flow / (np.sqrt(np.mean(flow**2)) + 1e-9)
    return np.asarray((1 - voice.breath) * flow + 0.7 * voice.breath * noise(rng, duration_s, 500, 7000))


def _vocal_tract(formants_hz: Float64[np.ndarray, "4"]) -> Float64[np.ndarray, "4 6"]:
    """Return second-order sections, each a resonator of gain 1 at 0 Hz."""
    radius = np.exp(-np.pi * np.array(WIDTHS_HZ) / SAMPLE_RATE_HZ)
    back = 2 * radius * np.cos(2 * np.pi * formants_hz / SAMPLE_RATE_HZ)
    gain, zero = 1 - back + radius**2, np.zeros(4)
    return np.stack([gain, zero, zero, zero + 1, -back, radius**2], axis=1)


def _add(said: Track, start: int, part: Track) -> int:
    """Add a part where it fits, and return how many samples it has."""
    room = said[start : start + len(part)]
    room += part[: len(room)]
    return len(part)
