"""Drawing in smooth shapes: anti-aliased, lit from the upper left, with soft shadows and glow."""

from __future__ import annotations

import cmath
import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex128, Float32, Shaped, UInt8
from PIL import Image, ImageDraw, ImageFilter

SUPERSAMPLING = 3
SHADOW_PX = (4, 6)  # where the light throws a shadow: right and down
MARGIN_PX = 10  # room around what was drawn for its shadow and glow
LAYER_MODE = "CMYK"  # four plain bytes: premultiplied red, green, blue and cover; Pillow's RGBA would multiply again
CIRCLE = np.exp(1j * np.linspace(0, 2 * np.pi, 36, endpoint=False))
CAP = np.exp(-1j * np.linspace(0, np.pi, 9))  # half a circle, the round end of a line

Colour = tuple[int, int, int]
Number = float | int
Points = Sequence[tuple[Number, Number]] | Shaped[np.ndarray, "points 2"]
Plane = Float32[np.ndarray, "height width"]
Tint = Float32[np.ndarray, "height width 3"]


def hsv(hue: Number, saturation: Number, value: Number) -> Colour:
    """Return the colour of a hue (turns, wrapped), saturation and value in [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(first: Colour, second: Colour, share: Number) -> Colour:
    """Return `first` moved towards `second` by `share` in [0, 1]."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: Number = 0.3) -> Colour:
    """Return the colour moved towards a warm white."""
    return mix(colour, (255, 250, 240), share)


def darker(colour: Colour, share: Number = 0.3) -> Colour:
    """Return the colour moved towards a deep blue."""
    return mix(colour, (20, 18, 40), share)


def smooth(points: Points, closed: bool = True, steps: int = 6) -> Shaped[np.ndarray, "points 2"]:
    """Return a Catmull-Rom curve through the points, `steps` points for each span."""
    knots = np.asarray(points, dtype=np.float64)
    padded = np.concatenate([knots[-1:], knots, knots[:2]] if closed else [knots[:1], knots, knots[-1:]])
    share = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (padded[i : len(padded) - 3 + i][:, None, :] for i in range(4))
    curve = b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)))
    spans = curve.reshape(-1, 2)
    return spans if closed else np.concatenate([spans, knots[-1:]])


class Canvas:
    """Collect shapes, then lay them over a picture; solid ones are lit, luminous ones glow."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.size = (width_px * SUPERSAMPLING, height_px * SUPERSAMPLING)
        self.solid = Image.new(LAYER_MODE, self.size)
        self.luminous = Image.new(LAYER_MODE, self.size)

    def pen(self, x_px: Number, y_px: Number, unit_px: Number, facing: int = 1) -> Pen:
        """Return a pen whose origin and unit are given in pixels; `facing` -1 mirrors left and right."""
        origin = complex(x_px, y_px) * SUPERSAMPLING
        unit = complex(unit_px * SUPERSAMPLING)
        return Pen(ImageDraw.Draw(self.solid), ImageDraw.Draw(self.luminous), origin, unit, facing < 0)

    def over(
        self, picture: UInt8[np.ndarray, "height width 3"], asleep: bool = False
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Return the picture with all shapes on it; `asleep` draws them dim and grey."""
        result = picture.astype(np.float32)
        _lay_solid(result, self.solid, asleep)
        _lay_luminous(result, self.luminous)
        return np.asarray(np.clip(result + 0.5, 0, 255), dtype=np.uint8)


