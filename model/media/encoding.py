"""Encode a sound or a picture for a browser: WAV, JPEG for frames, PNG for small pictures."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from jaxtyping import Float32, UInt8
from PIL import Image

from model.media.segments import SAMPLE_RATE_HZ

JPEG_QUALITY = 85


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


def encode_png(picture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """Return a picture as PNG, pixel by pixel."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
