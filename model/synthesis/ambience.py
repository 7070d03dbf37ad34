"""Sounds of a place that say nothing about the event, and short unseen ones that disturb."""

from __future__ import annotations

import numpy as np

from model.synthesis.cause import Track
from model.synthesis.sounds import burst, glide, modes, noise, swell, wander


def _unit(sound: Track) -> Track:
    return np.asarray(sound / (np.sqrt(np.mean(sound**2)) + 1e-9))


def draw_ambience(rng: np.random.Generator, duration_s: int) -> Track:
    """Return the sound of a place, of unit level: air, a hum, far traffic, far voices or hiss."""
    air = noise(rng, duration_s, 30, rng.uniform(250, 700))
    match int(rng.integers(5)):
        case 0:
            return _unit(air + 0.1 * noise(rng, duration_s, 500, 7500))
        case 1:
            steady = np.full(len(air), rng.choice([50.0, 60.0]))
            return _unit(0.6 * air + glide(steady, (0.5, 1, 0.3, 0.4, 0.1, 0.2)))
        case 2:
            return _unit(air + 1.3 * noise(rng, duration_s, 60, 500) * wander(rng, duration_s, 0.5))
        case 3:
            voices = sum(
                noise(rng, duration_s, low, 2.5 * low) * wander(rng, duration_s, 4) ** 2 for low in (250, 500, 1000)
            )
            return _unit(0.3 * air + voices)
        case _:
            return _unit(0.3 * air + noise(rng, duration_s, rng.uniform(300, 1500), 7500))


def draw_disturbance(rng: np.random.Generator) -> Track:
    """Return a short sound of peak 1 that nothing in the picture causes: cough, door, beep or hum."""
    match int(rng.integers(4)):
        case 0:
            sound = burst(rng, 0.35, 350, 2200, 0.1) * swell(0.35, 0.02, 0.1)
        case 1:
            sound = modes(rng.uniform(60, 110), (1, 1.8, 3.1), (1, 0.6, 0.3), (0.12, 0.08, 0.05), 0.5)
            sound += 0.2 * burst(rng, 0.5, 100, 900, 0.05)
        case 2:
            sound = glide(np.full(3200, rng.uniform(600, 1600)), (1, 0, 0.2)) * swell(0.2, 0.01, 0.02)
        case _:
            sound = glide(np.full(16000, rng.uniform(90, 180)), (1, 0.5, 0.3, 0.2)) * swell(1.0, 0.3, 0.4)
    return np.asarray(sound / np.abs(sound).max())
