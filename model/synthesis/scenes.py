"""Backgrounds: places that any event may happen in, seen a little out of focus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFilter

from model.synthesis.canvas import Canvas, Colour, Number, Pen, darker, hsv, lighter, mix

WIDTH_PX, HEIGHT_PX = 256, 192
Picture = UInt8[np.ndarray, "192 256 3"]


def draw_scene(rng: np.random.Generator) -> Picture:
    """Return a background of a random place, palette and hour."""
    picture = SCENES[int(rng.integers(len(SCENES)))](rng)
    soft = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(float(rng.uniform(0.6, 1.6))))
    return np.asarray(soft)


def _gradient(*stops: tuple[Number, Colour]) -> Picture:
    """Return a picture whose rows pass through colours, each given with its height from 0 (top) to 1."""
    heights, colours = [stop[0] for stop in stops], np.array([stop[1] for stop in stops], dtype=np.float64)
    row = np.linspace(0, 1, HEIGHT_PX)
    column = np.stack([np.interp(row, heights, colours[:, channel]) for channel in range(3)], axis=1)
    return np.broadcast_to(np.round(column).astype(np.uint8)[:, None], (HEIGHT_PX, WIDTH_PX, 3)).copy()


def _canvas() -> tuple[Canvas, Pen]:
    """Return a canvas and a pen whose unit is a pixel."""
    canvas = Canvas(WIDTH_PX, HEIGHT_PX)
    return canvas, canvas.pen(0, 0, 1)


def _ridge(rng: np.random.Generator, base: Number, height: Number, bumps: int) -> np.ndarray:
    """Return the outline of hills across the whole width, closed below the frame."""
    along = np.linspace(-10, WIDTH_PX + 10, 60)
    swell = sum(
        np.sin(along / WIDTH_PX * 2 * np.pi * bumps * (k + 1) / 2 + rng.uniform(0, 7)) / (k + 1) for k in range(3)
    )
    edge = np.stack([along, base - height * np.asarray(swell)], axis=1)
    return np.concatenate([edge, [(WIDTH_PX + 10, HEIGHT_PX + 10), (-10, HEIGHT_PX + 10)]])


def _room(rng: np.random.Generator) -> Picture:
    wall = hsv(rng.random(), rng.uniform(0.12, 0.35), rng.uniform(0.55, 0.9))
    floor = mix((168, 120, 80), wall, 0.25)
    y = rng.uniform(138, 152)
    picture = _gradient((0, lighter(wall, 0.2)), (0.6, wall), (1, darker(wall, 0.2)))
    canvas, pen = _canvas()
    for stripe in range(-5, 260, int(rng.integers(18, 30))):
        pen.box(stripe, 0, stripe + 7, y, mix(wall, lighter(wall), 0.4))
    pen.box(-5, y, 261, 197, floor)
    for step in range(5):
        pen.line([(-5, y + 7 + step * step * 3), (261, y + 7 + step * step * 3)], 1.0, darker(floor, 0.15))
    pen.box(-5, y - 8, 261, y, lighter(wall, 0.6))
    x = rng.uniform(20, 180)
    pen.box(x, 22, x + 58, 84, lighter(wall, 0.7), 2)
    pen.box(x + 5, 27, x + 53, 79, hsv(rng.uniform(0.5, 0.65), 0.3, 0.92))
    pen.box(x + 27, 25, x + 31, 81, lighter(wall, 0.7))
    pen.box(x + 3, 51, x + 55, 55, lighter(wall, 0.7))
    return canvas.over(picture)


def _night_street(rng: np.random.Generator) -> Picture:
    night = hsv(rng.uniform(0.6, 0.75), 0.55, 0.3)
    picture = _gradient((0, darker(night, 0.4)), (0.6, night), (0.75, lighter(night, 0.2)), (1, darker(night, 0.3)))
    canvas, pen = _canvas()
    for x, y in zip(rng.uniform(0, 256, 26), rng.uniform(0, 80, 26), strict=True):
        pen.glow.oval(x, y, 0.9, 0.9, (255, 250, 230), rng.uniform(0.4, 1))
    x = -10.0
    while x < 260:
        width, top = rng.uniform(34, 56), rng.uniform(58, 100)
        house = darker(hsv(rng.random(), 0.3, 0.5), 0.45)
        pen.box(x, top, x + width - 3, 150, house)
        pen.shape([(x - 3, top), (x + width / 2, top - rng.uniform(8, 22)), (x + width, top)], darker(house, 0.4))
        for wx in np.arange(x + 7, x + width - 12, 13):
            for wy in np.arange(top + 8, 138, 19):
                lit = rng.random() < 0.4
                pen.box(wx, wy, wx + 7, wy + 10, (244, 204, 120) if lit else darker(house, 0.3), 1)
        x += width
    pen.box(-5, 148, 261, 197, mix(night, (60, 60, 72), 0.5))
    pen.box(-5, 147, 261, 152, mix(night, (120, 120, 130), 0.5))
    return canvas.over(picture)


def _meadow(rng: np.random.Generator) -> Picture:
    sky, grass = (
        hsv(rng.uniform(0.5, 0.62), rng.uniform(0.2, 0.5), 0.95),
        hsv(rng.uniform(0.2, 0.36), 0.5, 0.7),
    )
    picture = _gradient((0, sky), (0.6, lighter(sky, 0.7)), (1, grass))
    canvas, pen = _canvas()
    pen.glow.oval(rng.uniform(20, 236), rng.uniform(14, 50), 13, 13, (255, 240, 190), 0.9)
    for k in range(3):
        pen.shape(_ridge(rng, 108 + 20 * k, 9 - 2 * k, 2 + k), mix(lighter(grass, 0.35), grass, k / 2))
    for x, y in zip(rng.uniform(0, 256, 24), rng.uniform(152, 190, 24), strict=True):
        pen.line([(x, y), (x + 1, y + 6)], 1.0, darker(grass, 0.25))
        pen.oval(x, y, 2, 2, hsv(rng.random(), 0.5, 0.98))
    return canvas.over(picture)


def _lake(rng: np.random.Generator) -> Picture:
    sky, water = hsv(rng.uniform(0.45, 0.65), 0.3, 0.92), hsv(rng.uniform(0.48, 0.6), 0.45, 0.66)
    picture = _gradient((0, sky), (0.55, lighter(sky, 0.6)), (0.56, lighter(water, 0.3)), (1, darker(water, 0.2)))
    canvas, pen = _canvas()
    for k in range(2):
        x, reach = rng.uniform(20, 236), rng.uniform(60, 95)
        rock = mix(hsv(rng.uniform(0.55, 0.75), 0.25, 0.6), sky, 0.45 - 0.25 * k)
        pen.shape([(x - reach, 107), (x - 8, 42 + 12 * k), (x + 6, 40 + 12 * k), (x + reach, 107)], rock)
        pen.shape(
            [
                (x - 20, 55 + 12 * k),
                (x - 8, 42 + 12 * k),
                (x + 6, 40 + 12 * k),
                (x + 18, 55 + 12 * k),
                (x, 62 + 12 * k),
            ],
            (240, 246, 252),
        )
    for x, y in zip(rng.uniform(0, 250, 18), rng.uniform(112, 160, 18), strict=True):
        pen.line([(x, y), (x + rng.uniform(8, 22), y)], 1.2, lighter(water, 0.45))
    sand = hsv(rng.uniform(0.08, 0.14), 0.35, 0.85)
    pen.shape(_ridge(rng, 164, 5, 2), sand)
    return canvas.over(picture)


def _workshop(rng: np.random.Generator) -> Picture:
    wall = hsv(rng.uniform(0.04, 0.12), rng.uniform(0.25, 0.5), rng.uniform(0.4, 0.65))
    picture = _gradient((0, darker(wall, 0.25)), (0.5, wall), (1, darker(wall, 0.4)))
    canvas, pen = _canvas()
    for x in range(0, 256, 36):
        pen.box(x, 0, x + 34, 146, mix(wall, darker(wall), float(rng.uniform(0, 0.35))))
    steel = mix((120, 126, 138), wall, 0.35)
    for x in rng.permutation(np.arange(24.0, 250.0, 34.0))[:5]:
        top = rng.uniform(24, 44)
        pen.line([(x, top), (x, top + 34)], 5, darker(wall, 0.35))
        pen.box(x - 9, top - 6, x + 9, top + 4, steel, 2)
    pen.box(8, 14, 248, 20, darker(wall, 0.5), 2)
    bench = hsv(rng.uniform(0.06, 0.11), 0.5, 0.5)
    pen.box(-5, 146, 261, 197, darker(bench, 0.3))
    pen.box(-5, 142, 261, 154, bench)
    return canvas.over(picture)


def _city(rng: np.random.Generator) -> Picture:
    hue = rng.choice([0.02, 0.06, 0.55, 0.85])
    picture = _gradient((0, hsv(hue + 0.62, 0.35, 0.7)), (0.65, hsv(hue + 0.04, 0.4, 0.98)), (1, hsv(hue, 0.3, 0.7)))
    canvas, pen = _canvas()
    for row in range(2):
        x, stone = -8.0, mix(hsv(hue + 0.6, 0.35, 0.62), hsv(hue, 0.2, 0.95), 0.45 - 0.3 * row)
        while x < 258:
            width, top = rng.uniform(18, 38), rng.uniform(44, 100) + 18 * row
            pen.box(x, top, x + width - 1, 160, mix(stone, darker(stone), float(rng.uniform(0, 0.4))))
            for wy in np.arange(top + 7, 146, 10) if row else ():
                pen.line([(x + 5, wy), (x + width - 6, wy)], 2.2, lighter(stone, 0.3))
            x += width
    road = hsv(hue + 0.6, 0.12, 0.5)
    pen.box(-5, 150, 261, 197, road)
    pen.box(-5, 148, 261, 154, lighter(road, 0.35))
    return canvas.over(picture)


def _snow(rng: np.random.Generator) -> Picture:
    dusk = hsv(rng.uniform(0.55, 0.85), rng.uniform(0.2, 0.4), rng.uniform(0.55, 0.85))
    picture = _gradient((0, darker(dusk, 0.25)), (0.6, lighter(dusk, 0.45)), (1, lighter(dusk, 0.7)))
    canvas, pen = _canvas()
    pen.shape(_ridge(rng, 112, 10, 2), mix(dusk, (236, 242, 252), 0.5))
    fir = mix(hsv(0.42, 0.4, 0.38), dusk, 0.25)
    for x in rng.uniform(0, 256, 9):
        height = rng.uniform(26, 48)
        for tier in range(3):
            half, top = 6 + 3.5 * tier, 132 - height + tier * height * 0.25
            pen.shape([(x, top), (x + half, top + height * 0.42), (x - half, top + height * 0.42)], fir)
    pen.shape(_ridge(rng, 144, 6, 2), mix(dusk, (246, 250, 255), 0.78))
    return canvas.over(picture)


def _stage(rng: np.random.Generator) -> Picture:
    cloth = hsv(rng.random(), rng.uniform(0.35, 0.6), rng.uniform(0.35, 0.6))
    picture = _gradient((0, darker(cloth, 0.5)), (0.5, cloth), (1, darker(cloth, 0.3)))
    canvas, pen = _canvas()
    folds = int(rng.integers(9, 15))
    for fold in range(folds + 1):
        x, half = fold * 256 / folds, 128 / folds
        pen.shape(
            [(x - half, 0), (x + half * 0.2, 0), (x + half * 0.4, 148), (x - half, 148)],
            mix(cloth, darker(cloth), 0.5),
        )
    pen.box(-5, 146, 261, 197, mix((140, 96, 62), cloth, 0.2))
    for y in (158, 172, 188):
        pen.line([(-5, y), (261, y)], 1.0, (100, 66, 44))
    pen.glow.oval(rng.uniform(90, 166), 174, 86, 17, (255, 238, 200), 0.22)
    return canvas.over(picture)


SCENES: tuple[Callable[[np.random.Generator], Picture], ...] = (
    _room,
    _night_street,
    _meadow,
    _lake,
    _workshop,
    _city,
    _snow,
    _stage,
)
