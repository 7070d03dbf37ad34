"""The door to Pillow for reading: still pictures and animations, upright and in RGB."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import Damaged, TooLarge
from model.media.segments import TimedFrame

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF", "JPEG2000")
ANIMATED_FORMATS = (
    "GIF",
    "WEBP",
    "PNG",
    "AVIF",
)  # the pages of a TIFF and the views of an MPO (a kind of JPEG) are no animation
HASTY_FRAME_MS = 10  # frames declared this short or shorter last as long as browsers show them
HASTY_FRAME_SHOWN_MS = 100


@dataclass(frozen=True)
class PictureHead:
    """Hold what a picture file declares about itself."""

    media_type: str
    width: int
    height: int
    animated: bool


def read_head(path: Path) -> PictureHead | None:
    """Read a picture's head without decoding it; None where the bytes are no picture.

    Raises TooLarge (a decompression bomb), Damaged.
    """
    try:
        with _opened(path) as image:
            animated = image.format in ANIMATED_FORMATS and getattr(image, "is_animated", False)
            return PictureHead(_media_type(image), image.width, image.height, animated)
    except UnidentifiedImageError:
        return None


def read_picture(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Decode a still picture: EXIF orientation honoured, alpha over black. Raises Damaged, TooLarge."""
    with _opened(path) as image:
        return _rgb(ImageOps.exif_transpose(image))


def read_animation(path: Path) -> Iterator[TimedFrame]:
    """Yield an animation's frames, one loop of it. Raises Damaged, TooLarge."""
    with _opened(path) as image:
        start_s = 0.0
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()  # some plugins set the duration only now
            shown_ms = image.info.get("duration", 0)
            if shown_ms <= HASTY_FRAME_MS:
                shown_ms = HASTY_FRAME_SHOWN_MS
            yield TimedFrame(start_s, start_s + shown_ms / 1000, partial(_rgb, image.copy()))
            start_s += shown_ms / 1000


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except UnidentifiedImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(
            f"{path.name} declares more pixels than any picture that is expected here ({error}). Send it scaled down."
        ) from error
    except (
        Warning,  # where the process made warnings errors
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        RuntimeError,
        LookupError,
        EOFError,
        struct.error,
        zlib.error,
    ) as error:
        raise Damaged(f"{path.name} is a picture that cannot be decoded ({error}). Export it again.") from error


def _media_type(image: Image.Image) -> str:
    return Image.MIME.get("JPEG" if image.format == "MPO" else image.format or "", "application/octet-stream")


def _rgb(image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    if image.mode.startswith("I;16") or image.mode == "I":  # convert() would clip 16 bits, not scale them
        grey = (np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8).astype(np.uint8)
        return np.repeat(grey[..., np.newaxis], 3, axis=2)
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA")).astype(np.uint16)
        return (rgba[..., :3] * rgba[..., 3:] // 255).astype(np.uint8)
    return np.array(image.convert("RGB"))
