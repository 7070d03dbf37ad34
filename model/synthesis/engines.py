"""Machines that drive, fly and warn: tractor, ambulance, helicopter, steam locomotive."""

from __future__ import annotations

import numpy as np

from model.synthesis.canvas import Colour, Pen, darker, lighter, mix
from model.synthesis.cause import Cause, Kind, Moment, Track
from model.synthesis.marks import arcs
from model.synthesis.sounds import burst, glide, lay, noise, swell, times

RUBBER: Colour = (52, 52, 62)
GLASS: Colour = (176, 222, 240)
SMOKE: Colour = (214, 212, 218)


def _wheel(pen: Pen, x: float, y: float, radius: float, turn: float, hub: Colour) -> None:
    pen.oval(x, y, radius, radius, RUBBER)
    pen.oval(x, y, radius * 0.6, radius * 0.6, hub)
    for spoke in range(3):
        angle = turn + spoke * np.pi / 3
        dx, dy = 0.5 * radius * np.cos(angle), 0.5 * radius * np.sin(angle)
        pen.line([(x - dx, y - dy), (x + dx, y + dy)], radius * 0.12, darker(hub, 0.4))


def _draw_tractor(pen: Pen, cause: Cause, moment: Moment) -> None:
    paint, hub = cause.main, lighter(cause.accent, 0.2)
    pen.shadow(0, 0.95, 1.05, 0.1)
    shake = 0.025 * np.sin(2 * np.pi * 4.7 * moment.time_s) if moment.playing else 0.0
    body = pen.at(0, shake)
    body.box(0.44, -0.72, 0.54, 0.0, RUBBER, 0.03)
    body.box(-0.62, -0.95, 0.14, -0.85, darker(paint, 0.2), 0.05)
    body.shape([(-0.54, -0.86), (0.04, -0.86), (0.12, 0.1), (-0.6, 0.1)], GLASS)
    for x in (-0.54, 0.06):
        body.line([(x, -0.86), (x, 0.1)], 0.07, darker(paint, 0.2))
    body.shape([(-0.85, 0.02), (0.1, 0.02), (0.1, 0.5), (-0.85, 0.5)], darker(paint, 0.15))
    body.loop([(0.0, -0.1), (0.7, -0.08), (0.98, 0.05), (1.0, 0.5), (0.0, 0.52)], paint)
    body.box(0.3, 0.12, 0.8, 0.18, lighter(paint, 0.5), 0.02)
    body.box(0.3, 0.26, 0.8, 0.32, lighter(paint, 0.5), 0.02)
    turn = 0.35 * cause.rate_hz * moment.time_s
    _wheel(pen, -0.48, 0.42, 0.54, turn, hub)
    _wheel(pen, 0.68, 0.62, 0.34, 1.5 * turn, hub)
    if moment.playing:
        for puff in range(5):
            age = (moment.time_s * cause.rate_hz / 12 + puff / 5) % 1.0
            x, y, size = 0.49 - 0.7 * age, -0.8 - 0.5 * age, 0.09 + 0.2 * age
            pen.glow.oval(x, y, size, size, mix(SMOKE, (120, 120, 130), 1 - age), 0.85 - 0.6 * age)


def _hear_tractor(cause: Cause, rng: np.random.Generator) -> Track:
    stroke = _firing(cause.pitch_hz(170, 75), rng)
    count = int(cause.duration_s * cause.rate_hz)
    at_s = (np.arange(count) + rng.normal(0, 0.03, count)) / cause.rate_hz
    fire = lay(cause.duration_s, ((max(at, 0.0), stroke * rng.uniform(0.75, 1)) for at in at_s))
    return fire + 0.05 * noise(rng, cause.duration_s, 600, 3000)


def _firing(pitch_hz: float, rng: np.random.Generator) -> Track:
    """Return the sound of one firing of an engine."""
    time_s = times(0.09)
    tone = glide(pitch_hz * (1 + 0.4 * np.exp(-time_s / 0.01)), (1, 0.7, 0.5, 0.3, 0.2)) * np.exp(-time_s / 0.022)
    return tone + 0.25 * burst(rng, 0.09, 200, 1800, 0.012)


