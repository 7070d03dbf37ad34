"""The door to Pillow for reading: still pictures and animations, upright and in RGB."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import Damaged, NotAMedium, TooLarge
from model.media import cuts, heif, stills
from model.media.colours import HIGH_RANGE, WIDE_PRIMARIES, to_screen
from model.media.modes import rgb_of
from model.media.segments import Lost, TimedFrame

FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "GIF",
    "AVIF",
    "BMP",
    "TIFF",
    "JPEG2000",
    "PPM",
    "QOI",
    "ICO",
    "PSD",
    "PCX",
)
ANIMATED_FORMATS = (
    "GIF",
    "WEBP",
    "PNG",
    "AVIF",
)  # the pages of a TIFF and the views of an MPO (a kind of JPEG) are no animation
HASTY_FRAME_MS = 10  # frames declared this short or shorter last as long as browsers show them
HASTY_FRAME_SHOWN_MS = 100
DEEP_RAW_MODE = ";16"  # the raw modes of Pillow for 16 bits in each of several channels, of which it keeps 8
JPEG_GREYS = (127, 128)  # of what is missing, in every channel; 127 where the channels are stored inverted
DARK = 64  # a picture of 16 bits that stays below this in its upper 8 has 14 bits or fewer
TARGA_END = b"TRUEVISION-XFILE.\0"
MEDIA_TYPES = {"MPO": "image/jpeg", "QOI": "image/qoi", "TGA": "image/x-tga"}
LONG_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"8BPS", b"\x76\x2f\x31\x01", b"\0\0\0\x0cjP")
UNDECODED = {b"\xff\x0a": "JPEG XL", b"\0\0\0\x0cJXL ": "JPEG XL", b"\0\0\0\x0cJXS ": "JPEG XS"}
WAVES = (b"RIFF", b"RF64")  # before the size, then WAVE
UNSPECIFIED = 2  # as transfer or primaries of H.273
AVIF_HEAD_BYTES = 64 * 1024
DECODING_ERRORS = (
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
)


@dataclass(frozen=True)
class PictureHead:
    """Hold what a picture file declares about itself."""

    media_type: str
    width: int
    height: int
    animated: bool


@dataclass(frozen=True, eq=False)
class Picture:
    """Hold a still picture in RGB. `lost`: which share of it could not be decoded; `whole`: whether nothing is amiss.

    `whole` is false with `lost` 0 where only the end of the file is missing, or a progressive JPEG lacks its detail.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    whole: bool = True
    lost: float = 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of it."""
        if self.whole:
            return ()
        return (f"the picture is cut short or damaged: {self.lost:.0%} of it are lost, the rest is taken",)


def read_head(path: Path, most_pixels: int) -> PictureHead | None:
    """Read a picture's head without decoding it; None where the bytes are no picture.

    Raises TooLarge (a decompression bomb), Damaged, NotAMedium (known by name, but not decodable).
    """
    with path.open("rb") as file:
        begin = file.read(12)
    if begin[:4] in WAVES and begin[8:] == b"WAVE":  # spare a sound all that a picture may be
        return None
    _refuse_undecoded(path, begin)
    if heif.is_heif(path):
        padded = cuts.pad(path)
        return PictureHead(heif.MEDIA_TYPE, *heif.read_size(path, padded.data if padded else None), animated=False)
    try:
        with _opened(path) as image:
            return _head(image)
    except (Damaged, UnidentifiedImageError) as error:
        head = _second_head(path, most_pixels)
        if head is None and isinstance(error, Damaged):
            raise
        if head is None and stills.looks_like_one(path) and _is_picture_for_certain(path):
            raise _damaged(path, error) from error
        return head


def read_picture(path: Path, most_pixels: int, most_loss: float) -> Picture:
    """Decode a still picture: upright, in sRGB, alpha over black. Raises Damaged, TooLarge."""
    try:
        if heif.is_heif(path):
            picture = _heif(path)
        else:
            with _opened(path) as image:
                picture = Picture(_rgb(image, path, most_pixels))
    except (Damaged, UnidentifiedImageError) as error:
        opinion = _second_opinion(path, most_pixels)
        if opinion is None and isinstance(error, Damaged):
            raise
        if opinion is None:
            raise _damaged(path, error) from error
        picture = opinion
    if picture.lost > most_loss:
        raise Damaged(
            f"{picture.lost:.0%} of the picture {path.name} are lost; at most {most_loss:.0%} may be. "
            "Copy or export the whole file again."
        )
    return picture


def read_animation(path: Path) -> Iterator[TimedFrame | Lost]:
    """Yield an animation's frames, one loop of it, up to the first that is damaged. Raises Damaged, TooLarge."""
    padded = cuts.pad(path)
    with _opened(path, padded.data if padded else None) as image:
        start_s, frames = 0.0, getattr(image, "n_frames", 1)
        for number in range(frames):
            try:
                image.seek(number)
                image.load()  # some plugins set the duration only now
            except DECODING_ERRORS:
                if number == 0:
                    raise
                yield Lost(start_s, start_s * frames / number)  # the rest, if it goes on as it began
                return
            shown_ms = image.info.get("duration", 0)
            if shown_ms <= HASTY_FRAME_MS:
                shown_ms = HASTY_FRAME_SHOWN_MS
            yield TimedFrame(start_s, start_s + shown_ms / 1000, partial(rgb_of, image.copy()))
            start_s += shown_ms / 1000