def _cut(layer: Image.Image) -> tuple[Image.Image, tuple[slice, slice]] | None:
    box = layer.getbbox()
    if box is None:
        return None
    left, top = (max(0, edge // SUPERSAMPLING - MARGIN_PX) for edge in box[:2])
    right = min(layer.width // SUPERSAMPLING, box[2] // SUPERSAMPLING + 1 + MARGIN_PX)
    bottom = min(layer.height // SUPERSAMPLING, box[3] // SUPERSAMPLING + 1 + MARGIN_PX)
    region = tuple(edge * SUPERSAMPLING for edge in (left, top, right, bottom))
    small = layer.crop((region[0], region[1], region[2], region[3])).reduce(SUPERSAMPLING)
    return small, (slice(top, bottom), slice(left, right))


def _moved(plane: Plane, right: int, down: int) -> Plane:
    """Return the plane moved by up to 6 pixels; its edges are repeated."""
    padded = np.pad(plane, 6, mode="edge")
    height, width = padded.shape
    return np.asarray(padded[6 - down : height - 6 - down, 6 - right : width - 6 - right])


def _lay_solid(picture: Tint, layer: Image.Image, asleep: bool) -> None:
    cut = _cut(layer)
    if cut is None:
        return
    small, region = cut
    pixels = np.asarray(small, dtype=np.float32)
    colour, cover = pixels[..., :3], pixels[..., 3:] / np.float32(255)
    soft_image = small.getchannel(3).filter(ImageFilter.BoxBlur(4)).filter(ImageFilter.BoxBlur(3))
    soft = np.asarray(soft_image, dtype=np.float32) / np.float32(255)
    relief = _moved(soft, -3, -3) - _moved(soft, 3, 3)  # bright where the form faces the light
    height = np.linspace(1.07, 0.93, len(cover), dtype=np.float32)[:, None, None]
    colour = np.minimum(colour * (np.float32(0.55) * relief[..., None] + height), 255 * cover)
    if asleep:
        colour = 0.62 * (0.35 * colour + 0.65 * colour.mean(axis=2, keepdims=True)) + 26 * cover
    shadow = np.float32(0.38) * _moved(soft, *SHADOW_PX)[..., None]
    picture[region] = picture[region] * ((1 - shadow) * (1 - cover)) + colour


def _lay_luminous(picture: Tint, layer: Image.Image) -> None:
    cut = _cut(layer)
    if cut is None:
        return
    small, region = cut
    pixels = np.asarray(small, dtype=np.float32)
    glow = np.asarray(small.filter(ImageFilter.BoxBlur(5)), dtype=np.float32)[..., :3]
    below = picture[region]
    lit = below + glow * (np.float32(0.5) - below * np.float32(0.5 / 255))
    picture[region] = lit * (1 - pixels[..., 3:] * np.float32(1 / 255)) + pixels[..., :3]


@dataclass(frozen=True, eq=False)
class Pen:
    """Draw in the units of one object: x to the right, y down, angles in radians clockwise.

    A point is a complex number x + iy: `unit` turns and scales it, `mirrored` flips its x before.
    """

    solid: ImageDraw.ImageDraw
    luminous: ImageDraw.ImageDraw
    origin: complex
    unit: complex
    mirrored: bool = False
    glowing: bool = False

    @property
    def glow(self) -> Pen:
        """Return the pen that draws unlit light, above all solid shapes."""
        return Pen(self.solid, self.luminous, self.origin, self.unit, self.mirrored, True)

    def at(self, x: Number, y: Number, turn: Number = 0.0, scale: Number = 1.0) -> Pen:
        """Return a pen moved to (x, y), turned and scaled there."""
        shift = complex(-x if self.mirrored else x, y) * self.unit
        unit = self.unit * scale * cmath.exp(1j * (-turn if self.mirrored else turn))
        return Pen(self.solid, self.luminous, self.origin + shift, unit, self.mirrored, self.glowing)

    def shape(self, points: Points, colour: Colour, opacity: Number = 1.0) -> None:
        """Fill a polygon."""
        self._fill(_complex(points), colour, opacity)

    def loop(self, points: Points, colour: Colour, opacity: Number = 1.0) -> None:
        """Fill a smooth closed curve through the points."""
        self._fill(_complex(smooth(points)), colour, opacity)

    def oval(self, x: Number, y: Number, rx: Number, ry: Number, colour: Colour, opacity: Number = 1.0) -> None:
        """Fill an ellipse."""
        self._fill(complex(x, y) + rx * CIRCLE.real + (1j * ry) * CIRCLE.imag, colour, opacity)

    def box(self, x0: Number, y0: Number, x1: Number, y1: Number, colour: Colour, corner: Number = 0.0) -> None:
        """Fill a rectangle with rounded corners."""
        if not corner:
            self._fill(np.array([complex(x0, y0), complex(x1, y0), complex(x1, y1), complex(x0, y1)]), colour, 1.0)
            return
        width, height = (x1 - x0) / 2 - corner, (y1 - y0) / 2 - corner
        around = CIRCLE * cmath.exp(1j * np.pi / 36)  # no point on an axis
        corners = np.sign(around.real) * width + 1j * np.sign(around.imag) * height
        self._fill(complex(x0 + x1, y0 + y1) / 2 + corners + corner * around, colour, 1.0)

    def line(self, points: Points, width: Number, colour: Colour, opacity: Number = 1.0) -> None:
        """Draw a line with round ends."""
        path = _complex(points)
        along = path[1:] - path[:-1]
        along = along / (np.abs(along) + 1e-9)
        joints = np.concatenate([along[:1], along[:-1] + along[1:], along[-1:]])
        half = 0.5 * max(width, 2 / abs(self.unit))
        aside = joints * (1j * half / (np.abs(joints) + 1e-9))
        edges = [path + aside, path[-1] + CAP * aside[-1], (path - aside)[::-1], path[0] - CAP * aside[0]]
        self._fill(np.concatenate(edges), colour, opacity)

    def curve(self, points: Points, width: Number, colour: Colour, opacity: Number = 1.0) -> None:
        """Draw a smooth open line through the points."""
        self.line(smooth(points, closed=False), width, colour, opacity)

    def arc(
        self,
        x: Number,
        y: Number,
        radius: Number,
        start: Number,
        end: Number,
        width: Number,
        colour: Colour,
        opacity: Number = 1.0,
    ) -> None:
        """Draw the part of a circle from angle `start` to `end`."""
        angle = np.linspace(start, end, 14)
        self.line(np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1), width, colour, opacity)

    def shadow(self, x: Number, y: Number, rx: Number, ry: Number) -> None:
        """Lay a soft shadow on the ground; draw it before what throws it."""
        for step in range(6):
            self.oval(x, y, rx * (1.25 - 0.1 * step), ry * (1.25 - 0.1 * step), (10, 10, 25), 0.05 + 0.06 * step)

    def _fill(self, points: Complex128[np.ndarray, "points"], colour: Colour, opacity: Number) -> None:
        placed = (-points.conj() if self.mirrored else points) * self.unit + self.origin
        layer = self.luminous if self.glowing else self.solid
        share = min(max(opacity, 0.0), 1.0)
        red, green, blue = (round(part * share) for part in colour)
        layer.polygon(placed.view(np.float64).tolist(), fill=(red, green, blue, round(255 * share)))


def _complex(points: Points) -> Complex128[np.ndarray, "points"]:
    return np.asarray(np.ascontiguousarray(points, dtype=np.float64).view(np.complex128).ravel())