def _draw_ambulance(pen: Pen, cause: Cause, moment: Moment) -> None:
    paint, stripe = lighter(cause.main, 0.72), cause.accent
    pen.shadow(0, 0.85, 1.1, 0.1)
    pen.loop([(-1.05, 0.65), (-1.08, -0.45), (-0.9, -0.52), (0.4, -0.52), (0.5, -0.4), (0.5, 0.68)], paint)
    pen.shape([(0.4, -0.3), (0.72, -0.3), (1.0, 0.15), (1.1, 0.22), (1.12, 0.68), (0.4, 0.68)], paint)
    pen.shape([(0.5, -0.2), (0.68, -0.2), (0.9, 0.14), (0.5, 0.14)], (90, 130, 160))
    pen.box(-1.07, 0.3, 1.1, 0.46, stripe)
    pen.box(-0.38, -0.34, -0.24, 0.2, stripe)
    pen.box(-0.58, -0.14, -0.04, 0.0, stripe)
    for x in (-0.62, 0.62):
        pen.oval(x, 0.68, 0.26, 0.26, RUBBER)
        pen.oval(x, 0.68, 0.13, 0.13, (200, 204, 212))
    high = int(moment.time_s * cause.rate_hz * 2) % 2
    for side in (0, 1):
        x, lit = -0.1 + 0.36 * side, moment.playing and side == high
        lamp = (255, 70, 70) if side else (80, 140, 255)
        pen.box(x - 0.15, -0.68, x + 0.15, -0.5, lamp if lit else darker(lamp, 0.55), 0.05)
        if lit:
            for angle in np.linspace(-2.9, -0.25, 8):
                ends = [(x + r * np.cos(angle), -0.6 + r * np.sin(angle)) for r in (0.24, 0.52)]
                pen.glow.line(ends, 0.07, lighter(lamp, 0.2), 0.9)
            pen.glow.oval(x, -0.6, 0.2, 0.15, lighter(lamp, 0.35), 0.9)
    arcs(pen, 0.5, 0.0, 0.75, moment, cause, 0.0)


def _hear_ambulance(cause: Cause, rng: np.random.Generator) -> Track:
    time_s = times(cause.duration_s)
    high = (time_s * cause.rate_hz * 2).astype(np.int64) % 2
    low_hz = cause.pitch_hz(820, 480)
    return glide(low_hz * np.where(high, 1.335, 1.0), (1, 0.25, 0.5, 0.15, 0.3, 0.1, 0.12))


def _draw_helicopter(pen: Pen, cause: Cause, moment: Moment) -> None:
    paint = cause.main
    bob = 0.05 * np.sin(2.4 * moment.time_s) if moment.playing else 0.0
    pen = pen.at(0, bob, 0.08 if moment.playing else 0.0)
    pen.shape([(-1.15, -0.12), (0.0, -0.2), (0.0, 0.2), (-1.15, 0.0)], darker(paint, 0.15))
    pen.loop([(-1.2, -0.4), (-1.0, -0.38), (-0.94, -0.02), (-1.14, 0.02)], cause.accent)
    pen.line([(-0.3, 0.75), (0.65, 0.75), (0.8, 0.66)], 0.06, RUBBER)
    for x in (-0.1, 0.4):
        pen.line([(x, 0.4), (x - 0.06, 0.74)], 0.05, RUBBER)
    pen.loop(
        [(-0.4, -0.1), (-0.1, -0.38), (0.4, -0.38), (0.82, -0.02), (0.86, 0.3), (0.4, 0.5), (-0.2, 0.46)],
        paint,
    )
    pen.loop([(0.22, -0.26), (0.42, -0.28), (0.72, 0.0), (0.74, 0.18), (0.26, 0.16)], GLASS)
    pen.box(-0.2, -0.18, 0.1, 0.14, mix(GLASS, paint, 0.2), 0.06)
    pen.box(-0.34, 0.24, 0.8, 0.32, cause.accent, 0.03)
    pen.box(0.08, -0.6, 0.18, -0.34, RUBBER)
    _rotor(pen, cause, moment)


def _rotor(pen: Pen, cause: Cause, moment: Moment) -> None:
    reach = 1.3
    if not moment.playing:
        pen.line([(0.13 - reach, -0.56), (0.13 + reach, -0.6)], 0.07, RUBBER)
        return
    pen.glow.oval(0.13, -0.6, reach, 0.17, (235, 240, 248), 0.4)
    for blade in range(2):
        angle = 2 * np.pi * cause.rate_hz / 2.3 * moment.time_s + blade * np.pi / 2
        dx, dy = reach * np.cos(angle), 0.16 * np.sin(angle)
        pen.glow.line([(0.13 - dx, -0.6 - dy), (0.13 + dx, -0.6 + dy)], 0.06, (40, 42, 54), 0.9)
    pen.glow.oval(-1.08, -0.2, 0.26, 0.26, (235, 240, 248), 0.5)
    for side in (-0.5, 0.1, 0.7):
        sway = 0.06 * np.sin(9 * moment.time_s + 5 * side)
        pen.glow.curve([(side, 0.85), (side + sway, 0.95), (side - sway, 1.05)], 0.05, cause.mark, 0.7)