def _heif(path: Path) -> Picture:
    padded = cuts.pad(path)
    if padded is None:
        return Picture(_rgb_of_heif(heif.read(path)))
    return Picture(_rgb_of_heif(heif.read(path, padded.data)), False, padded.lost or 0.0)


def _second_head(path: Path, most_pixels: int) -> PictureHead | None:
    completed = cuts.complete(path, most_pixels)
    if completed is not None:
        with suppress(UnidentifiedImageError, Damaged), _opened(path, completed.data) as image:
            return _head(image)
    still = stills.read_head(path, most_pixels)
    return PictureHead(*still, animated=False) if still is not None else None


def _second_opinion(path: Path, most_pixels: int) -> Picture | None:
    """Return what the file gives once its missing end is supplied, or else what FFmpeg makes of it."""
    completed = cuts.complete(path, most_pixels)
    if completed is not None:
        with suppress(UnidentifiedImageError, Damaged), _opened(path, completed.data) as image:
            lost = _grey_rows(image) if completed.lost is None else completed.lost  # of the rows as they are stored
            return Picture(_rgb(image, None, most_pixels), False, lost)
    decoded = stills.read(path, most_pixels)
    if decoded is None:
        return None
    pixels, sound = decoded
    return Picture(pixels) if sound else Picture(pixels, False, _missing_rows(pixels))


def _missing_rows(pixels: UInt8[np.ndarray, "height width 3"]) -> float:
    """Return the share of the rows that a decoder filled with one colour because there was no data.

    They end with the last one; those of an interlaced GIF lie between others.
    """
    return float((pixels == pixels[-1, -1]).all(axis=(1, 2)).mean())


def _grey_rows(image: Image.Image) -> float:
    """Return the share of a JPEG's stored rows that libjpeg made grey because there was no data; they are the last."""
    rows = np.asarray(image).reshape(image.height, -1)
    last_first = np.isin(rows[::-1], JPEG_GREYS).all(axis=1)
    return float(np.logical_and.accumulate(last_first).mean())


