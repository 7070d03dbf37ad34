"""The door to FFmpeg's pixels (PyAV): turn a decoded frame into RGB, upright, in an ordinary screen's colours."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TypeAlias, cast

import numpy as np
from av import VideoFrame
from av.error import FFmpegError
from av.sidedata.sidedata import SideData, SideDataContainer
from av.video.stream import VideoStream
from jaxtyping import UInt8

from model.errors import Damaged
from model.media.colours import BT2020, HIGH_RANGE, WIDE_PRIMARIES, to_screen

# Code points of ITU-T H.273. FFmpeg's scaler knows these matrices and refuses all others.
BT709_MATRIX, BT601_MATRIX, YCGCO_MATRIX, BT2020_MATRIX = 1, 5, 8, 9
KNOWN_MATRICES = (BT709_MATRIX, 4, BT601_MATRIX, 6, 7, BT2020_MATRIX, 10)
HD_WIDTH, HD_HEIGHT = 1280, 720  # from here on players take BT.709 where no matrix is declared
FULL_RANGE = 2
LEAST_STRETCH, MOST_STRETCH = 1.01, 10  # less is an encoder's rounding, more a damaged declaration
SQUARE = Fraction(1)
Orientation: TypeAlias = tuple[int, int, int, int]
AS_STORED: Orientation = (1, 0, 0, 1)
BARE_FORMATS = ("mpeg", "obu", "ivf")  # without a ratio of their own: a broadcast changes that of its codec midway


class Presentation:
    """Know how the frames of one stream are to be shown: their pixels' shape and their orientation."""

    def __init__(self, stream: VideoStream, most_pixels: int, most_side: int | None = None) -> None:
        self._stream, self._most_pixels, self._most_side = stream, most_pixels, most_side
        self._orientation = AS_STORED

    def of(self, frame: VideoFrame) -> Callable[[], UInt8[np.ndarray, "height width 3"]]:
        """Return what converts the frame. Call it for each frame in order: an orientation holds until the next."""
        self._orientation = orientation_of(frame) or self._orientation
        ratio = pixel_ratio(self._stream)
        return partial(upright_rgb, frame, self._orientation, ratio, self._most_pixels, self._most_side)


