"""Say whether an Ogg file is one whole stream: libsndfile joins what is left of a damaged one, and ends with the first.

The layout of a page is that of RFC 3533, section 6.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

HEAD = struct.Struct("<4sBBqIIIB")
CONTINUED_FIRST_LAST = 1, 2, 4
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def is_one_stream(path: Path) -> bool:
    """Return whether the pages follow each other without loss, and all belong to one logical stream."""
    number, stream = 0, None
    _, first, _ = CONTINUED_FIRST_LAST
    with path.open("rb") as file:
        while head := file.read(HEAD.size):
            if len(head) < HEAD.size:
                return False
            magic, _, flags, _, serial, sequence, checksum, segments = HEAD.unpack(head)
            sizes = file.read(segments)
            body = file.read(sum(sizes))
            stream = serial if number == 0 else stream
            if (magic, serial, sequence, bool(flags & first)) != (b"OggS", stream, number, number == 0):
                return False
            if len(sizes) < segments or len(body) < sum(sizes) or checksum != _checksum(head, sizes + body):
                return False
            number += 1
    return number > 0


def _checksum(head: bytes, rest: bytes) -> int:
    """Return Ogg's CRC: zlib's with each byte, and the result, mirrored, and nothing inverted."""
    page = head[:22] + bytes(4) + head[26:] + rest
    crc = zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)
