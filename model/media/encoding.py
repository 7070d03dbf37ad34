"""Encode a sound or a picture for a browser: WAV, JPEG for frames, PNG for small pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import soundfile
from jaxtyping import Float32, UInt8
from PIL import Image, ImageOps

from model.media.segments import SAMPLE_RATE_HZ

JPEG_QUALITY = 85
ABSENT = 128  # the grey of a frame that there is none of
USUAL_SHAPE = 16 / 9
WIDEST = 3.0  # of a frame in a strip, to its height; and the other way about


def encode_wav(sound: Float32[np.ndarray, "samples"]) -> bytes:
    """Return 16 kHz mono sound as 16-bit WAV; samples outside [-1, 1] are clipped."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound, -1, 1), SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()


def encode_jpeg(frame: UInt8[np.ndarray, "height width 3"], max_side: int = 480) -> bytes:
    """Return a frame as JPEG, scaled down (never up) to at most max_side pixels a side."""
    image = Image.fromarray(frame)
    image.thumbnail((max_side, max_side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def decode_jpeg(content: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels of a preview. Raises OSError."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def encode_strip(frames: Sequence[UInt8[np.ndarray, "height width 3"] | None], height: int) -> bytes:
    """Return frames side by side as one JPEG, all as wide as the first one, grey where there is none.

    A frame of another shape is cut to fit.
    """
    shape = next((frame.shape[1] / frame.shape[0] for frame in frames if frame is not None), USUAL_SHAPE)
    width = max(1, round(height * min(WIDEST, max(1 / WIDEST, shape))))
    strip = Image.new("RGB", (width * len(frames), height), (ABSENT,) * 3)
    for number, frame in enumerate(frames):
        if frame is not None:
            strip.paste(ImageOps.fit(Image.fromarray(frame), (width, height)), (number * width, 0))
    file = io.BytesIO()
    strip.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def encode_png(picture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """Return a picture as PNG, pixel by pixel."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
