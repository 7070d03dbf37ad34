"""Wind, thunder, fire and fireworks."""

from __future__ import annotations

import numpy as np

from model.synthesis.canvas import Colour, Pen, darker, hsv, lighter, mix
from model.synthesis.cause import Cause, Kind, Moment, Track
from model.synthesis.sounds import burst, glide, lay, noise, swell, times, wander

BARK: Colour = (116, 82, 60)


def _gust(cause: Cause, time_s: Track) -> Track:
    """Return the strength of the wind in [0, 1]: it bends the tree and it is heard."""
    angle = 2 * np.pi * cause.rate_hz * time_s
    return np.asarray(0.62 + 0.28 * np.sin(angle) + 0.1 * np.sin(2.7 * angle + 1))


def _draw_tree(pen: Pen, cause: Cause, moment: Moment) -> None:
    leaf = hsv(0.06 + 0.36 * cause.details().random(), 0.55, 0.72)
    gust = float(_gust(cause, np.array([moment.time_s]))[0]) if moment.playing else 0.0
    bend = 0.6 * gust
    pen.shadow(0, 0.96, 0.6, 0.08)
    pen.curve([(0, 0.95), (0.02, 0.5), (0.16 * bend, 0.1), (0.5 * bend, -0.3)], 0.2, BARK)
    pen.curve([(0.1 * bend, 0.25), (0.3 + 0.3 * bend, 0.0), (0.4 + 0.5 * bend, -0.2)], 0.09, BARK)
    blobs = (
        (-0.45, -0.1, 0.36),
        (0.42, -0.12, 0.36),
        (-0.25, -0.5, 0.4),
        (0.3, -0.5, 0.38),
        (0.0, -0.78, 0.34),
        (0, -0.28, 0.42),
    )
    for number, (x, y, radius) in enumerate(blobs):
        push = bend * (0.55 - 0.75 * y) + 0.04 * gust * np.sin(11 * moment.time_s + 2 * number)
        tone = mix(darker(leaf, 0.25), lighter(leaf, 0.15), number / 5)
        pen.at(x + push, y + 0.2 * bend, 0.5 * bend).oval(
            0, 0, radius * (1 + 0.35 * gust), radius * (1 - 0.15 * gust), tone
        )
    if not moment.playing:
        return
    rng = cause.details()
    for x, y, speed in rng.uniform((0, -1.0, 1.2), (1, 0.75, 2.2), (12, 3)):
        drift = -1.3 + 2.9 * ((x + 0.45 * speed * moment.time_s) % 1.0)
        flutter = y + 0.1 * np.sin(6 * moment.time_s + 9 * x)
        pen.at(drift, flutter, 6 * x + 5 * moment.time_s).loop(
            [(-0.1, 0), (0, -0.05), (0.1, 0), (0, 0.05)], lighter(leaf, 0.25)
        )
    for y, x, speed in rng.uniform((-0.95, 0, 0.8), (0.6, 1, 1.5), (5, 3)):
        drift = -1.7 + 2.6 * ((x + speed * moment.time_s) % 1.0)
        swirl = [
            (drift, y),
            (drift + 0.4, y - 0.04),
            (drift + 0.75, y + 0.02),
            (drift + 0.85, y - 0.12),
            (drift + 0.72, y - 0.14),
        ]
        pen.glow.curve(swirl, 0.045, (246, 250, 255), 0.35 + 0.5 * gust)


def _hear_tree(cause: Cause, rng: np.random.Generator) -> Track:
    time_s = times(cause.duration_s)
    gust = _gust(cause, time_s)
    low_hz = cause.pitch_hz(700, 260)
    body = noise(rng, cause.duration_s, low_hz, 2.2 * low_hz)
    howl = noise(rng, cause.duration_s, 2 * low_hz, 3.4 * low_hz)
    leaves = noise(rng, cause.duration_s, 2500, 6000) * wander(rng, cause.duration_s, 9)
    return np.asarray(body * gust**1.5 + 0.7 * howl * gust**3 + 0.18 * leaves * gust)


def _draw_thunder(pen: Pen, cause: Cause, moment: Moment) -> None:
    grey = mix(cause.main, (70, 72, 100), 0.75)
    glare = moment.ring if moment.playing else 0.0
    cloud = lighter(grey, 0.35 * glare)
    if moment.playing:
        _bolt(pen, cause, moment)
    for x, y, radius in (
        (-0.85, -0.55, 0.34),
        (0.85, -0.52, 0.34),
        (-0.4, -0.72, 0.44),
        (0.35, -0.74, 0.46),
        (0, -0.55, 0.42),
    ):
        pen.oval(x, y, radius, radius * 0.8, cloud)
    pen.box(-1.1, -0.58, 1.1, -0.25, darker(cloud, 0.25), 0.15)


