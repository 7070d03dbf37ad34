"""A person's face in a square crop, as a face detector would cut it: drawn by identity, in another pose and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from model.synthesis.canvas import Canvas, Colour, Pen, darker, hsv, mix

SIDE_PX = 112
UNIT_PX = 46  # half of a head's height
GREY: Colour = (205, 205, 210)


@dataclass(frozen=True)
class Face:
    """Hold what stays the same in every picture of a person; lengths are in half heads.

    `width`: half of the head's. `jaw`: that of its lower end. `hair`: 0 none, 1 short, 2 fringe, 3 long. `beard`: how
    dense, 0 to 1.
    """

    skin: Colour
    hair_colour: Colour
    hair: int
    width: float
    jaw: float
    eye_apart: float
    eye_size: float
    brow: float
    nose: float
    mouth: float
    beard: float
    glasses: bool

    @staticmethod
    def draw(build: float, age: float, rng: np.random.Generator) -> Face:
        """Draw a face; `build` makes it broad, `age` makes its hair grey and its brows heavy (in standard units)."""
        own = rng.standard_normal(8)
        dark = hsv(rng.uniform(0.02, 0.12), 0.6, rng.uniform(0.12, 0.55))
        return Face(
            skin=hsv(rng.uniform(0.04, 0.09), rng.uniform(0.25, 0.55), rng.uniform(0.45, 0.95)),
            hair_colour=mix(dark, GREY, float(1 / (1 + np.exp(0.8 - 2.2 * age)))),
            hair=int(rng.integers(4)),
            width=float(np.clip(0.72 + 0.07 * build + 0.02 * own[0], 0.5, 0.98)),
            jaw=float(np.clip(0.42 + 0.09 * build + 0.03 * own[1], 0.2, 0.75)),
            eye_apart=float(0.31 + 0.03 * own[2]),
            eye_size=float(np.clip(0.1 + 0.012 * own[3], 0.06, 0.14)),
            brow=float(np.clip(0.05 + 0.02 * age + 0.012 * own[4], 0.02, 0.12)),
            nose=float(0.3 + 0.05 * own[5]),
            mouth=float(np.clip(0.27 + 0.04 * own[6], 0.15, 0.42)),
            beard=float(np.clip(own[7] - 0.5, 0, 1)),
            glasses=bool(rng.random() < 0.2),
        )


@dataclass(frozen=True)
class Scene:
    """Hold what a video's pictures share: background, where light comes from, and how the head is usually turned.

    `light`: complex, its direction and share. `yaw`, `pitch`: in half heads that the features move aside and down.
    """

    background: Colour
    light: complex
    brightness: float
    yaw: float
    pitch: float

    @staticmethod
    def draw(rng: np.random.Generator) -> Scene:
        """Draw a scene."""
        return Scene(
            background=hsv(rng.random(), rng.uniform(0.05, 0.5), rng.uniform(0.15, 0.9)),
            light=complex(rng.uniform(0, 0.35) * np.exp(2j * np.pi * rng.random())),
            brightness=float(rng.uniform(0.75, 1.2)),
            yaw=float(rng.uniform(-0.14, 0.14)),
            pitch=float(rng.uniform(-0.08, 0.08)),
        )


def picture(face: Face, scene: Scene, rng: np.random.Generator) -> UInt8[np.ndarray, "112 112 3"]:
    """Return a picture of a face; turn, place, size and mouth differ each time."""
    yaw, pitch = scene.yaw + 0.05 * rng.standard_normal(), scene.pitch + 0.03 * rng.standard_normal()
    x_px, y_px = SIDE_PX * (0.5 + 0.015 * rng.standard_normal(2)) + (0, 4)
    canvas = Canvas(SIDE_PX, SIDE_PX)
    pen = canvas.pen(x_px, y_px, UNIT_PX * rng.uniform(0.93, 1.07)).at(0, 0, 0.05 * rng.standard_normal())
    _head(pen, face, yaw)
    _features(pen.at(yaw, pitch), face, open_mouth=float(rng.uniform(0.01, 0.11)))
    ground = np.full((SIDE_PX, SIDE_PX, 3), scene.background, np.uint8)
    return _lit(canvas.over(ground), scene)


def _head(pen: Pen, face: Face, yaw: float) -> None:
    pen.box(-0.36, 0.6, 0.36, 1.6, darker(face.skin, 0.3))
    pen.oval(0, 1.75, 1.1, 0.6, mix(face.hair_colour, (60, 70, 110), 0.6))
    if face.hair == 3:
        pen.oval(-0.6 * yaw, 0.1, face.width + 0.2, 1.2, darker(face.hair_colour, 0.15))
    elif face.hair:
        pen.oval(-0.6 * yaw, -0.3, face.width + 0.1, 0.86, face.hair_colour)
    for side in (-1, 1):
        pen.oval(side * face.width - 0.5 * yaw, 0, 0.09, 0.17, darker(face.skin, 0.15))
    w, jaw = face.width, face.jaw
    right = [(0.6 * w, -0.88), (w, -0.25), (0.95 * w, 0.3), (jaw, 0.86)]
    left = [(-x, y) for x, y in reversed(right)]
    pen.loop([(0, -1.0), *right, (0, 1.02), *left], face.skin)
    if face.beard:
        below = [(0.9 * w, 0.32), (jaw, 0.86), (0, 1.02), (-jaw, 0.86), (-0.9 * w, 0.32), (0, 0.46)]
        pen.loop(below, mix(face.skin, darker(face.hair_colour, 0.2), 0.8 * face.beard))
    if face.hair == 2:
        pen.loop([(-w, -0.2), (-0.7 * w, -1.0), (0.7 * w, -1.0), (w, -0.2), (0.3 * w, -0.5)], face.hair_colour)
    elif face.hair:
        pen.loop(
            [(-0.95 * w, -0.35), (-0.6 * w, -1.02), (0.6 * w, -1.02), (0.95 * w, -0.35), (0, -0.72)], face.hair_colour
        )


def _features(pen: Pen, face: Face, open_mouth: float) -> None:
    for side in (-1, 1):
        x = side * face.eye_apart
        pen.oval(x, -0.12, 1.5 * face.eye_size, face.eye_size, (240, 238, 232))
        pen.oval(x, -0.12, 0.75 * face.eye_size, 0.85 * face.eye_size, (40, 30, 25))
        pen.line([(x - 0.15, -0.3), (x + 0.15, -0.32)], face.brow, darker(face.hair_colour, 0.3))
        if face.glasses:
            pen.arc(x, -0.12, 0.2, 0, 2 * np.pi, 0.04, (25, 25, 30))
    pen.loop([(-0.04, -0.1), (0.04, -0.1), (0.12, face.nose), (-0.12, face.nose)], darker(face.skin, 0.22))
    pen.oval(0, 0.58, face.mouth, 0.05 + open_mouth, mix(darker(face.skin, 0.2), (150, 50, 60), 0.6))
    pen.oval(0, 0.58, 0.8 * face.mouth, open_mouth, (50, 20, 25))


def _lit(pixels: UInt8[np.ndarray, "112 112 3"], scene: Scene) -> UInt8[np.ndarray, "112 112 3"]:
    across = np.linspace(-1, 1, SIDE_PX)
    share = scene.brightness * (1 + scene.light.real * across + scene.light.imag * across[:, None])
    return np.asarray(np.clip(pixels * share[..., None], 0, 255), np.uint8)