def upright_rgb(
    frame: VideoFrame,
    orientation: Orientation = AS_STORED,
    pixel_ratio: Fraction = SQUARE,
    most_pixels: int | None = None,
    most_side: int | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Convert a frame: its matrix, range and transfer, square pixels, alpha over black, its orientation.

    `pixel_ratio`: width to height of one pixel; the picture's width changes, unless it had more than `most_pixels`.
    `most_side`: what is longer is scaled down to it. Raises Damaged.
    """
    size = square_size(frame.width, frame.height, pixel_ratio, most_pixels)
    try:
        rgb = _rgb(frame, *(size if most_side is None else fitted(*size, most_side)))
    except (FFmpegError, ValueError) as error:  # a pixel format that the scaler cannot read
        raise Damaged(
            f"A frame of {frame.width} x {frame.height} pixels in the format {frame.format.name} cannot be converted "
            "to RGB. Export the file again with common settings, such as yuv420p."
        ) from error
    return _turn(rgb, orientation)


def orientation_of(frame: VideoFrame) -> Orientation | None:
    """Return a, b, c, d of the display matrix that comes with a frame: all frames of a file, or its key frames."""
    # Not `frame.side_data`: the frame keeps that, and that keeps the frame, with its picture, until a full collection.
    stored = cast("SideData | None", SideDataContainer(frame).get("DISPLAYMATRIX"))  # type: ignore[call-arg]
    if stored is None:
        return None
    a, b, _, c, d = struct.unpack_from("=5i", stored)
    return a, b, c, d


def pixel_ratio(stream: VideoStream) -> Fraction:
    """Return how wide a pixel of the current frame is to its height: as the container says, or else the codec."""
    decoded = stream.codec_context.sample_aspect_ratio
    if not stream.container.format.name.startswith(BARE_FORMATS):
        decoded = stream.sample_aspect_ratio or decoded
    return decoded or SQUARE


def square_size(width: int, height: int, pixel_ratio: Fraction, most_pixels: int | None) -> tuple[int, int]:
    """Return the size of the picture once its pixels are square; beyond `most_pixels` its height shrinks instead."""
    if not LEAST_STRETCH < max(pixel_ratio, 1 / pixel_ratio) <= MOST_STRETCH:
        return width, height
    wide = max(1, round(width * pixel_ratio))
    if most_pixels is not None and wide * height > most_pixels:
        return width, max(1, round(height / pixel_ratio))
    return wide, height


def fitted(width: int, height: int, most_side: int) -> tuple[int, int]:
    """Return a size scaled down so that neither side is longer than `most_side`."""
    share = min(1.0, most_side / max(width, height))
    return max(1, round(width * share)), max(1, round(height * share))


def _rgb(frame: VideoFrame, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    matrix = _matrix(frame)
    if frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components):
        rgba = frame.to_ndarray(format="rgba", width=width, height=height, src_colorspace=matrix).astype(np.uint16)
        return (rgba[..., :3] * rgba[..., 3:] // 255).astype(np.uint8)
    if matrix == YCGCO_MATRIX:
        return _rgb_of_ycgco(frame, width, height)
    if frame.color_trc in HIGH_RANGE or frame.color_primaries in WIDE_PRIMARIES:
        deep = frame.to_ndarray(format="rgb48le", width=width, height=height, src_colorspace=matrix)
        primaries = frame.color_primaries if frame.color_primaries in WIDE_PRIMARIES else BT2020
        return to_screen(deep, frame.color_trc, primaries)
    return frame.to_ndarray(format="rgb24", width=width, height=height, src_colorspace=matrix).astype(
        np.uint8, copy=False
    )


def _matrix(frame: VideoFrame) -> int | None:
    """Return the matrix that makes RGB of the frame; None for the one that it declares, or for a frame of RGB."""
    if frame.format.is_rgb or len(frame.format.components) < 3 or frame.colorspace in KNOWN_MATRICES:
        return None
    if frame.colorspace == YCGCO_MATRIX:
        return YCGCO_MATRIX
    if frame.color_trc in HIGH_RANGE or frame.color_primaries == BT2020:
        return BT2020_MATRIX
    return BT709_MATRIX if frame.width >= HD_WIDTH or frame.height >= HD_HEIGHT else BT601_MATRIX


def _rgb_of_ycgco(frame: VideoFrame, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """Convert YCgCo, which FFmpeg's scaler cannot: equations 33 to 35 of ITU-T H.273."""
    any_matrix = BT601_MATRIX  # the same for source and result: nothing is converted
    planes = frame.to_ndarray(
        format="yuv444p16le", width=width, height=height, src_colorspace=any_matrix, dst_colorspace=any_matrix
    )
    luma, green, orange = np.moveaxis(planes.astype(np.float32), -1, 0)
    if frame.color_range == FULL_RANGE:
        luma, chroma_scale = luma / 65535, 65535
    else:
        luma, chroma_scale = (luma - 16 * 256) / (219 * 256), 224 * 256
    green, orange = (green - 32768) / chroma_scale, (orange - 32768) / chroma_scale
    rgb = np.stack([luma - green + orange, luma + green, luma - green - orange], axis=-1)
    return np.asarray(np.rint(255 * np.clip(rgb, 0, 1)), np.uint8)


def _turn(
    pixels: UInt8[np.ndarray, "height width 3"], orientation: Orientation
) -> UInt8[np.ndarray, "shown_height shown_width 3"]:
    """Show the pixels in the nearest of eight orientations: four rotations, each mirrored or not.

    The matrix shows the stored point (x, y) at (a x + c y, b x + d y); see ISO 14496-12, 6.2.2.
    """
    a, b, c, d = orientation
    if math.hypot(b, c) > math.hypot(a, d):  # x and y change places
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