def _bolt(pen: Pen, cause: Cause, moment: Moment) -> None:
    rng = np.random.default_rng([cause.seed, moment.count])
    steps = np.linspace(-0.4, 1.0, 7)
    x = rng.uniform(-0.35, 0.35) + np.cumsum(rng.uniform(0.05, 0.3, 7) * np.where(np.arange(7) % 2, 1, -1))
    width = 0.3 * np.linspace(1.0, 0.2, 7)
    outline = np.concatenate([np.stack([x - width / 2, steps], 1), np.stack([x + width / 2, steps], 1)[::-1]])
    strength = 0.75 + 0.25 * moment.ring
    pen.glow.shape(outline, (255, 226, 110), strength)
    pen.glow.line(np.stack([x, steps], axis=1), 0.05, (255, 253, 236))
    for fork in (2, 4):
        aside = rng.choice([-1, 1]) * rng.uniform(0.3, 0.5)
        branch = [
            (x[fork], steps[fork]),
            (x[fork] + aside * 0.6, steps[fork] + 0.16),
            (x[fork] + aside, steps[fork] + 0.36),
        ]
        pen.glow.line(branch, 0.07, (255, 236, 150), strength)


def _hear_thunder(cause: Cause, rng: np.random.Generator) -> Track:
    crack_hz = cause.pitch_hz(3000, 1100)
    strokes = []
    for at_s in cause.onsets_s:
        rumble = noise(rng, 1.0, 30, cause.pitch_hz(240, 90)) * np.exp(-times(1.0) / 0.5) * (0.4 + wander(rng, 1.0, 14))
        crack = burst(rng, 1.0, 150, crack_hz, 0.08) * (0.3 + wander(rng, 1.0, 40))
        strokes.append((float(at_s), 1.6 * rumble * np.minimum(1, times(1.0) / 0.03) + 1.8 * crack))
    return lay(cause.duration_s, strokes)


def _crackles(cause: Cause) -> Track:
    """Return when the wood cracks: a spark flies at each."""
    rng = cause.details()
    return np.sort(rng.uniform(0, cause.duration_s, int(cause.duration_s * cause.rate_hz)))


def _draw_fire(pen: Pen, cause: Cause, moment: Moment) -> None:
    hue = 0.0 + 0.06 * cause.details().random()
    pen.shadow(0, 0.94, 0.9, 0.1)
    for x, y in ((-0.8, 0.92), (-0.5, 0.97), (0.5, 0.97), (0.8, 0.92), (0, 0.99)):
        pen.oval(x, y, 0.19, 0.13, mix((120, 118, 124), cause.main, 0.15))
    for turn in (0.35, -0.35):
        log = pen.at(0, 0.76, turn)
        log.box(-0.72, -0.1, 0.72, 0.1, darker(BARK, 0.1), 0.09)
        log.oval(0.68 if turn > 0 else -0.68, 0, 0.07, 0.1, (206, 164, 116))
    if not moment.playing:
        return
    height = 0.8 + 0.4 * cause.vigour
    for layer, (width, tall) in enumerate(((0.72, 1.3), (0.5, 0.95), (0.28, 0.6))):
        colour = hsv(hue + 0.055 * layer, 0.9 - 0.25 * layer, 1.0)
        lick = [0.12 * np.sin(9 * moment.time_s + 2.1 * part + layer) for part in range(5)]
        base, top = 0.78, 0.78 - tall * height
        left = [
            (-width, base - 0.25 * tall),
            (-0.62 * width + lick[0], base - 0.62 * tall),
            (-0.3 * width + lick[1], base - 0.5 * tall),
        ]
        right = [
            (0.34 * width + lick[3], base - 0.55 * tall),
            (0.66 * width + lick[4], base - 0.72 * tall),
            (width, base - 0.25 * tall),
        ]
        pen.glow.loop([(0, base), *left, (lick[2], top), *right], colour, 0.95)
    for spark, at_s in enumerate(_crackles(cause)):
        age = moment.time_s - at_s
        if 0 <= age < 0.7:
            x, y = 0.5 * np.sin(37 * spark) + 0.2 * np.sin(8 * age + spark), 0.2 - 1.7 * age
            pen.glow.oval(x, y, 0.05, 0.05, (255, 220, 130), 1 - age)


