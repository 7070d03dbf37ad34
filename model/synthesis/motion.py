"""Bodies that meet the ground: a bouncing ball, a walker's footsteps."""

from __future__ import annotations

import numpy as np

from model.synthesis.canvas import Colour, Number, Pen, darker, lighter, mix
from model.synthesis.cause import Cause, Kind, Moment, Track
from model.synthesis.sounds import burst, glide, lay, modes, times

DUST: Colour = (236, 226, 206)


def _draw_ball(pen: Pen, cause: Cause, moment: Moment) -> None:
    period_s = 1 / cause.rate_hz
    height, squash = 0.0, 0.0
    if moment.playing:
        share = min(1.0, moment.since_s / period_s) if moment.count else 1 - min(1.0, moment.until_s / period_s)
        height = 4 * share * (1 - share) * min(1.0, 3.2 * period_s**2 + 0.25)
        squash = 0.22 * moment.hit
    y = 0.42 - 0.98 * height
    pen.shadow(0, 0.95, 0.5 - 0.15 * height, 0.08)
    if moment.playing:
        for step in (3, 2, 1):
            pen.glow.oval(0, min(y + 0.16 * step, 0.75), 0.42 - 0.05 * step, 0.3, lighter(cause.main, 0.5), 0.16)
        for side in (-1, 1):
            for reach in (0.6, 0.8, 1.0):
                spread = reach + 0.25 * min(moment.since_s * 3, 1)
                pen.glow.line(
                    [(side * spread * 0.8, 0.86), (side * spread, 0.8 - 0.18 * (1.1 - reach))],
                    0.07,
                    cause.mark,
                    0.2 + 0.75 * moment.ring,
                )
            pen.glow.line([(side * 0.7, y - 0.3), (side * 0.7, y + 0.3)], 0.05, cause.mark, 0.7)
    ball = pen.at(0, y + 0.45 * squash, 0)
    wide, tall = 0.54 * (1 + squash), 0.54 * (1 - squash)
    ball.oval(0, 0, wide, tall, cause.main)
    turn = 3 * moment.time_s
    for sector in range(3):
        angle = np.linspace(0, np.pi / 3, 8) + turn + sector * 2 * np.pi / 3
        rim = np.stack([wide * np.cos(angle), tall * np.sin(angle)], axis=1)
        ball.shape(np.concatenate([[(0, 0)], rim]), lighter(cause.accent, 0.3))
    ball.oval(-0.14, -0.18, 0.1, 0.08, (255, 255, 255))


def _hear_ball(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(420, 130)
    time_s = times(0.3)
    thump = glide(pitch_hz * (1 + 0.5 * np.exp(-time_s / 0.012)), (1, 0.3)) * np.exp(-time_s / 0.05)
    ping = modes(pitch_hz * 3.4, (1, 1.5), (0.25, 0.15), (0.06, 0.04), 0.3)
    slap = 0.3 * burst(rng, 0.3, 400, 3500, 0.006)
    return lay(cause.duration_s, ((at_s, (thump + ping + slap) * rng.uniform(0.85, 1)) for at_s in cause.onsets_s))


def _leg(pen: Pen, hip: tuple[Number, Number], swing: float, bend: float, cloth: Colour, shoe: Colour) -> None:
    knee = (hip[0] + 0.38 * np.sin(swing + bend), hip[1] + 0.38 * np.cos(swing + bend))
    foot = (knee[0] + 0.4 * np.sin(swing - bend), knee[1] + 0.36 * np.cos(swing - bend))
    pen.line([hip, knee], 0.22, cloth)
    pen.line([knee, foot], 0.19, cloth)
    pen.at(foot[0], foot[1], -0.5 * swing).loop(
        [(-0.12, -0.1), (0.1, -0.08), (0.3, 0.04), (0.28, 0.12), (-0.14, 0.12)], shoe
    )


def _draw_footsteps(pen: Pen, cause: Cause, moment: Moment) -> None:
    coat, trousers, skin = (
        cause.main,
        darker(cause.accent, 0.35),
        mix((240, 196, 160), (110, 70, 50), cause.details().random()),
    )
    pen.shadow(0, 0.95, 0.55, 0.07)
    share = min(1.0, moment.since_s * cause.rate_hz) if moment.playing else 0.0
    stride = 0.62 * np.cos(np.pi * (moment.count + share)) if moment.playing else 0.06
    lift = 0.45 * np.sin(np.pi * share) if moment.playing else 0.0
    body = pen.at(0, 0.05 * np.sin(np.pi * share))
    forward = moment.count % 2 == 0
    body.line([(-0.02, -0.35), (-0.02 - 0.5 * stride, 0.02)], 0.15, darker(coat, 0.3))
    _leg(body, (0, 0.12), -stride, lift if forward else 0.05, darker(trousers, 0.3), (60, 50, 54))
    _leg(body, (0, 0.12), stride, 0.05 if forward else lift, trousers, (84, 66, 60))
    body.loop([(-0.24, -0.45), (0.0, -0.56), (0.22, -0.45), (0.26, 0.18), (-0.26, 0.18)], coat)
    body.oval(0.03, -0.78, 0.23, 0.24, skin)
    body.oval(0.15, -0.78, 0.035, 0.05, (40, 34, 40))
    body.loop(
        [(-0.24, -0.82), (-0.1, -1.02), (0.16, -1.04), (0.28, -0.88), (0.42, -0.82), (0.1, -0.82)],
        cause.accent,
    )
    body.line([(0.02, -0.35), (0.02 + 0.5 * stride, 0.0)], 0.15, darker(coat, 0.12))
    if moment.playing:
        travel = min(moment.since_s / 0.5, 1.0)
        for dx, size in ((0.34, 0.13), (0.56, 0.1), (0.74, 0.07)):
            pen.glow.oval(dx + 0.2 * travel, 0.9 - 0.14 * travel, size, size * 0.8, DUST, 0.25 + 0.6 * moment.ring)
        for y in (-0.4, -0.1, 0.2):
            pen.glow.line([(-0.55 - 0.1 * y, y), (-0.95 - 0.1 * y, y)], 0.05, cause.mark, 0.75)


def _hear_footsteps(cause: Cause, rng: np.random.Generator) -> Track:
    pitch_hz = cause.pitch_hz(190, 85)
    strokes = []
    for count, at_s in enumerate(cause.onsets_s):
        heel = modes(pitch_hz * (1.0 if count % 2 else 1.06), (1, 2.1), (1, 0.4), (0.03, 0.02), 0.2)
        heel += 0.5 * burst(rng, 0.2, 500, 2500, 0.008)
        grit = burst(rng, 0.12, 1200, 6500, 0.035) * rng.uniform(0.1, 1, 1920)
        strokes += [(float(at_s), heel), (float(at_s) + 0.05, 0.8 * grit)]
    return lay(cause.duration_s, strokes)


MOTION = (
    Kind("ball", "beat", "ground", (1.6, 2.6), _draw_ball, _hear_ball),
    Kind("footsteps", "beat", "ground", (1.6, 2.6), _draw_footsteps, _hear_footsteps),
)
