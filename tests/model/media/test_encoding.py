"""What a browser is given of a segment."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from media_samples import (
    gradient,
    tone,
)
from PIL import Image

from model.media.encoding import encode_jpeg, encode_png, encode_wav


def test_previews_are_a_wav_and_a_jpeg() -> None:
    """The WAV holds the sound to 16 bits, clipped; the JPEG is scaled down, never up."""
    samples, rate_hz = soundfile.read(io.BytesIO(encode_wav(tone(1) * np.float32(4))), dtype="float32")
    assert rate_hz == 16000
    np.testing.assert_allclose(samples, np.clip(tone(1) * 4, -1, 1), atol=1e-4)
    for size, expected in (((960, 540), (480, 270)), ((64, 48), (64, 48))):
        image = Image.open(io.BytesIO(encode_jpeg(gradient(*size))))
        assert (image.format, image.size) == ("JPEG", expected)


def test_a_png_is_the_picture_pixel_by_pixel() -> None:
    """Nothing is scaled, nothing is lost."""
    picture = gradient(32, 24)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(picture)))), picture)