def _hear_fire(cause: Cause, rng: np.random.Generator) -> Track:
    roar = noise(rng, cause.duration_s, 60, cause.pitch_hz(500, 220)) * (0.6 + 0.4 * wander(rng, cause.duration_s, 5))
    snap_hz = cause.pitch_hz(2600, 1200)
    snaps = [burst(rng, 0.03, snap_hz * tune, 7500, 0.004) for tune in (0.5, 0.8, 1.3)]
    small = rng.uniform(0, cause.duration_s, int(25 * cause.duration_s))
    big = ((at_s, rng.uniform(5, 9) * snaps[k % 3]) for k, at_s in enumerate(_crackles(cause)))
    fine = ((at_s, rng.uniform(0.8, 3) * snaps[k % 3]) for k, at_s in enumerate(small))
    return np.asarray(0.4 * roar + lay(cause.duration_s, big) + lay(cause.duration_s, fine))


def _draw_fireworks(pen: Pen, cause: Cause, moment: Moment) -> None:
    pen.shape([(-0.14, 1.0), (-0.1, 0.72), (0.1, 0.72), (0.14, 1.0)], darker(cause.main, 0.2))
    pen.box(-0.2, 0.94, 0.2, 1.04, (70, 66, 76), 0.03)
    pen.oval(0, 0.72, 0.1, 0.04, (30, 28, 36))
    if not moment.playing:
        return
    rng = np.random.default_rng([cause.seed, moment.count])
    hue, x, y = rng.random(), rng.uniform(-0.3, 0.3), rng.uniform(-0.4, -0.15)
    if moment.until_s < 0.35:
        coming = np.random.default_rng([cause.seed, moment.count + 1])
        coming.random()
        share = 1 - moment.until_s / 0.35
        tip = (coming.uniform(-0.3, 0.3) * share, 0.7 + (coming.uniform(-0.4, -0.15) - 0.7) * share)
        pen.glow.line([(tip[0] * 0.7, tip[1] + 0.35 * share), tip], 0.05, (255, 226, 150), 0.9)
    if not moment.count:
        return
    spread = 1.0 * (1 - np.exp(-moment.since_s / 0.12)) * (0.75 + 0.25 * cause.vigour)
    strength, fall = 0.4 + 0.6 * float(np.exp(-max(moment.since_s - 0.3, 0) / 0.3)), 0.35 * moment.since_s**2
    for ring, share in enumerate((1.0, 0.66, 0.33)):
        colour = hsv(hue + 0.14 * ring, 0.6, 1.0)
        for angle in np.arange(14) * 2 * np.pi / 14 + 0.22 * ring:
            direction = np.array([np.cos(angle), np.sin(angle)]) * spread * share
            centre = np.array([x, y + fall])
            tail, head = centre + direction * 0.72, centre + direction
            pen.glow.line(np.stack([tail, head]), 0.05, colour, strength)
            pen.glow.oval(head[0], head[1], 0.045, 0.045, lighter(colour, 0.6), strength)


def _hear_fireworks(cause: Cause, rng: np.random.Generator) -> Track:
    strokes = []
    for at_s in cause.onsets_s:
        rise_s = min(0.3, float(at_s))
        if rise_s > 0.1:
            climb = np.linspace(1, 1.8, len(times(rise_s)))
            strokes.append(
                (
                    float(at_s) - rise_s,
                    0.35 * glide(cause.pitch_hz(1700, 900) * climb) * swell(rise_s, 0.05, 0.03),
                )
            )
        boom = burst(rng, 0.5, 50, cause.pitch_hz(500, 180), 0.12) + 0.6 * burst(rng, 0.5, 500, 5000, 0.03)
        strokes.append((float(at_s), 2 * boom))
        spit = burst(rng, 0.02, 3000, 7500, 0.003)
        strokes += [(float(at_s) + delay, rng.uniform(0.5, 1.6) * spit) for delay in rng.uniform(0.1, 0.55, 24)]
    return lay(cause.duration_s, strokes)


WEATHER = (
    Kind("tree", "flow", "ground", (0.5, 0.9), _draw_tree, _hear_tree),
    Kind("thunder", "second", "sky", (1.0, 1.0), _draw_thunder, _hear_thunder),
    Kind("fire", "flow", "ground", (5.0, 9.0), _draw_fire, _hear_fire),
    Kind("fireworks", "second", "sky", (1.0, 1.0), _draw_fireworks, _hear_fireworks),
)
