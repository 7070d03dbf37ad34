"""Things of a house: clock, typewriter, telephone, kettle."""

from __future__ import annotations

import numpy as np

from model.synthesis.canvas import Colour, Pen, darker, lighter, mix
from model.synthesis.cause import Cause, Kind, Moment, Track
from model.synthesis.marks import rays
from model.synthesis.sounds import burst, glide, lay, modes, noise, swell, times

WOOD: Colour = (142, 88, 52)
BRASS: Colour = (236, 190, 92)
PAPER: Colour = (250, 247, 238)


def _draw_clock(pen: Pen, cause: Cause, moment: Moment) -> None:
    case = mix(WOOD, cause.main, 0.35)
    pen.shape([(-0.62, -0.74), (0, -1.12), (0.62, -0.74)], darker(case, 0.15))
    pen.box(-0.56, -0.8, 0.56, 1.0, case, 0.06)
    pen.box(-0.4, 0.06, 0.4, 0.9, darker(case, 0.62), 0.05)
    pen.box(-0.68, 0.94, 0.68, 1.06, darker(case, 0.2), 0.04)
    pen.oval(0, -0.4, 0.46, 0.46, BRASS)
    pen.oval(0, -0.4, 0.39, 0.39, PAPER)
    for hour in range(12):
        angle = hour * np.pi / 6
        pen.oval(0.31 * np.cos(angle), -0.4 + 0.31 * np.sin(angle), 0.03, 0.03, (70, 60, 70))
    hour_angle = 6.28 * cause.details().random()
    for angle, reach in ((hour_angle, 0.18), (12 * hour_angle + 0.1 * moment.count, 0.27)):
        pen.line([(0, -0.4), (reach * np.cos(angle), -0.4 + reach * np.sin(angle))], 0.045, (60, 50, 64))
    swing = 0.0
    if moment.playing:
        share = min(1.0, moment.since_s / max(min(moment.since_s + moment.until_s, 0.7), 0.05))
        swing = 0.55 * np.cos(np.pi * (moment.count + share))
    bob = pen.at(0, 0.06, swing)
    bob.line([(0, 0), (0, 0.58)], 0.035, BRASS)
    bob.oval(0, 0.6, 0.16, 0.16, BRASS)
    bob.oval(-0.04, 0.56, 0.05, 0.05, (255, 246, 210))
    if moment.playing:
        for side in (-1, 1):
            for step in range(2):
                pen.glow.arc(
                    0,
                    -0.4,
                    0.66 + 0.2 * step,
                    -0.5 if side > 0 else np.pi - 0.5,
                    0.5 if side > 0 else np.pi + 0.5,
                    0.06,
                    cause.mark,
                    0.2 + 0.7 * moment.ring,
                )


