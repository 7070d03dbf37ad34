"""The door to FFmpeg's single pictures (PyAV): formats that Pillow does not know, a second opinion on the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from jaxtyping import UInt8

from model.errors import Damaged, TooLarge
from model.media.frames import upright_rgb
from model.media.ranges import to_8_bits

# Demuxers of one picture in one file, chosen by content; never image2, which follows numbers in names to other files.
MEDIA_TYPES = {
    "bmp_pipe": "image/bmp",
    "dpx_pipe": "image/x-dpx",
    "exr_pipe": "image/x-exr",
    "gif": "image/gif",
    "hdr_pipe": "image/vnd.radiance",
    "j2k_pipe": "image/jp2",
    "jpeg_pipe": "image/jpeg",
    "jpegls_pipe": "image/jls",
    "pam_pipe": "image/x-portable-arbitrarymap",
    "pbm_pipe": "image/x-portable-bitmap",
    "pfm_pipe": "image/x-portable-floatmap",
    "pgm_pipe": "image/x-portable-graymap",
    "png_pipe": "image/png",
    "ppm_pipe": "image/x-portable-pixmap",
    "psd_pipe": "image/vnd.adobe.photoshop",
    "qoi_pipe": "image/qoi",
    "sgi_pipe": "image/sgi",
    "sunrast_pipe": "image/x-sun-raster",
    "tiff_pipe": "image/tiff",
    "webp_pipe": "image/webp",
}
MAGIC = (  # of the formats above; other files are not offered to FFmpeg as pictures
    b"BM", b"SDPX", b"XPDS", b"\x76\x2f\x31\x01", b"GIF8", b"#?R", b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51",
    b"\xff\xd8\xff", b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"Pf", b"PF", b"\x89PNG", b"8BPS", b"qoif",
    b"\x01\xda", b"\x59\xa6\x6a\x95", b"II*\x00", b"MM\x00*", b"RIFF",
)  # fmt: skip
LENIENT_FORMATS = ("gif",)  # their decoders accept a picture that ends early even where asked not to
LINEAR = 8  # transfer of H.273; FFmpeg declares it for EXR and Radiance, whose values are light
SCREEN_GAMMA = 2.2
DEEPEST_PLAIN_BITS = 8


def read_head(path: Path, most_pixels: int) -> tuple[str, int, int] | None:
    """Return media type, width and height; None where FFmpeg knows no such picture. Raises TooLarge, Damaged."""
    if not looks_like_one(path):
        return None
    try:
        with _opened(path, most_pixels) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                return None
            if stream.width and stream.height:
                return MEDIA_TYPES[container.format.name], stream.width, stream.height
            pixels = _first_frame(container, most_pixels)  # some heads hide behind packed data
            return MEDIA_TYPES[container.format.name], pixels.width, pixels.height
    except (FFmpegError, ValueError, LookupError, StopIteration):
        return None


def read(path: Path, most_pixels: int) -> tuple[UInt8[np.ndarray, "height width 3"], bool] | None:
    """Decode a picture, deep and float values by their range; None where FFmpeg cannot either.

    The bool says whether FFmpeg found nothing amiss; else rows that it could not decode have one plain colour.
    """
    if not looks_like_one(path):
        return None
    for strict in (True, False):
        with (
            suppress(FFmpegError, ValueError, LookupError, StopIteration, MemoryError, Damaged),
            _opened(path, most_pixels) as container,
        ):
            pixels = _rgb(_first_frame(container, most_pixels, strict))
            return pixels, strict and container.format.name not in LENIENT_FORMATS
    return None


@contextmanager
def _opened(path: Path, most_pixels: int) -> Iterator[InputContainer]:
    # The limit of pixels holds while FFmpeg looks at the file, too.
    options = {"format_whitelist": ",".join(MEDIA_TYPES), "max_pixels": str(most_pixels)}
    with av.open(f"file:{path}", options=options) as container:
        yield container


def _first_frame(container: InputContainer, most_pixels: int, strict: bool = False) -> av.VideoFrame:
    stream = container.streams.video[0]
    stream.thread_type, stream.thread_count = "NONE", 1
    stream.codec_context.options = {"max_pixels": str(most_pixels)} | ({"err_detect": "explode"} if strict else {})
    frame = next(container.decode(stream))
    if frame.width * frame.height > most_pixels:
        raise TooLarge(f"The picture has {frame.width} x {frame.height} pixels; at most {most_pixels} are accepted.")
    return frame


def _rgb(frame: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
    if "f32" in frame.format.name or "f16" in frame.format.name:
        # With alpha, so that the scaler makes a copy: PyAV misreads the planes of pictures that are stored upside down.
        light = frame.to_ndarray(format="gbrapf32le")[..., :3]
        if frame.color_trc == LINEAR:
            light = np.power(np.clip(np.nan_to_num(light), 0, None), 1 / SCREEN_GAMMA)
        return to_8_bits(light)
    if max(part.bits for part in frame.format.components) <= DEEPEST_PLAIN_BITS:
        return upright_rgb(frame)
    if any(part.is_alpha for part in frame.format.components):
        deep = frame.to_ndarray(format="rgba64le").astype(np.uint32)
        return to_8_bits(deep[..., :3] * deep[..., 3:] // 65535)
    return to_8_bits(frame.to_ndarray(format="rgb48le"))


def looks_like_one(path: Path) -> bool:
    """Say whether the file begins as one of the formats above does."""
    with path.open("rb") as file:
        head = file.read(16)
    return head[8:12] == b"WEBP" if head.startswith(b"RIFF") else head.startswith(MAGIC)
