"""Animals: bird, frog, cricket, dog, bee."""

from __future__ import annotations

import numpy as np

from model.synthesis.canvas import Colour, Pen, darker, hsv, lighter, mix
from model.synthesis.cause import Cause, Kind, Moment, Track
from model.synthesis.marks import arcs
from model.synthesis.sounds import glide, lay, noise, swell, times

INK: Colour = (38, 34, 46)
WHITE: Colour = (252, 252, 250)


def _eye(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.oval(x, y, radius, radius, WHITE)
    pen.oval(x + 0.25 * radius, y, radius * 0.6, radius * 0.62, INK)
    pen.oval(x + 0.05 * radius, y - 0.25 * radius, radius * 0.2, radius * 0.2, WHITE)


def _draw_bird(pen: Pen, cause: Cause, moment: Moment) -> None:
    coat, belly = cause.main, lighter(cause.accent, 0.4)
    calling = moment.playing and moment.since_s < 0.3
    gape = 0.22 if calling else (0.08 if moment.playing else 0.0)
    pen.curve([(-1.3, 0.86), (-0.3, 0.78), (1.2, 0.9)], 0.1, (122, 86, 58))
    pen.loop([(0.9, 0.8), (1.05, 0.62), (1.25, 0.66), (1.1, 0.82)], (104, 160, 88))
    pen = pen.at(0, -0.05 if calling else 0.0, -0.12 if calling else 0.0)
    for x in (-0.12, 0.14):
        pen.line([(x, 0.6), (x + 0.02, 0.84)], 0.05, (214, 140, 60))
    pen.shape([(-0.5, 0.2), (-1.15, 0.44), (-1.05, 0.62), (-0.4, 0.56)], darker(coat, 0.25))
    pen.loop(
        [
            (-0.6, 0.2),
            (-0.3, -0.3),
            (0.05, -0.8),
            (0.5, -0.8),
            (0.72, -0.42),
            (0.6, 0.2),
            (0.3, 0.62),
            (-0.3, 0.66),
        ],
        coat,
    )
    pen.loop([(0.2, -0.2), (0.6, -0.2), (0.56, 0.2), (0.26, 0.56), (-0.05, 0.5), (0.0, 0.1)], belly)
    flap = -0.5 * np.exp(-moment.since_s / 0.15) if moment.playing else 0.0
    pen.at(-0.05, -0.05, flap).loop(
        [(0.1, 0), (0.05, 0.4), (-0.35, 0.5), (-0.75, 0.42), (-0.35, 0.05)], darker(coat, 0.3)
    )
    pen.shape([(0.66, -0.58), (1.02, -0.52 - gape), (0.68, -0.42)], (246, 172, 62))
    pen.shape([(0.66, -0.5), (0.98, -0.42 + gape), (0.64, -0.36)], (226, 142, 44))
    _eye(pen, 0.42, -0.56, 0.12)
    _notes(pen, cause, moment)


def _notes(pen: Pen, cause: Cause, moment: Moment) -> None:
    if not moment.playing:
        return
    for step in range(3):
        travel = min(moment.since_s, 0.5) + 0.32 * step
        note = pen.at(1.05 + 0.5 * travel, -0.75 - 0.35 * travel + 0.18 * (step % 2), 0.15).glow
        strength = 0.35 + 0.6 * moment.ring
        note.oval(0, 0, 0.11, 0.085, cause.mark, strength)
        note.line([(0.09, 0), (0.09, -0.36), (0.24, -0.26)], 0.05, cause.mark, strength)


def _hear_bird(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(5200, 2300)
    sweep, parts = rng.uniform(-0.3, 0.3), int(rng.integers(2, 4))
    time_s = times(0.075)
    chirp = glide(pitch_hz * (1 + sweep * (1 - time_s / 0.04) + 0.06 * np.sin(2 * np.pi * 45 * time_s)), (1, 0.15))
    chirp = chirp * swell(0.075, 0.012, 0.025)
    return lay(cause.duration_s, ((at_s + 0.09 * part, chirp) for at_s in cause.onsets_s for part in range(parts)))


def _draw_frog(pen: Pen, cause: Cause, moment: Moment) -> None:
    skin = hsv(0.2 + 0.25 * cause.details().random(), 0.6, 0.72)
    belly = lighter(skin, 0.6)
    swollen = float(np.exp(-max(moment.since_s - 0.2, 0) / 0.2)) if moment.playing else 0.0
    swollen = max(swollen, 0.45) if moment.playing else 0.0
    pen.oval(0, 0.88, 1.15, 0.16, darker(hsv(0.38, 0.5, 0.6), 0.1))
    for side in (-1, 1):
        pen.loop(
            [
                (side * 0.4, 0.3),
                (side * 0.95, 0.2),
                (side * 1.05, 0.66),
                (side * 0.8, 0.86),
                (side * 0.4, 0.8),
            ],
            darker(skin, 0.2),
        )
        pen.loop([(side * 0.3, 0.84), (side * 0.62, 0.74), (side * 0.98, 0.88), (side * 0.4, 0.94)], skin)
        pen.oval(side * 0.42, -0.62, 0.26, 0.26, skin)
    pen.loop(
        [
            (-0.62, -0.4),
            (0, -0.6),
            (0.62, -0.4),
            (0.76, 0.0),
            (0.6, 0.78),
            (0, 0.9),
            (-0.6, 0.78),
            (-0.76, 0.0),
        ],
        skin,
    )
    pen.loop([(-0.42, 0.2), (0, 0.1), (0.42, 0.2), (0.4, 0.72), (0, 0.84), (-0.4, 0.72)], belly)
    for side in (-1, 1):
        _eye(pen, side * 0.42, -0.64, 0.18)
    pen.curve([(-0.56, -0.14), (-0.3, -0.02), (0, 0.02), (0.3, -0.02), (0.56, -0.14)], 0.06, darker(skin, 0.6))
    if swollen:
        radius = 0.22 + 0.4 * swollen
        pen.oval(0, 0.12 + radius * 0.8, radius * 1.1, radius, mix(belly, (255, 240, 200), 0.4))
        pen.oval(-0.35 * radius, 0.12 + radius * 0.5, radius * 0.25, radius * 0.2, WHITE)
    arcs(pen, 0.25, 0.1, 0.85, moment, cause, 0.0)
    arcs(pen, -0.25, 0.1, 0.85, moment, cause, np.pi)


def _hear_frog(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(1000, 380)
    time_s = times(0.3)
    pulses = np.exp(-((time_s * 38 * (1.3 - 0.5 * cause.size)) % 1.0) * 4)
    tone = glide(pitch_hz * (0.85 + 0.5 * time_s), (0.7, 1, 0.8, 0.45, 0.3, 0.15))
    croak = (tone + 0.3 * noise(rng, 0.3, 400, 3000)) * pulses * swell(0.3, 0.04, 0.1)
    return lay(cause.duration_s, ((at_s, croak * rng.uniform(0.85, 1)) for at_s in cause.onsets_s))


def _draw_cricket(pen: Pen, cause: Cause, moment: Moment) -> None:
    shell = mix(cause.main, (120, 150, 70), 0.35)
    for bend in (-0.1, 0.16):
        pen.curve(
            [(-1.1, 1.0 + bend), (-0.3, 0.66 + bend), (0.5, 0.5 + bend), (1.25, 0.2 + bend)],
            0.16,
            darker(hsv(0.28, 0.6, 0.6), 0.1),
        )
    for x, foot in ((0.3, 0.62), (0.05, 0.66)):
        pen.line([(x, 0.12), (x + 0.16, 0.32), (x + 0.1, foot)], 0.05, darker(shell, 0.35))
    pen.loop([(-0.95, 0.1), (-0.3, -0.22), (0.4, -0.26), (0.55, 0.05), (0.3, 0.26), (-0.5, 0.26)], shell)
    trill = 0.28 + 0.2 * np.sin(2 * np.pi * 23 * moment.time_s) if moment.playing and moment.since_s < 0.35 else 0.0
    for spread, tone in ((1.0, 0.25), (0.5, 0.45)):
        wing = pen.at(0.3, -0.2, 0.35 * (moment.playing) + spread * trill)
        wing.loop([(0, 0), (-0.5, -0.22), (-1.15, -0.12), (-1.1, 0.06), (-0.4, 0.12)], lighter(shell, tone))
    pen.line([(-0.25, 0.15), (-0.62, -0.62), (-1.05, 0.78)], 0.1, darker(shell, 0.25))
    pen.curve([(-0.22, 0.16), (-0.4, -0.3), (-0.6, -0.6)], 0.17, darker(shell, 0.15))
    pen.oval(0.62, -0.12, 0.28, 0.26, darker(shell, 0.1))
    _eye(pen, 0.7, -0.18, 0.1)
    for reach in (0.85, 1.15):
        pen.curve([(0.72, -0.32), (0.9, -0.75), (reach + 0.1, -0.98)], 0.035, darker(shell, 0.4))
    arcs(pen, -0.5, -0.4, 0.36, moment, cause, -1.9)


def _hear_cricket(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(5600, 3600)
    pulse = glide(np.full(480, pitch_hz) * np.linspace(1.02, 0.98, 480)) * swell(0.03, 0.01, 0.012)
    beats = int(rng.integers(5, 8))
    return lay(cause.duration_s, ((at_s + k * 0.043, pulse) for at_s in cause.onsets_s for k in range(beats)))


def _draw_dog(pen: Pen, cause: Cause, moment: Moment) -> None:
    coat = hsv(0.04 + 0.07 * cause.details().random(), 0.25 + 0.4 * cause.vigour, 0.85)
    patch = darker(mix(coat, cause.main, 0.25), 0.45)
    barking = float(np.exp(-max(moment.since_s - 0.12, 0) / 0.15)) if moment.playing else 0.0
    gape = 0.15 + 0.3 * barking if moment.playing else 0.0
    pen.shadow(-0.1, 0.96, 0.8, 0.09)
    wag = 0.3 * np.sin(14 * moment.time_s) if moment.playing else 0.4
    pen.at(-0.66, 0.5, wag).curve([(0, 0), (-0.3, -0.2), (-0.36, -0.55)], 0.16, coat)
    pen.loop([(-0.75, 0.95), (-0.75, 0.4), (-0.35, -0.05), (0.2, -0.1), (0.35, 0.4), (0.36, 0.95)], coat)
    pen.loop([(-0.72, 0.5), (-0.5, 0.15), (-0.2, 0.3), (-0.35, 0.65)], patch)
    for x in (0.02, 0.3):
        pen.box(x - 0.11, 0.3, x + 0.11, 0.96, lighter(coat, 0.12), 0.09)
    head = pen.at(0.2, -0.35, -0.28 * barking)
    head.loop(
        [(-0.42, -0.1), (-0.3, -0.5), (0.1, -0.58), (0.4, -0.35), (0.42, 0.1), (0.05, 0.32), (-0.32, 0.22)],
        coat,
    )
    if gape:
        head.shape([(0.2, 0.05), (0.86, 0.0), (0.74, 0.12 + gape), (0.2, 0.26)], (150, 44, 58))
        head.loop(
            [(0.3, 0.16 + gape * 0.6), (0.66, 0.06 + gape), (0.62, 0.16 + gape), (0.3, 0.2 + gape * 0.7)],
            (240, 130, 140),
        )
    head.loop(
        [(0.1, 0.12 + gape * 0.7), (0.76, 0.08 + gape), (0.7, 0.22 + gape), (0.1, 0.34 + gape * 0.4)],
        lighter(coat, 0.1),
    )
    head.loop([(0.2, -0.22), (0.78, -0.18), (0.96, -0.06), (0.86, 0.1), (0.2, 0.16)], lighter(coat, 0.2))
    head.oval(0.9, -0.12, 0.12, 0.1, INK)
    _eye(head, 0.22, -0.26, 0.1)
    head.loop([(-0.2, -0.46), (-0.02, -0.4), (-0.12, 0.1), (-0.34, 0.26), (-0.46, 0.0)], patch)
    pen.box(-0.2, -0.06, 0.34, 0.06, cause.accent, 0.05)
    arcs(pen, 0.75, -0.35, 0.5, moment, cause, -0.1)


def _hear_dog(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(820, 260)
    time_s = times(0.2)
    contour = pitch_hz * (0.75 + 0.5 * np.sin(np.pi * np.minimum(time_s / 0.16, 1)))
    voice = glide(contour, (0.8, 1, 0.9, 0.6, 0.4, 0.3, 0.2)) + 0.7 * noise(rng, 0.2, pitch_hz, 6 * pitch_hz)
    bark = voice * np.minimum(1, time_s / 0.012) * np.exp(-time_s / 0.07)
    return lay(cause.duration_s, ((at_s, bark * rng.uniform(0.85, 1)) for at_s in cause.onsets_s))


def _flight(cause: Cause, time_s: Track) -> tuple[Track, Track]:
    """Return where the bee is, in its own units: heard as loudness, seen as place."""
    angle = 2 * np.pi * cause.rate_hz * time_s
    return 0.28 * np.sin(angle), 0.14 * np.sin(2 * angle)


def _draw_bee(pen: Pen, cause: Cause, moment: Moment) -> None:
    amber = hsv(0.1 + 0.05 * cause.details().random(), 0.75, 0.96)
    if moment.playing:
        xs, ys = _flight(cause, moment.time_s - 0.06 * np.arange(8))
        for step, (x, y) in enumerate(zip(xs[1:], ys[1:], strict=True)):
            pen.glow.oval(x - 0.85 - 0.13 * step, y + 0.2, 0.045, 0.045, cause.mark, 0.8 - 0.08 * step)
        pen = pen.at(float(xs[0]), float(ys[0]), 0.15 * np.sin(9 * moment.time_s), 0.86)
    pen.shape([(-0.72, 0.12), (-1.0, 0.2), (-0.72, 0.3)], INK)
    pen.oval(-0.12, 0.2, 0.68, 0.46, amber)
    for x, half in ((-0.5, 0.33), (-0.2, 0.44), (0.1, 0.42)):
        pen.loop(
            [
                (x - 0.06, 0.2 - half),
                (x + 0.1, 0.2 - half),
                (x + 0.16, 0.2),
                (x + 0.1, 0.2 + half),
                (x - 0.06, 0.2 + half),
                (x, 0.2),
            ],
            INK,
        )
    pen.oval(0.56, 0.12, 0.32, 0.32, mix(amber, INK, 0.25))
    _eye(pen, 0.66, 0.06, 0.13)
    for x in (0.62, 0.78):
        pen.curve([(x, -0.14), (x + 0.08, -0.34), (x + 0.22, -0.42)], 0.045, INK)
    lean = (-0.3, 0.1, 0.5) if moment.playing else (0.1,)
    for turn in lean:
        for side, root in ((-0.35, -0.16), (0.15, 0.06)):
            wing = pen.at(root, -0.16, side + turn).glow
            wing.oval(0, -0.42, 0.2, 0.44, (236, 246, 255), 0.42 if moment.playing else 0.7)


def _hear_bee(cause: Cause, rng: np.random.Generator) -> Track:
    time_s = times(cause.duration_s)
    x, y = _flight(cause, time_s)
    pitch_hz = cause.pitch_hz(290, 140) * (1 + 0.12 * y / 0.14 + 0.01 * rng.standard_normal())
    buzz = glide(pitch_hz, (1.0 / np.arange(1, 16) ** 0.6).tolist())
    return buzz * (0.75 + 0.25 * x / 0.28) * (0.85 + 0.15 * np.sin(2 * np.pi * 31 * time_s))


ANIMALS = (
    Kind("bird", "beat", "ground", (1.9, 3.2), _draw_bird, _hear_bird),
    Kind("frog", "beat", "ground", (1.6, 2.3), _draw_frog, _hear_frog),
    Kind("cricket", "beat", "ground", (1.7, 2.6), _draw_cricket, _hear_cricket),
    Kind("dog", "beat", "ground", (1.7, 2.8), _draw_dog, _hear_dog),
    Kind("bee", "flow", "air", (0.7, 1.4), _draw_bee, _hear_bee),
)
