"""Water: rain, bubbles, a dripping tap, waves on a shore."""

from __future__ import annotations

import numpy as np

from model.synthesis.canvas import Colour, Pen, darker, hsv, lighter, mix
from model.synthesis.cause import Cause, Kind, Moment, Track
from model.synthesis.sounds import burst, glide, lay, noise, swell, times, wander

CHROME: Colour = (190, 200, 214)
FOAM: Colour = (245, 252, 255)


def _cloud(pen: Pen, x: float, y: float, width: float, colour: Colour) -> None:
    for dx, dy, radius in ((-0.55, 0.08, 0.3), (0.55, 0.1, 0.28), (-0.2, -0.12, 0.4), (0.25, -0.06, 0.36)):
        pen.oval(x + dx * width, y + dy * width, radius * width, radius * width * 0.85, colour)
    pen.box(x - 0.8 * width, y + 0.05 * width, x + 0.8 * width, y + 0.36 * width, colour, 0.15 * width)
    pen.oval(x - 0.25 * width, y - 0.2 * width, 0.2 * width, 0.13 * width, lighter(colour, 0.35))


def _draw_rain(pen: Pen, cause: Cause, moment: Moment) -> None:
    if moment.playing:
        rng = cause.details()
        count = round(34 + 50 * cause.vigour)
        for x, start, speed in zip(
            rng.uniform(-1.35, 1.35, count), rng.random(count), rng.uniform(1.6, 2.4, count), strict=True
        ):
            y = -0.4 + 1.4 * ((start + moment.time_s * speed) % 1.0)
            length = 0.16 + 0.1 * cause.size
            pen.glow.line([(x, y), (x - 0.06, y + length)], 0.035, (205, 232, 255), 0.85)
        for x, start in zip(rng.uniform(-1.2, 1.2, 9), rng.random(9), strict=True):
            spread = (start + moment.time_s * 3) % 1.0
            pen.glow.arc(x, 1.0, 0.05 + 0.1 * spread, np.pi, 2 * np.pi, 0.03, FOAM, 1 - 0.7 * spread)
    grey = mix(cause.main, (96, 104, 126), 0.75)
    _cloud(pen, 0.1, -0.66, 1.12, darker(grey, 0.25))
    _cloud(pen, -0.3, -0.58, 0.85, grey)


def _hear_rain(cause: Cause, rng: np.random.Generator) -> Track:
    low_hz = cause.pitch_hz(1800, 700)
    hiss = noise(rng, cause.duration_s, low_hz, 7500) * (0.75 + 0.25 * wander(rng, cause.duration_s, 3))
    drop = burst(rng, 0.012, low_hz, 6000, 0.003)
    at_s = rng.uniform(0, cause.duration_s, int(cause.duration_s * (40 + 80 * cause.vigour)))
    drops = lay(cause.duration_s, ((at, rng.uniform(0.5, 3) * drop) for at in at_s))
    return np.asarray(0.5 * hiss + drops)


def _bubble_times(cause: Cause) -> tuple[Track, Track]:
    """Return when each bubble leaves and its radius relative to the others: drawn and heard alike."""
    rng = cause.details()
    count = int(cause.duration_s * cause.rate_hz)
    at_s = (np.arange(count) + rng.uniform(0, 0.8, count)) / cause.rate_hz
    return at_s, rng.uniform(0.6, 1.4, count)


