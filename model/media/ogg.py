"""Take an Ogg file apart: libsndfile reads one whole stream of sound, FFmpeg streams in a row if they are alike.

The layout of a page is that of RFC 3533, section 6; those of the heads are the codecs' own.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model.media.part import opened

MAGIC = b"OggS"
HEAD = struct.Struct("<4sBBqIIIB")
FIRST = 2  # the flag of a stream's first page
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
SEARCHED_BYTES = 65536
OPUS_RATE_HZ = 48_000
LONGEST_PAGE_S = 10
SKELETON = b"fishead\0"  # describes the streams beside it


@dataclass(frozen=True)
class Page:
    """Hold a page that is whole: where it lies in the file, its stream, and its bytes behind the head."""

    start: int
    end: int
    first: bool
    position: int
    stream: int
    number: int
    body: bytes


@dataclass(frozen=True)
class Kind:
    """Hold what must be the same for one decoder to go on from stream to stream; `rate_hz` counts positions."""

    codec: bytes
    rate_hz: int
    layout: bytes


@dataclass
class Link:
    """Hold one of the streams that follow each other in a file: its bytes, and its length by its last page."""

    part: range
    kinds: list[Kind]
    streams: set[int]
    first_position: int = 0
    position: int = 0

    @property
    def declared_s(self) -> float:
        """Return the length in seconds."""
        rate_hz = self.kinds[0].rate_hz
        # A stream that was recorded from its middle on does not begin at zero.
        begins = self.first_position if self.first_position > LONGEST_PAGE_S * rate_hz else 0
        return (self.position - begins) / rate_hz if rate_hz else 0.0


def is_one_stream(path: Path, part: range | None = None) -> bool:
    """Return whether the pages follow each other without loss, and all belong to one logical stream."""
    number, stream, end = 0, None, 0
    with opened(path, part) as file:
        for page in _pages(file):
            stream = page.stream if number == 0 else stream
            if (page.start, page.stream, page.number, page.first) != (end, stream, number, number == 0):
                return False
            number, end = number + 1, page.end
        return number > 0 and file.seek(0, io.SEEK_END) == end


def unlike_links(path: Path) -> list[Link]:
    """Return the streams of sound that follow each other in a file, if a decoder of one cannot read all of them."""
    links: list[Link] = []
    heads = True
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return []
        for page in _pages(file):
            if page.first:
                kinds = _kinds(page.body)
                if kinds is None:
                    return []
                if not heads or not links:
                    links.append(Link(range(page.start, page.end), [], set()))
                links[-1].kinds += kinds
                links[-1].streams.add(page.stream)
            elif not links or _goes_back(links, page):
                return []
            elif page.stream not in links[-1].streams:  # the page that began it is damaged; its rate is a guess
                unknown = Kind(b"", links[-1].kinds[0].rate_hz if links[-1].kinds else 0, b"")
                links.append(Link(range(page.start, page.end), [unknown], {page.stream}))
            heads = page.first
            link = links[-1]
            link.part, link.position = range(link.part.start, page.end), max(link.position, page.position)
            link.first_position = link.first_position or max(0, page.position)
    if any(len(link.kinds) != 1 for link in links) or len({link.kinds[0] for link in links}) < 2:
        return []
    return links


def _goes_back(links: list[Link], page: Page) -> bool:
    """Return whether a page belongs to a stream that another should have followed: these lie side by side."""
    return page.stream not in links[-1].streams and any(page.stream in link.streams for link in links)


def _kinds(head: bytes) -> list[Kind] | None:
    """Return the kind of the stream that begins with this packet, none for a description, None for no sound."""
    if head.startswith(SKELETON):
        return []
    for magic, kind in KINDS.items():
        if head.startswith(magic) and len(head) >= 28:
            return [kind(head)]
    return [Kind(b"OpusHead", OPUS_RATE_HZ, head[9:10])] if head.startswith(b"OpusHead") else None


def _vorbis(head: bytes) -> Kind:
    channels, rate_hz = struct.unpack_from("<BI", head, 11)
    return Kind(b"vorbis", rate_hz, bytes([channels]))


def _flac(head: bytes) -> Kind:
    # 20 bits of rate, 3 of channels, 5 of depth, and 4 that belong to the length
    bits = int.from_bytes(head[27:31].ljust(4, b"\0"), "big")
    return Kind(b"flac", bits >> 12, (bits >> 4 & 0xFF).to_bytes())


def _speex(head: bytes) -> Kind:
    return Kind(b"speex", int.from_bytes(head[36:40], "little"), head[40:44] + head[48:52])


KINDS: dict[bytes, Callable[[bytes], Kind]] = {b"\x01vorbis": _vorbis, b"\x7fFLAC": _flac, b"Speex   ": _speex}


def _pages(file: io.BufferedReader) -> Iterator[Page]:
    """Yield the whole pages; behind damage the next is searched for, and its checksum tells it from other bytes."""
    at: int | None = 0
    while at is not None:
        file.seek(at)
        page = _page(file, at)
        if page is not None:
            yield page
        at = page.end if page is not None else _next_magic(file, at + 1)


def _page(file: io.BufferedReader, start: int) -> Page | None:
    head = file.read(HEAD.size)
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        return None
    _, _, flags, position, stream, number, checksum, segments = HEAD.unpack(head)
    sizes = file.read(segments)
    body = file.read(sum(sizes))
    if len(sizes) < segments or len(body) < sum(sizes) or checksum != _checksum(head, sizes + body):
        return None
    return Page(start, start + HEAD.size + segments + len(body), bool(flags & FIRST), position, stream, number, body)


def _next_magic(file: io.BufferedReader, at: int) -> int | None:
    while True:
        file.seek(at)
        block = file.read(SEARCHED_BYTES)
        found = block.find(MAGIC)
        if found >= 0:
            return at + found
        if len(block) < SEARCHED_BYTES:
            return None
        at += SEARCHED_BYTES - len(MAGIC) + 1


def _checksum(head: bytes, rest: bytes) -> int:
    """Return Ogg's CRC: zlib's with each byte, and the result, mirrored, and nothing inverted."""
    page = head[:22] + bytes(4) + head[26:] + rest
    crc = zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)
