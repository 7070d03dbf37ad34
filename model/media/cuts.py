"""Complete a picture file that was cut short, so that a decoder takes what is there."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 512 * 1024**2
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
LAST_PNG_FILTER = 4
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
JPEG_HEAD = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
BOXES = (b"ftyp", b"meta", b"mdat", b"free", b"skip", b"moov", b"uuid")  # of ISO 14496-12, at the top of a file
MOST_GROWTH = 10  # of a file of which more is missing nothing is worth taking, and zeros cost memory
STEP_BYTES = 256  # what is lost before an error at most
ZLIB_HEAD_BYTES = 2


@dataclass(frozen=True)
class Completed:
    """Hold a file's bytes, completed. `lost`: which share of it was missing; None where only its rows can tell."""

    data: bytes
    lost: float | None


def complete(path: Path, most_pixels: int) -> Completed | None:
    """Return a picture with what a decoder needs to reach its end; None where nothing is missing, or is not known."""
    if path.stat().st_size > MOST_BYTES:
        return None
    with path.open("rb") as file:
        head = file.read(len(PNG_HEAD))
    if head.startswith(JPEG_HEAD):
        return Completed(path.read_bytes().rstrip(b"\xff") + JPEG_END, None)
    if head == PNG_HEAD:
        return _complete_png(path.read_bytes(), most_pixels)
    return pad(path)


def pad(path: Path) -> Completed | None:
    """Return a file with zeros up to the length that it declares; None where that is not longer, or not declared."""
    size = path.stat().st_size
    with path.open("rb") as file:
        end = _declared_end(file, file.read(12), size)
    if end is None or not size < end <= min(MOST_BYTES, size * MOST_GROWTH):
        return None
    return Completed(path.read_bytes() + bytes(end - size), 1 - size / end)


def _declared_end(file: BinaryIO, head: bytes, size: int) -> int | None:
    """Return how many bytes a WebP, BMP, HEIF or AVIF says it has."""
    if head.startswith(b"RIFF") and head[8:] == b"WEBP":
        return 8 + int.from_bytes(head[4:8], "little")
    if head.startswith(b"BM"):
        return int.from_bytes(head[2:6], "little")
    return _end_of_boxes(file, size) if head[4:8] == b"ftyp" else None


def _end_of_boxes(file: BinaryIO, size: int) -> int | None:
    """Return where the last box ends; what follows the boxes, such as a maker's trailer, is none."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        box_bytes, kind = struct.unpack(">I4s", file.read(8))
        if box_bytes < 8 or kind not in BOXES:  # to the end of the file, 64 bits, or no box: nothing that can be known
            return None
        at += box_bytes
    return at


def _complete_png(data: bytes, most_pixels: int) -> Completed | None:
    """Inflate what is there, make the rest black, and write it as a whole PNG."""
    chunks, packed = _png_chunks(data)
    head = next((body for kind, body in chunks if kind == b"IHDR"), b"")
    if len(head) != 13 or not packed:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    if colour not in PNG_CHANNELS or not 0 < width * height <= most_pixels:
        return None
    passes = _png_passes(width, height, depth * PNG_CHANNELS[colour], bool(interlaced))
    size = sum(rows * row_bytes for rows, row_bytes in passes)
    pixels = _valid(_inflate(packed, size), passes)
    if not pixels:
        return None
    body = zlib.compress(pixels + bytes(size - len(pixels)), 1)
    chunks += [(b"IDAT", body), (b"IEND", b"")]
    return Completed(PNG_HEAD + b"".join(_png_chunk(*chunk) for chunk in chunks), 1 - len(pixels) / size)


def _png_chunks(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the chunks before the pixels, and the packed pixels as far as they go."""
    chunks: list[tuple[bytes, bytes]] = []
    packed, at = bytearray(), len(PNG_HEAD)
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        if kind == b"IDAT":
            packed += body
        elif packed or kind == b"IEND":
            break
        elif kind not in (b"acTL", b"fcTL"):  # of an animation, only the first picture
            chunks.append((kind, body))
        at += 12 + size
    return chunks, bytes(packed)


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_passes(width: int, height: int, pixel_bits: int, interlaced: bool) -> list[tuple[int, int]]:
    """Return for each pass how many rows it has, and how many bytes a row, with the one that names its filter."""
    passes = []
    for x, y, step_x, step_y in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // step_x), -(-(height - y) // step_y)
        if columns > 0 and rows > 0:
            passes.append((rows, 1 + (columns * pixel_bits + 7) // 8))
    return passes


def _valid(pixels: bytes, passes: list[tuple[int, int]]) -> bytes:
    """Return the pixels up to the first row with a filter that does not exist: what follows is noise."""
    at = 0
    for rows, row_bytes in passes:
        filters = pixels[at : at + rows * row_bytes : row_bytes]
        wrong = next((row for row, name in enumerate(filters) if name > LAST_PNG_FILTER), None)
        if wrong is not None:
            return pixels[: at + wrong * row_bytes]
        at += rows * row_bytes
    return pixels


def _inflate(packed: bytes, most_bytes: int) -> bytes:
    """Return what can be inflated before the end or the first error, at most so many bytes."""
    # Without zlib's frame, whose checksum would be of no use: it comes after the pixels.
    stream, out = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    try:
        for at in range(ZLIB_HEAD_BYTES, len(packed), STEP_BYTES):
            out += stream.decompress(packed[at : at + STEP_BYTES], most_bytes - len(out) + 1)
            if len(out) > most_bytes:
                break
    except zlib.error:
        pass
    return bytes(out[:most_bytes])