def _draw_bubbles(pen: Pen, cause: Cause, moment: Moment) -> None:
    water = hsv(0.52 + 0.12 * cause.details().random(), 0.6, 0.82)
    pen.shadow(0, 0.96, 0.8, 0.1)
    pen.box(-0.78, -0.5, 0.78, 0.95, darker(water, 0.3), 0.16)
    pen.box(-0.72, -0.2, 0.72, 0.9, water, 0.14)
    pen.box(-0.66, -0.14, -0.54, 0.8, lighter(water, 0.35), 0.05)
    pen.oval(0, -0.2, 0.72, 0.09, lighter(water, 0.4))
    for x, height in ((-0.4, 0.34), (0.45, 0.46), (0.3, 0.28)):
        sway = 0.06 * np.sin(2.5 * moment.time_s + 9 * x) if moment.playing else 0.0
        pen.curve([(x, 0.86), (x + 0.06, 0.86 - height / 2), (x + sway - 0.03, 0.86 - height)], 0.09, (70, 150, 96))
    pen.oval(0.05, 0.86, 0.66, 0.07, (214, 190, 140))
    pen.box(-0.84, -0.56, 0.84, -0.46, CHROME, 0.05)
    if not moment.playing:
        return
    at_s, radii = _bubble_times(cause)
    for left_s, radius, x in zip(at_s, radii, cause.details().uniform(-0.5, 0.5, len(at_s)), strict=True):
        age = moment.time_s - left_s
        if not 0 <= age < 0.75:
            continue
        y, size = 0.78 - 1.35 * age, (0.075 + 0.09 * cause.size) * radius * (1 + 0.3 * age)
        x += 0.07 * np.sin(12 * age + 20 * x)
        pen.glow.oval(x, y, size, size, FOAM, 0.85)
        pen.glow.oval(x + 0.015, y + 0.015, size * 0.75, size * 0.75, mix(water, FOAM, 0.35), 0.8)
        pen.glow.oval(x - 0.35 * size, y - 0.35 * size, size * 0.25, size * 0.25, (255, 255, 255))


def _hear_bubbles(cause: Cause, rng: np.random.Generator) -> Track:
    strokes = []
    for at_s, radius in zip(*_bubble_times(cause), strict=True):
        pitch_hz = cause.pitch_hz(1300, 420) / radius
        time_s = times(0.11)
        strokes.append(
            (
                float(at_s),
                glide(pitch_hz * (1 + 7 * time_s)) * np.exp(-time_s / 0.03) * swell(0.11, 0.006, 0.02),
            )
        )
    return lay(cause.duration_s, strokes)


def _draw_tap(pen: Pen, cause: Cause, moment: Moment) -> None:
    metal = mix(CHROME, cause.main, 0.3)
    basin = lighter(cause.accent, 0.6)
    pen.shadow(-0.1, 0.97, 0.95, 0.08)
    pen.shape([(-1.0, 0.55), (0.85, 0.55), (0.6, 0.97), (-0.75, 0.97)], basin)
    pen.oval(-0.08, 0.55, 0.93, 0.14, darker(basin, 0.25))
    pen.oval(-0.08, 0.58, 0.84, 0.1, (112, 176, 214))
    pen.box(0.62, -0.95, 0.8, 0.5, metal, 0.06)
    pen.curve([(0.7, -0.45), (0.2, -0.66), (-0.12, -0.6), (-0.22, -0.3)], 0.22, metal)
    pen.curve([(0.6, -0.53), (0.2, -0.72), (-0.1, -0.66)], 0.05, lighter(metal, 0.7))
    pen.box(-0.36, -0.36, -0.08, -0.22, darker(metal, 0.2), 0.04)
    pen.box(0.46, -1.0, 0.96, -0.88, cause.main, 0.05)
    if not moment.playing:
        return
    fall = max(0.0, 1 - moment.until_s / 0.35)
    y = -0.14 + 0.66 * fall**2
    size = 0.1 + 0.06 * cause.size
    drop = [(0, -1.7), (0.55, -0.3), (0.75, 0.35), (0, 1.0), (-0.75, 0.35), (-0.55, -0.3)]
    pen.at(-0.22, y, 0, size).glow.loop(drop, (150, 214, 255))
    pen.glow.oval(-0.25, y, size * 0.2, size * 0.3, FOAM)
    travel = min(moment.since_s / 0.5, 1.0)
    for ring in (1.0, 0.6):
        reach = ring * (0.2 + 0.6 * travel)
        angle = np.linspace(0, 2 * np.pi, 30)
        path = np.stack([-0.22 + reach * np.cos(angle), 0.58 + 0.12 * reach * np.sin(angle)], axis=1)
        pen.glow.line(path, 0.035, FOAM, 0.3 + 0.7 * moment.ring)
    for turn in (-2.3, -1.9, -1.25, -0.85):
        far = 0.12 + 0.5 * travel
        x, y = -0.22 + far * np.cos(turn), 0.5 + far * np.sin(turn) + 0.5 * travel**2
        pen.glow.oval(x, y, 0.05, 0.06, (190, 230, 255), moment.ring)


