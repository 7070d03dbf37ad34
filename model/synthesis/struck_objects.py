"""Things that are struck and plucked: bell, xylophone, drum, guitar, anvil."""

from __future__ import annotations

import numpy as np

from model.synthesis.canvas import Colour, Pen, darker, hsv, lighter, mix
from model.synthesis.cause import Cause, Kind, Moment, Track
from model.synthesis.marks import arcs, rays
from model.synthesis.sounds import burst, glide, lay, modes, times

WOOD: Colour = (150, 98, 58)
IRON: Colour = (92, 98, 112)
SPARK: Colour = (255, 214, 110)
NOTES = (0, 2, 4, 7, 9)  # semitones above the lowest bar


def _draw_bell(pen: Pen, cause: Cause, moment: Moment) -> None:
    metal = mix(cause.main, (222, 172, 72), 0.45)
    pen.box(-0.75, -1.0, 0.75, -0.88, darker(WOOD, 0.2), 0.05)
    pen.box(-0.08, -0.95, 0.08, -0.7, darker(IRON))
    swing = 0.0 if not moment.playing else 0.42 * np.cos(np.pi * moment.count) * np.exp(-moment.since_s / 0.9)
    bell = pen.at(0, -0.8, swing)
    bell.line([(0, 0.9), (0.45 * swing, 1.5)], 0.07, darker(IRON))
    bell.oval(0.5 * swing, 1.5, 0.16, 0.16, darker(IRON, 0.4))
    right = [(0, 0), (0.3, 0.08), (0.46, 0.4), (0.52, 0.85), (0.66, 1.15), (0.84, 1.36)]
    bell.loop(right + [(-x, y) for x, y in reversed(right[1:])], metal)
    bell.shape([(-0.86, 1.3), (0.86, 1.3), (0.88, 1.42), (-0.88, 1.42)], darker(metal, 0.25))
    bell.shape([(-0.55, 0.84), (0.55, 0.84), (0.58, 0.94), (-0.58, 0.94)], darker(metal, 0.2))
    bell.curve([(-0.2, 0.18), (-0.32, 0.5), (-0.38, 0.78)], 0.1, lighter(metal, 0.6))
    arcs(pen, 0.2, 0.1, 0.85, moment, cause, 0.25)
    arcs(pen, -0.2, 0.1, 0.85, moment, cause, np.pi - 0.25)


