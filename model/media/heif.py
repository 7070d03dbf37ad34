"""The door to libheif (pillow-heif): photographs of phones and cameras in HEIC and HEIF, whole and upright."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8, UInt16

from model.errors import Damaged, TooLarge

if TYPE_CHECKING:
    from pillow_heif import HeifFile

# ISO 23008-12: brands of files whose primary item is a picture. Those of sequences (msf1, hevc) are FFmpeg's, and
# AVIF is Pillow's.
STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"miaf")
AVIF_BRANDS = (b"avif", b"avis")
MEDIA_TYPE = "image/heic"
MOST_BYTES = 512 * 1024**2  # libheif takes a file from memory

DECODING_ERRORS = (OSError, ValueError, SyntaxError, RuntimeError, EOFError, MemoryError, LookupError)


@dataclass(frozen=True)
class HeifPicture:
    """Hold the primary picture's pixels, and what the file says of its colours (code points of H.273)."""

    pixels: UInt8[np.ndarray, "height width channels"] | UInt16[np.ndarray, "height width channels"]
    icc_profile: bytes | None
    transfer: int
    primaries: int


def is_heif(path: Path) -> bool:
    """Say whether the file's brands are those of a HEIF picture."""
    with path.open("rb") as file:
        head = file.read(256)
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[at : at + 4] for at in (8, *range(16, length, 4))]
    return head[4:8] == b"ftyp" and brands[0] in STILL_BRANDS and not set(brands) & set(AVIF_BRANDS)


def read_size(path: Path, data: bytes | None = None) -> tuple[int, int]:
    """Return width and height of the primary picture, shown upright, without decoding it. Raises Damaged, TooLarge.

    `data`: bytes that stand for the file.
    """
    width, height = _opened(path, data).size
    return width, height


def read(path: Path, data: bytes | None = None) -> HeifPicture:
    """Decode the primary picture: its tiles joined, cropped, turned and mirrored as its properties say.

    The EXIF orientation says the same once more (ISO 23008-12, 6.5.10) and is left alone. Raises Damaged, TooLarge.
    """
    heif = _opened(path, data)
    try:
        pixels = np.asarray(heif[heif.primary_index])
    except DECODING_ERRORS as error:
        raise _damaged(path, error) from error
    nclx = heif.info.get("nclx_profile") or {}
    return HeifPicture(
        pixels=pixels if pixels.ndim == 3 else pixels[..., np.newaxis],
        icc_profile=heif.info.get("icc_profile"),
        transfer=int(nclx.get("transfer_characteristics", 2)),
        primaries=int(nclx.get("color_primaries", 2)),
    )


def _opened(path: Path, data: bytes | None) -> HeifFile:
    from pillow_heif import HeifFile, options  # here, for it brings 25 MB that most files never need

    if path.stat().st_size > MOST_BYTES:
        raise TooLarge(f"{path.name} is a HEIF picture of more than {MOST_BYTES} bytes. Export it as JPEG.")
    options.DECODE_THREADS = 1
    try:
        heif = HeifFile(path if data is None else data, convert_hdr_to_8bit=False)
    except DECODING_ERRORS as error:
        raise _damaged(path, error) from error
    if not len(heif):
        raise _damaged(path, ValueError("it holds no picture"))
    return heif


def _damaged(path: Path, error: Exception) -> Damaged:
    return Damaged(f"{path.name} is a HEIF picture that cannot be decoded ({error}). Export it again, or as JPEG.")