def _hear_tap(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(2000, 750)
    time_s = times(0.22)
    strokes = []
    for at_s in cause.onsets_s:
        plop = glide(pitch_hz * rng.uniform(0.94, 1.06) * (1 + 3.5 * time_s**0.8)) * np.exp(-time_s / 0.04)
        plop[:160] += 0.5 * burst(rng, 0.01, 1500, 7000, 0.002)
        strokes.append((at_s, plop))
        strokes.append((at_s + 0.055, 0.3 * plop))
    return lay(cause.duration_s, strokes)


def _draw_waves(pen: Pen, cause: Cause, moment: Moment) -> None:
    sea = hsv(0.5 + 0.1 * cause.details().random(), 0.65, 0.75)
    if moment.playing:
        _breaker(pen, cause, moment, sea)
    along = np.linspace(-5.5, 5.5, 70)
    swing = np.pi * cause.rate_hz * moment.time_s
    for row in range(3):
        height = (0.08 + 0.05 * row) * (0.5 + cause.size) * (1.0 if moment.playing else 0.2)
        crest = 0.25 + 0.32 * row - height * np.abs(np.sin(1.9 * along + 0.8 * row + swing * (1 - row % 2 * 2)))
        edge = np.stack([along, crest], axis=1)
        pen.shape(np.concatenate([edge, [(5.5, 4), (-5.5, 4)]]), mix(darker(sea, 0.3), lighter(sea, 0.2), row / 2))
        if moment.playing:
            pen.line(edge, 0.045 + 0.025 * row, FOAM)


def _breaker(pen: Pen, cause: Cause, moment: Moment, sea: Colour) -> None:
    """Draw the wave that curls over and throws its spray."""
    surge = 0.5 + 0.5 * np.sin(2 * np.pi * cause.rate_hz * moment.time_s)
    top = -0.72 - 0.22 * surge
    back = [(-2.2, 0.75), (-1.4, 0.35), (-0.8, -0.05), (-0.3, top + 0.18), (0.2, top), (0.62, top + 0.22)]
    front = [
        (0.72, top + 0.6),
        (0.5, top + 0.5),
        (0.22, top + 0.5),
        (0.06, top + 0.85),
        (0.2, 0.3),
        (0.9, 0.75),
    ]
    pen.loop(back + front, sea)
    pen.curve([(-1.0, 0.4), (-0.5, top + 0.6), (0.0, top + 0.24)], 0.07, lighter(sea, 0.45))
    pen.curve([(-0.45, 0.5), (-0.16, top + 0.8), (0.12, top + 0.34)], 0.06, lighter(sea, 0.3))
    pen.curve([(-0.5, top + 0.3), (0.2, top), (0.6, top + 0.22), (0.72, top + 0.6)], 0.14, FOAM)
    rng = np.random.default_rng([cause.seed, int(moment.time_s * 10)])
    for x, y, size in rng.uniform((0.1, 0.15, 0.06), (1.3, 0.5, 0.15), (14, 3)):
        pen.oval(x, y, size, size * 0.8, FOAM)
    for x, y in rng.uniform((-0.2, top - 0.25), (1.2, top + 0.4), (10, 2)):
        pen.oval(x, y, 0.04, 0.04, FOAM)


def _hear_waves(cause: Cause, rng: np.random.Generator) -> Track:
    time_s = times(cause.duration_s)
    surge = 0.5 + 0.5 * np.sin(2 * np.pi * cause.rate_hz * time_s)
    deep = noise(rng, cause.duration_s, 60, cause.pitch_hz(900, 350))
    spray = noise(rng, cause.duration_s, 600, 3500)
    return deep * (0.5 + 0.5 * surge) + 0.8 * spray * (0.15 + 0.85 * surge**2)


WATER = (
    Kind("rain", "flow", "sky", (1.0, 1.0), _draw_rain, _hear_rain),
    Kind("bubbles", "flow", "ground", (9.0, 18.0), _draw_bubbles, _hear_bubbles),
    Kind("tap", "beat", "ground", (1.7, 3.0), _draw_tap, _hear_tap),
    Kind("waves", "flow", "ground", (0.8, 1.5), _draw_waves, _hear_waves),
)