def _hear_bell(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(1500, 330)
    ratios = (0.5, 1.0, 1.19, 1.5, 2.0, 2.52, 3.01, 4.1)
    gains = (0.35, 1.0, 0.55, 0.3, 0.6, 0.3, 0.22, 0.15)
    decays = np.array([2.2, 1.6, 1.3, 1.0, 0.8, 0.5, 0.35, 0.25]) * (0.6 + 0.8 * cause.size)
    stroke = modes(pitch_hz, ratios, gains, decays.tolist(), 2.5)
    stroke[:800] += 0.4 * burst(rng, 0.05, 1500, 7000, 0.01)
    return lay(cause.duration_s, ((at_s, stroke * rng.uniform(0.85, 1)) for at_s in cause.onsets_s))


def _note(cause: Cause, onset: int) -> int:
    return int(np.random.default_rng([cause.seed, onset]).integers(len(NOTES)))


def _draw_xylophone(pen: Pen, cause: Cause, moment: Moment) -> None:
    pen.shadow(0, 0.92, 1.0, 0.1)
    for side in (-0.72, 0.72):
        pen.line([(side, 0.2), (side * 1.15, 0.92)], 0.1, darker(WOOD, 0.3))
    pen.shape([(-1.05, -0.14), (1.05, 0.02), (1.05, 0.14), (-1.05, 0.02)], WOOD)
    pen.shape([(-1.05, 0.38), (1.05, 0.28), (1.05, 0.4), (-1.05, 0.5)], darker(WOOD, 0.2))
    struck = _note(cause, moment.count)
    hue = cause.details().random()
    for bar in range(5):
        x, half = -0.84 + 0.42 * bar, 0.62 - 0.075 * bar
        drop = 0.05 * moment.hit if bar == struck else 0.0
        colour = hsv(hue + 0.13 * bar, 0.6, 0.92)
        pen.box(x - 0.16, 0.18 - half + drop, x + 0.16, 0.18 + half + drop, colour, 0.06)
        pen.box(x - 0.11, 0.24 - half + drop, x - 0.05, 0.1 + half + drop, lighter(colour, 0.45), 0.02)
        for y in (-0.36, 0.36):
            pen.oval(x, 0.18 + y * half / 0.5 + drop, 0.03, 0.03, darker(colour, 0.5))
    x = -0.84 + 0.42 * struck
    lift = 0.75 * (1 - moment.hit) if moment.playing else 0.9
    tip = (x, 0.05 - 0.55 * lift) if moment.playing else (0.1, -0.05)
    pen.line([tip, (tip[0] + 0.75, tip[1] - 0.62)], 0.06, lighter(WOOD))
    pen.oval(tip[0], tip[1], 0.15, 0.15, cause.accent)
    pen.oval(tip[0] - 0.04, tip[1] - 0.05, 0.05, 0.05, lighter(cause.accent, 0.6))
    rays(pen, x, 0.02, 0.24, moment, cause.mark, 9)


def _hear_xylophone(cause: Cause, rng: np.random.Generator) -> Track:
    low_hz = cause.pitch_hz(900, 260)
    strokes = []
    for count, at_s in enumerate(cause.onsets_s, start=1):
        pitch_hz = low_hz * 2 ** (NOTES[_note(cause, count)] / 12)
        stroke = modes(pitch_hz, (1, 3.93, 9.2), (1, 0.45, 0.2), (0.22, 0.06, 0.025), 0.6)
        stroke[:320] += 0.5 * burst(rng, 0.02, 800, 5000, 0.004)
        strokes.append((float(at_s), stroke))
    return lay(cause.duration_s, strokes)


def _draw_drum(pen: Pen, cause: Cause, moment: Moment) -> None:
    shell, skin = cause.main, (246, 232, 206)
    pen.shadow(0, 0.95, 0.9, 0.12)
    pen.shape([(-0.82, -0.1), (0.82, -0.1), (0.76, 0.78), (-0.76, 0.78)], shell)
    pen.oval(0, 0.78, 0.76, 0.18, shell)
    pen.shape([(-0.62, -0.1), (-0.36, -0.1), (-0.34, 0.92), (-0.58, 0.88)], lighter(shell, 0.35))
    for step in range(-3, 3):
        ends = [(step * 0.27, 0.06 if step % 2 else 0.78), (step * 0.27 + 0.27, 0.78 if step % 2 else 0.06)]
        pen.line(ends, 0.035, lighter(cause.accent, 0.3))
    pen.curve([(-0.77, 0.74), (-0.4, 0.9), (0, 0.95), (0.4, 0.9), (0.77, 0.74)], 0.1, cause.accent)
    pen.oval(0, -0.1, 0.86, 0.25, cause.accent)
    pen.oval(0, -0.13, 0.77, 0.2, darker(skin, 0.12 * moment.hit))
    if moment.playing:
        for ring in (0.3, 0.6):
            spread = ring + 0.2 * min(moment.since_s * 2, 1)
            pen.oval(0, -0.13, 0.77 * spread, 0.2 * spread, mix(skin, darker(cause.accent), 0.25 * moment.ring))
            pen.oval(0, -0.13, 0.68 * spread, 0.17 * spread, skin)
    for side in (-1, 1):
        down = moment.hit if moment.playing and (moment.count % 2) == (side > 0) else 0.0
        stick = pen.at(side * 0.95, -0.75, side * (0.1 - 0.55 * down))
        stick.line([(side * 0.1, -0.2), (-side * 0.7, 0.42 - 0.02 * down)], 0.07, lighter(WOOD, 0.2))
        stick.oval(-side * 0.7, 0.42, 0.09, 0.07, lighter(WOOD, 0.45))
    rays(pen, 0, -0.3, 0.35, moment, cause.mark, 12)


def _hear_drum(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(240, 70)
    time_s = times(0.5)
    tone = glide(pitch_hz * (1 + 0.7 * np.exp(-time_s / 0.03))) * np.exp(-time_s / 0.14)
    skin = modes(pitch_hz, (1.59, 2.14, 2.65, 3.5), (0.5, 0.4, 0.3, 0.2), (0.09, 0.07, 0.05, 0.04), 0.5)
    stroke = tone + skin + 0.35 * burst(rng, 0.5, 300, 3000, 0.03)
    return lay(cause.duration_s, ((at_s, stroke * rng.uniform(0.7, 1)) for at_s in cause.onsets_s))


def _draw_guitar(pen: Pen, cause: Cause, moment: Moment) -> None:
    body = mix(cause.main, (200, 128, 60), 0.35)
    pen = pen.at(0, 0, 0.45)
    pen.box(-0.09, -1.05, 0.09, 0.2, darker(WOOD, 0.35), 0.02)
    pen.box(-0.15, -1.25, 0.15, -1.0, darker(WOOD, 0.1), 0.05)
    for row in range(3):
        for side in (-0.19, 0.19):
            pen.oval(side, -1.19 + 0.08 * row, 0.04, 0.03, (230, 230, 225))
    right = [
        (0, -0.1),
        (0.3, -0.1),
        (0.44, 0.1),
        (0.36, 0.32),
        (0.5, 0.55),
        (0.56, 0.78),
        (0.4, 1.0),
        (0, 1.06),
    ]
    pen.loop(right + [(-x, y) for x, y in reversed(right[1:-1])], darker(body, 0.35))
    pen.loop(
        [(x * 0.9, 0.48 + (y - 0.48) * 0.92) for x, y in right + [(-x, y) for x, y in reversed(right[1:-1])]],
        body,
    )
    pen.oval(0, 0.38, 0.2, 0.2, lighter(body, 0.5))
    pen.oval(0, 0.38, 0.16, 0.16, darker(body, 0.75))
    pen.box(-0.24, 0.74, 0.24, 0.82, darker(WOOD, 0.4), 0.02)
    swing = 0.16 * np.exp(-moment.since_s / 0.5) if moment.playing else 0.0
    for string, x in enumerate((-0.05, 0.0, 0.05)):
        if swing and string == moment.count % 3:
            along = np.linspace(0, 1, 15)
            for side in (-1, 1):
                bow = x + side * swing * np.sin(np.pi * along)
                pen.glow.line(np.stack([bow, -1.0 + 1.77 * along], axis=1), 0.025, (255, 250, 225), 0.9)
            pen.glow.oval(x, -0.1, swing * 0.9, 0.75, (255, 245, 210), 0.28)
        pen.line([(x, -1.02), (x, 0.77)], 0.012, (235, 232, 220))
    arcs(pen, 0.2, 0.4, 0.62, moment, cause, 0.1)
    arcs(pen, -0.2, 0.4, 0.62, moment, cause, np.pi - 0.1)


def _pluck(rng: np.random.Generator, pitch_hz: float) -> Track:
    """Return harmonics that die the faster the higher they are, weighted by where the finger plucks."""
    number = np.arange(1, min(24, int(7600 / pitch_hz)) + 1)
    gains = np.sin(np.pi * number * rng.uniform(0.15, 0.3)) / number
    stretched = number * np.sqrt(1 + 0.00012 * number**2)
    return modes(pitch_hz, stretched.tolist(), gains.tolist(), (0.9 / (1 + 0.35 * number)).tolist(), 1.5)


def _hear_guitar(cause: Cause, rng: np.random.Generator) -> Track:
    low_hz = cause.pitch_hz(440, 110)
    strings = [_pluck(rng, low_hz * 2 ** (step / 12)) for step in (0, 5, 9)]
    return lay(cause.duration_s, ((at_s, strings[count % 3]) for count, at_s in enumerate(cause.onsets_s, start=1)))


def _draw_anvil(pen: Pen, cause: Cause, moment: Moment) -> None:
    iron = mix(IRON, cause.main, 0.18)
    pen.shadow(0, 0.95, 0.85, 0.12)
    pen.shape([(-0.42, 0.5), (0.42, 0.5), (0.5, 0.97), (-0.5, 0.97)], WOOD)
    pen.box(-0.46, 0.62, 0.46, 0.7, darker(WOOD, 0.35))
    pen.loop([(-0.5, 0.54), (-0.24, 0.36), (-0.26, 0.2), (0.26, 0.2), (0.24, 0.36), (0.5, 0.54)], darker(iron, 0.2))
    pen.shape([(-0.5, 0.02), (0.62, 0.02), (0.62, 0.26), (-0.3, 0.26), (-0.62, 0.16), (-1.0, 0.04)], iron)
    pen.shape([(-1.0, 0.03), (0.62, 0.0), (0.62, 0.07), (-0.9, 0.07)], lighter(iron, 0.45))
    hot = (255, 150, 60) if moment.playing else darker(iron, 0.3)
    (pen.glow if moment.playing else pen).box(-0.2, -0.06, 0.56, 0.03, hot, 0.03)
    lift = 0.0 if not moment.playing else 1 - max(moment.hit, np.exp(-moment.since_s / 0.12) * 0.8)
    hammer = pen.at(0.95, -0.02, 0.95 * lift if moment.playing else 0.0)
    hammer.line([(0.1, -0.1), (-0.75, -0.22)], 0.09, lighter(WOOD, 0.15))
    hammer.box(-0.92, -0.5, -0.62, -0.06, darker(iron, 0.35), 0.05)
    hammer.box(-0.88, -0.46, -0.8, -0.12, lighter(iron, 0.2), 0.03)
    _sparks(pen, cause, moment)


def _sparks(pen: Pen, cause: Cause, moment: Moment) -> None:
    if not moment.playing:
        return
    rng = np.random.default_rng([cause.seed, moment.count])
    age = min(moment.since_s, 0.45)
    for angle, speed in zip(rng.uniform(-np.pi, 0, 16), rng.uniform(0.8, 2.2, 16), strict=True):
        reach = 0.2 + speed * age
        x, y = 0.18 + reach * np.cos(angle), -0.08 + reach * np.sin(angle) * 0.8 + 1.6 * age**2
        tail = (x - 0.16 * np.cos(angle), y - 0.16 * np.sin(angle) * 0.8 - 0.1 * age)
        pen.glow.line([tail, (x, y)], 0.05, SPARK, 0.5 + 0.5 * moment.ring)
    pen.glow.oval(0.18, -0.06, 0.22 * moment.ring, 0.12 * moment.ring, (255, 245, 200), 0.9)


def _hear_anvil(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(2300, 950)
    ratios = (1, 1.52, 2.13, 2.77, 3.4)
    stroke = modes(pitch_hz, ratios, (0.8, 1, 0.7, 0.6, 0.4), (0.35, 0.28, 0.2, 0.14, 0.1), 0.9)
    stroke[:1600] += 1.2 * burst(rng, 0.1, 700, 7500, 0.012)
    stroke += 0.6 * modes(190, (1, 1.7), (1, 0.5), (0.05, 0.04), 0.9)
    return lay(cause.duration_s, ((at_s, stroke * rng.uniform(0.8, 1)) for at_s in cause.onsets_s))


STRUCK = (
    Kind("bell", "beat", "air", (1.6, 2.4), _draw_bell, _hear_bell),
    Kind("xylophone", "beat", "ground", (2.0, 4.0), _draw_xylophone, _hear_xylophone),
    Kind("drum", "beat", "ground", (2.0, 4.5), _draw_drum, _hear_drum),
    Kind("guitar", "beat", "air", (1.7, 3.5), _draw_guitar, _hear_guitar),
    Kind("anvil", "beat", "ground", (1.6, 2.6), _draw_anvil, _hear_anvil),
)