def _is_picture_for_certain(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(12).startswith(LONG_MAGIC)


@contextmanager
def _opened(path: Path, data: bytes | None = None) -> Iterator[Image.Image]:
    """Open a file, or the bytes that stand for it."""
    try:
        formats = ("TGA",) if data is None and _is_targa(path) else FORMATS
        with Image.open(path if data is None else io.BytesIO(data), formats=formats) as image:
            yield image
    except UnidentifiedImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(
            f"{path.name} declares more pixels than any picture that is expected here ({error}). Send it scaled down."
        ) from error
    except DECODING_ERRORS as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> Damaged:
    return Damaged(f"{path.name} is a picture that cannot be decoded ({error}). Export it again.")


def _refuse_undecoded(path: Path, begin: bytes) -> None:
    for magic, name in UNDECODED.items():
        if begin.startswith(magic):
            raise NotAMedium(f"{path.name} is a {name} picture, which no decoder here knows. Export it as PNG or JPEG.")


def _is_targa(path: Path) -> bool:
    """Say whether the file ends as a Truevision picture: it has no mark at its beginning."""
    with path.open("rb") as file:
        file.seek(-min(len(TARGA_END), file.seek(0, io.SEEK_END)), io.SEEK_END)
        return file.read() == TARGA_END


def _media_type(image: Image.Image) -> str:
    kind = image.format or ""
    return MEDIA_TYPES.get(kind) or Image.MIME.get(kind, "application/octet-stream")


def _head(image: Image.Image) -> PictureHead:
    animated = image.format in ANIMATED_FORMATS and getattr(image, "is_animated", False)
    return PictureHead(_media_type(image), image.width, image.height, animated)


def _rgb(image: Image.Image, path: Path | None, most_pixels: int) -> UInt8[np.ndarray, "height width 3"]:
    """Convert an open picture, which is turned upright.

    `path`: where FFmpeg may read it again, if Pillow drops bits that matter.
    """
    deep = any(DEEP_RAW_MODE in str(tile.args) for tile in getattr(image, "tile", ())) and image.mode in ("RGB", "RGBA")
    transfer, primaries = _avif_colours(path) if image.format == "AVIF" and path else (UNSPECIFIED, UNSPECIFIED)
    ImageOps.exif_transpose(image, in_place=True)  # else it copies what is upright already
    pixels = rgb_of(image)
    if transfer in HIGH_RANGE or (primaries in WIDE_PRIMARIES and "icc_profile" not in image.info):
        return to_screen(pixels, transfer, primaries)
    if deep and path is not None and pixels.max() < DARK:
        exact = stills.read(path, most_pixels)
        return pixels if exact is None else exact[0]
    return pixels


def _rgb_of_heif(picture: heif.HeifPicture) -> UInt8[np.ndarray, "height width 3"]:
    colours = (
        picture.pixels[..., :3] if picture.pixels.shape[-1] >= 3 else np.repeat(picture.pixels[..., :1], 3, axis=2)
    )
    if picture.transfer in HIGH_RANGE or (picture.primaries in WIDE_PRIMARIES and not picture.icc_profile):
        shown = to_screen(np.ascontiguousarray(colours), picture.transfer, picture.primaries)
    else:
        eight_bits = (colours >> (8 * colours.dtype.itemsize - 8)).astype(np.uint8)
        image = Image.fromarray(np.ascontiguousarray(eight_bits))
        image.info["icc_profile"] = picture.icc_profile
        shown = rgb_of(image)
    if picture.pixels.shape[-1] in (2, 4):
        alpha = (picture.pixels[..., -1:] >> (8 * colours.dtype.itemsize - 8)).astype(np.uint16)
        shown = (shown * alpha // 255).astype(np.uint8)
    return shown


def _avif_colours(path: Path) -> tuple[int, int]:
    """Return transfer and primaries as an AVIF's colr box says; Pillow does not tell."""
    with path.open("rb") as file:
        head = file.read(AVIF_HEAD_BYTES)
    at = head.find(b"colrnclx")
    if at < 0 or len(head) < at + 12:
        return UNSPECIFIED, UNSPECIFIED
    primaries, transfer = struct.unpack_from(">HH", head, at + 8)
    return transfer, primaries