def _hear_clock(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(3400, 1500)
    strokes = []
    for count, at_s in enumerate(cause.onsets_s):
        tone = pitch_hz * (1.0 if count % 2 else 0.78)
        tick = modes(tone, (1, 1.63, 0.37), (1, 0.6, 0.5), (0.012, 0.008, 0.02), 0.09)
        tick[:320] += 0.5 * burst(rng, 0.02, 2000, 7500, 0.002)
        strokes.append((float(at_s), tick))
    return lay(cause.duration_s, strokes)


def _draw_typewriter(pen: Pen, cause: Cause, moment: Moment) -> None:
    paint = darker(cause.main, 0.1)
    pen.shadow(0, 0.95, 1.1, 0.09)
    rng = np.random.default_rng([cause.seed, moment.count])
    carriage = pen.at(0.28 - 0.06 * (moment.count % 10) if moment.playing else 0.0, 0)
    carriage.box(-0.5, -1.0, 0.5, -0.2, PAPER, 0.02)
    for row in range(3):
        carriage.line(
            [(-0.36, -0.86 + 0.16 * row), (0.36 if row < 2 else 0.0, -0.86 + 0.16 * row)],
            0.045,
            (130, 130, 150),
        )
    carriage.box(-0.95, -0.36, 0.95, -0.16, (66, 66, 78), 0.08)
    for x in (-1.02, 1.02):
        carriage.oval(x, -0.26, 0.09, 0.14, BRASS)
    pen.loop(
        [(-0.75, -0.14), (0.75, -0.14), (0.86, 0.3), (1.05, 0.86), (0, 0.98), (-1.05, 0.86), (-0.86, 0.3)],
        paint,
    )
    pen.loop([(-0.36, -0.08), (0.36, -0.08), (0.24, 0.14), (-0.24, 0.14)], darker(paint, 0.6))
    pressed = int(rng.integers(18)) if moment.playing else -1
    for key in range(18):
        row, column = divmod(key, 6)
        x, y = (-0.62 + 0.25 * column) * (1 + 0.1 * row), 0.34 + 0.2 * row
        down = key == pressed
        pen.oval(x, y + 0.035, 0.1, 0.09, darker(paint, 0.55))
        pen.oval(x, y + (0.03 if down else -0.01), 0.095, 0.085, (255, 236, 150) if down else PAPER)
    if moment.playing:
        pen.line([(rng.uniform(-0.2, 0.2), 0.08), (0.0, -0.34)], 0.05, (220, 222, 230))
        rays(pen, 0.0, -0.42, 0.2, moment, (230, 80, 60), 7)


def _hear_typewriter(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(1100, 480)
    strokes = []
    for at_s in cause.onsets_s:
        clack = modes(pitch_hz * rng.uniform(0.9, 1.1), (1, 2.3, 3.9), (0.8, 0.6, 0.4), (0.018, 0.012, 0.008), 0.1)
        clack += 1.2 * burst(rng, 0.1, 900, 6500, 0.007)
        strokes.append((float(at_s), clack * rng.uniform(0.6, 1)))
        strokes.append((float(at_s) + 0.05, 0.3 * clack))
    return lay(cause.duration_s, strokes)


def _draw_telephone(pen: Pen, cause: Cause, moment: Moment) -> None:
    paint = cause.main
    ringing = moment.playing and moment.since_s < 0.65
    shake = 0.07 * np.sin(2 * np.pi * 21 * moment.time_s) if ringing else 0.0
    pen.shadow(0, 0.95, 1.0, 0.1)
    pen.loop(
        [
            (-0.48, -0.32),
            (0.48, -0.32),
            (0.62, 0.2),
            (0.95, 0.82),
            (0.7, 0.96),
            (-0.7, 0.96),
            (-0.95, 0.82),
            (-0.62, 0.2),
        ],
        paint,
    )
    pen.oval(0, 0.36, 0.44, 0.44, PAPER)
    pen.oval(0, 0.36, 0.15, 0.15, cause.accent)
    for hole in range(9):
        angle = 0.5 + hole * 0.6
        pen.oval(0.3 * np.cos(angle), 0.36 + 0.3 * np.sin(angle), 0.065, 0.065, darker(paint, 0.5))
    for x in (-0.36, 0.36):
        pen.box(x - 0.09, -0.5, x + 0.09, -0.26, darker(paint, 0.4), 0.03)
    lift = 0.12 if ringing else 0.0
    handset = pen.at(0, -0.58 - lift, shake)
    handset.curve([(-0.8, 0.12), (-0.5, -0.16), (0, -0.22), (0.5, -0.16), (0.8, 0.12)], 0.2, darker(paint, 0.2))
    for x in (-0.84, 0.84):
        handset.box(x - 0.2, -0.06, x + 0.2, 0.24, darker(paint, 0.2), 0.1)
    handset.curve([(-0.5, -0.2), (0, -0.27), (0.5, -0.2)], 0.045, lighter(paint, 0.5))
    if moment.playing:
        for side in (-1, 1):
            for y, reach in ((-0.85, 0.3), (-0.5, 0.36), (-0.15, 0.3)):
                zigzag = [(side * (1.1 + reach * step / 3), y + (0.08 if step % 2 else -0.08)) for step in range(4)]
                pen.glow.line(zigzag, 0.065, cause.mark, 0.3 + 0.65 * moment.ring)


def _hear_telephone(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(1900, 1050)
    gongs = [modes(pitch_hz * tune, (1, 2.74, 4.9), (1, 0.5, 0.25), (0.14, 0.07, 0.03), 0.3) for tune in (1, 1.24)]
    strokes = []
    for at_s in cause.onsets_s:
        strokes += [(float(at_s) + stroke / 21, gongs[stroke % 2]) for stroke in range(12)]
    return lay(cause.duration_s, strokes)


def _draw_kettle(pen: Pen, cause: Cause, moment: Moment) -> None:
    metal = cause.main
    pen.shadow(0, 0.95, 0.95, 0.1)
    pen.box(-0.8, 0.84, 0.8, 0.97, (56, 56, 66), 0.05)
    rattle = 0.03 * np.sin(2 * np.pi * 7.3 * moment.time_s) if moment.playing else 0.0
    if moment.playing:
        for x in np.linspace(-0.5, 0.5, 6):
            flame = 0.11 + 0.04 * np.sin(30 * moment.time_s + 9 * x)
            pen.glow.shape([(x - 0.07, 0.84), (x, 0.84 - flame), (x + 0.07, 0.84)], (120, 180, 255), 0.95)
    pen.arc(-0.06, -0.06, 0.56, -2.85, -0.29, 0.12, (60, 56, 62))
    pen.shape([(0.4, 0.3), (0.5, -0.02), (0.94, -0.36), (1.06, -0.24), (0.72, 0.4)], darker(metal, 0.12))
    pen.loop([(-0.5, -0.14), (0.4, -0.14), (0.68, 0.3), (0.66, 0.74), (-0.78, 0.74), (-0.8, 0.3)], metal)
    pen.oval(-0.05, -0.14 + rattle, 0.46, 0.09, darker(metal, 0.25))
    pen.oval(-0.05, -0.24 + rattle, 0.09, 0.09, (60, 56, 62))
    pen.curve([(-0.5, 0.04), (-0.64, 0.3), (-0.62, 0.56)], 0.09, lighter(metal, 0.65))
    if not moment.playing:
        return
    for puff in range(9):
        age = (puff / 9 + 1.7 * moment.time_s) % 1.0
        x, y, size = 1.04 + 0.5 * age, -0.36 - 0.62 * age, 0.06 + 0.2 * age
        pen.glow.oval(x, y + 0.05 * np.sin(7 * age + 9 * moment.time_s), size, size, (246, 248, 252), 0.95 - 0.65 * age)


def _hear_kettle(cause: Cause, rng: np.random.Generator) -> Track:
    time_s = times(cause.duration_s)
    flutter = 1 + 0.006 * np.sin(2 * np.pi * 7.3 * time_s) - 0.05 * np.exp(-time_s / 0.3)
    tone = glide(cause.pitch_hz(3300, 1900) * flutter, (1, 0.25, 0.05))
    hiss = noise(rng, cause.duration_s, 2500, 7800) * swell(cause.duration_s, 0.1, 0.05)
    return np.asarray(tone + 0.35 * hiss)


HOUSEHOLD = (
    Kind("clock", "beat", "air", (2.0, 4.0), _draw_clock, _hear_clock),
    Kind("typewriter", "beat", "ground", (4.0, 8.0), _draw_typewriter, _hear_typewriter),
    Kind("telephone", "second", "ground", (1.0, 1.0), _draw_telephone, _hear_telephone),
    Kind("kettle", "flow", "ground", (1.0, 1.0), _draw_kettle, _hear_kettle),
)