def _hear_helicopter(cause: Cause, rng: np.random.Generator) -> Track:
    time_s = times(cause.duration_s)
    beat = np.exp(-((time_s * cause.rate_hz) % 1.0) * 5)
    chop = noise(rng, cause.duration_s, 70, cause.pitch_hz(1100, 450)) * beat
    thump = glide(np.full(len(time_s), cause.pitch_hz(110, 60)), (1, 0.6, 0.4)) * beat
    whine = glide(np.full(len(time_s), cause.pitch_hz(2600, 1500)), (1, 0.3))
    return chop + 0.6 * thump + 0.06 * whine


def _draw_locomotive(pen: Pen, cause: Cause, moment: Moment) -> None:
    paint, trim = darker(cause.main, 0.15), mix(cause.accent, (230, 190, 90), 0.5)
    pen.box(-1.4, 0.9, 1.4, 0.96, (96, 92, 98))
    pen.shape([(0.86, 0.5), (1.2, 0.88), (0.8, 0.88)], darker(trim, 0.3))
    pen.box(0.5, -0.62, 0.74, 0.0, RUBBER)
    pen.shape([(0.42, -0.78), (0.82, -0.78), (0.74, -0.58), (0.5, -0.58)], darker(paint, 0.4))
    pen.box(-0.5, -0.12, 0.98, 0.48, paint, 0.12)
    for x in (-0.1, 0.35):
        pen.box(x - 0.04, -0.12, x + 0.04, 0.48, trim)
    pen.box(0.9, -0.06, 1.04, 0.42, darker(paint, 0.45), 0.05)
    pen.loop([(0.02, -0.1), (0.06, -0.32), (0.24, -0.32), (0.28, -0.1)], trim)
    pen.box(-1.05, -0.66, -0.38, 0.58, darker(paint, 0.12), 0.04)
    pen.box(-0.92, -0.5, -0.52, -0.1, (250, 222, 150), 0.05)
    pen.box(-1.14, -0.76, -0.3, -0.64, trim, 0.05)
    pen.box(-1.05, 0.48, 1.0, 0.6, darker(paint, 0.5))
    turn = 2.2 * moment.time_s if moment.playing else 0.4
    for x, radius in ((-0.68, 0.28), (-0.06, 0.28), (0.46, 0.2), (0.84, 0.2)):
        _wheel(pen, x, 0.9 - radius, radius, turn * 0.28 / radius, darker(trim, 0.1))
    pen.line(
        [
            (-0.68 + 0.14 * np.cos(turn), 0.62 + 0.14 * np.sin(turn)),
            (-0.06 + 0.14 * np.cos(turn), 0.62 + 0.14 * np.sin(turn)),
        ],
        0.07,
        (214, 216, 222),
    )
    _steam(pen, cause, moment)


def _steam(pen: Pen, cause: Cause, moment: Moment) -> None:
    """Draw the plume of the chimney and the jet of the whistle, longest while it blows."""
    if not moment.playing:
        return
    for puff in range(7):
        age = (puff / 7 + 0.9 * moment.time_s) % 1.0
        x, y, size = 0.62 - 1.3 * age, -0.86 - 0.32 * np.sqrt(age), 0.13 + 0.2 * age
        pen.glow.oval(x, y, size, size * 0.9, (238, 238, 244), 0.9 - 0.6 * age)
    blow = 0.4 + 0.6 * moment.ring
    for angle in (-1.9, -1.57, -1.24):
        reach = 0.75 * blow
        ends = [(0.15, -0.34), (0.15 + reach * np.cos(angle), -0.34 + reach * np.sin(angle))]
        pen.glow.line(ends, 0.1, (255, 255, 255), 0.95)
    arcs(pen, 0.9, -0.2, 0.4, moment, cause, -0.35)


def _hear_locomotive(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(720, 330)
    strokes = []
    for at_s in cause.onsets_s:
        bend = 1 - 0.08 * np.exp(-times(0.6) / 0.06)
        chord = sum(glide(pitch_hz * ratio * bend, (1, 0.4, 0.25, 0.1)) for ratio in (1, 1.19, 1.5, 1.79))
        blast = chord + 0.5 * noise(rng, 0.6, 1200, 6500)
        strokes.append((float(at_s), blast * swell(0.6, 0.05, 0.15)))
    chuff = noise(rng, cause.duration_s, 150, 1800) * np.exp(-((times(cause.duration_s) * 4.4) % 1.0) * 4)
    return lay(cause.duration_s, strokes) + 0.5 * chuff


ENGINES = (
    Kind("tractor", "flow", "ground", (12.0, 26.0), _draw_tractor, _hear_tractor),
    Kind("ambulance", "flow", "ground", (0.8, 1.8), _draw_ambulance, _hear_ambulance),
    Kind("helicopter", "flow", "air", (8.0, 15.0), _draw_helicopter, _hear_helicopter),
    Kind("locomotive", "second", "ground", (1.0, 1.0), _draw_locomotive, _hear_locomotive),
)
