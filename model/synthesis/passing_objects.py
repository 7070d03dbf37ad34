"""Silent passers-by: things that move through the picture, make no sound and belong to no kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from model.synthesis.canvas import Canvas, Pen, darker, hsv, lighter
from model.synthesis.scenes import HEIGHT_PX, WIDTH_PX, Picture

SIDE_PX = 64


@dataclass(frozen=True, eq=False)
class Passer:
    """Hold a small picture with its cover, and the straight way it goes, in pixels and seconds."""

    colour: UInt8[np.ndarray, "side side 3"]
    cover: UInt8[np.ndarray, "side side"]
    start_px: tuple[float, float]
    speed_px_s: tuple[float, float]
    sway_px: float

    def over(self, picture: Image.Image, time_s: float) -> None:
        """Paste it where it is at a time; outside the frame it is not seen."""
        x = self.start_px[0] + self.speed_px_s[0] * time_s
        y = self.start_px[1] + self.speed_px_s[1] * time_s + self.sway_px * np.sin(2 * time_s)
        corner = (round(x - SIDE_PX / 2), round(y - SIDE_PX / 2))
        picture.paste(Image.fromarray(self.colour), corner, Image.fromarray(self.cover))


def draw_passer(rng: np.random.Generator) -> Passer:
    """Return a random passer-by: cloud, balloon, cat, crate, sign, kite or paper plane."""
    draw, airborne = PASSERS[int(rng.integers(len(PASSERS)))]
    unit_px, facing = rng.uniform(13, 19), int(rng.choice([-1, 1]))
    looks = int(rng.integers(2**31))
    pictures = []
    for paper in (0, 255):  # what differs between black and white paper is not covered
        canvas = Canvas(SIDE_PX, SIDE_PX)
        draw(canvas.pen(SIDE_PX / 2, SIDE_PX / 2, unit_px, facing), np.random.default_rng(looks))
        pictures.append(canvas.over(np.full((SIDE_PX, SIDE_PX, 3), paper, dtype=np.uint8)).astype(np.float32))
    cover = 1 - (pictures[1] - pictures[0]).mean(axis=2) / 255
    colour = pictures[0] / np.maximum(cover, 1e-3)[..., None]
    y = rng.uniform(20, 70) if airborne else rng.uniform(138, 172)
    speed = (facing * rng.uniform(12, 45), rng.uniform(-4, 4) if airborne else 0.0)
    x = WIDTH_PX / 2 - speed[0] * rng.uniform(1, 9)
    return Passer(
        np.clip(colour, 0, 255).astype(np.uint8),
        np.clip(cover * 255, 0, 255).astype(np.uint8),
        (x, min(y, HEIGHT_PX - 14)),
        speed,
        float(rng.uniform(2, 6)) if airborne else 0.0,
    )


def pass_by(picture: Picture, passers: list[Passer], time_s: float) -> Picture:
    """Return the picture with everybody who passes at that time."""
    if not passers:
        return picture
    image = Image.fromarray(picture)
    for passer in passers:
        passer.over(image, time_s)
    return np.asarray(image)


def _cloud(pen: Pen, rng: np.random.Generator) -> None:
    for x, y, radius in ((-0.9, 0.1, 0.45), (0.9, 0.15, 0.4), (-0.3, -0.2, 0.6), (0.4, -0.1, 0.55)):
        pen.oval(x, y, radius, radius * 0.8, (236, 240, 248))
    pen.box(-1.2, 0.1, 1.2, 0.52, (236, 240, 248), 0.2)


def _balloon(pen: Pen, rng: np.random.Generator) -> None:
    colour = hsv(rng.random(), 0.55, 0.9)
    pen.curve([(0, 0.6), (0.15, 1.0), (-0.1, 1.4)], 0.06, darker(colour, 0.5))
    pen.loop([(0, -0.9), (0.65, -0.5), (0.5, 0.2), (0, 0.62), (-0.5, 0.2), (-0.65, -0.5)], colour)
    pen.oval(-0.25, -0.45, 0.12, 0.2, lighter(colour, 0.6))


def _cat(pen: Pen, rng: np.random.Generator) -> None:
    fur = hsv(rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.6), rng.uniform(0.25, 0.8))
    pen.curve([(-0.8, 0.2), (-1.2, -0.3), (-1.0, -0.8)], 0.16, fur)
    for x in (-0.65, -0.35, 0.35, 0.62):
        pen.line([(x, 0.3), (x, 0.9)], 0.16, darker(fur, 0.15))
    pen.loop([(-0.85, 0.1), (0, -0.1), (0.7, 0.0), (0.75, 0.4), (0, 0.5), (-0.85, 0.45)], fur)
    pen.oval(0.85, -0.25, 0.36, 0.32, fur)
    for x in (0.68, 1.02):
        pen.shape([(x - 0.15, -0.4), (x, -0.75), (x + 0.15, -0.4)], fur)
    pen.oval(0.98, -0.28, 0.05, 0.06, (240, 230, 120))


def _crate(pen: Pen, rng: np.random.Generator) -> None:
    wood = hsv(rng.uniform(0.06, 0.12), 0.5, 0.7)
    for x in (-0.5, 0.5):
        pen.oval(x, 0.8, 0.2, 0.2, (60, 60, 70))
    pen.box(-0.8, -0.6, 0.8, 0.7, wood, 0.05)
    pen.line([(-0.7, 0.6), (0.7, -0.5)], 0.16, darker(wood, 0.3))
    for y in (-0.5, 0.6):
        pen.box(-0.8, y - 0.1, 0.8, y + 0.1, darker(wood, 0.25))


def _sign(pen: Pen, rng: np.random.Generator) -> None:
    pen.line([(0, 0), (0, 1.3)], 0.14, (120, 120, 126))
    colour = hsv(rng.random(), 0.6, 0.8)
    pen.shape([(0, -1.1), (0.75, -0.35), (0, 0.4), (-0.75, -0.35)], (245, 245, 240))
    pen.shape([(0, -0.9), (0.56, -0.35), (0, 0.2), (-0.56, -0.35)], colour)


def _kite(pen: Pen, rng: np.random.Generator) -> None:
    colour = hsv(rng.random(), 0.6, 0.9)
    pen.curve([(0, 0.9), (-0.3, 1.2), (0.1, 1.5), (-0.2, 1.7)], 0.05, darker(colour))
    pen.shape([(0, -1), (0.6, -0.2), (0, 0.9), (-0.6, -0.2)], colour)
    pen.shape([(0, -1), (0.6, -0.2), (0, -0.2)], lighter(colour, 0.5))
    pen.shape([(0, 0.9), (-0.6, -0.2), (0, -0.2)], darker(colour, 0.3))


def _plane(pen: Pen, rng: np.random.Generator) -> None:
    paper = lighter(hsv(rng.random(), 0.3, 0.95), 0.4)
    pen.shape([(1.1, 0), (-1, -0.55), (-0.6, 0.05)], paper)
    pen.shape([(1.1, 0), (-0.6, 0.05), (-0.5, 0.5)], darker(paper, 0.35))


PASSERS: tuple[tuple[Callable[[Pen, np.random.Generator], None], bool], ...] = (
    (_cloud, True),
    (_balloon, True),
    (_cat, False),
    (_crate, False),
    (_sign, False),
    (_kite, True),
    (_plane, True),
)
