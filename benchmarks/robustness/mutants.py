"""Break a file as transfers, disks and malice do: every mutation follows from the generator alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from benchmarks.robustness.seeds import Seed

MOST_BYTES = 8_000_000  # of a broken file
MOST_FLIPS = 200
EXTREMES = tuple(
    value.to_bytes(4, order)
    for value in (0, 1, 7, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
    for order in ("little", "big")
)
NAME_OF_A_PART = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{3}")
HEAD_BYTES = 512
Rng = np.random.Generator
Mutation = Callable[[Rng, bytes, bytes], bytes]  # of a file, beside another one


def flip(rng: Rng, file: bytes, _: bytes) -> bytes:
    """Give up to 200 bytes other values; few more often than many, so that a part of the files still decodes."""
    changed = np.frombuffer(file, np.uint8).copy()
    positions = rng.integers(0, len(changed), int(MOST_FLIPS ** rng.random()))
    changed[positions] ^= rng.integers(1, 256, len(positions)).astype(np.uint8)
    return changed.tobytes()


def truncate(rng: Rng, file: bytes, _: bytes) -> bytes:
    """Cut the end off: some bytes as often as most of the file."""
    return file[: len(file) - int(len(file) ** rng.random())]


def splice(rng: Rng, file: bytes, other: bytes) -> bytes:
    """Put the tail of the other file after the head of this one."""
    return file[: int(rng.integers(1, len(file)))] + other[int(rng.integers(0, len(other))) :]


def zero(rng: Rng, file: bytes, _: bytes) -> bytes:
    """Fill a block with zeros, as a disk does that lost it."""
    start, stop = _block(rng, file)
    return file[:start] + bytes(stop - start) + file[stop:]


def duplicate(rng: Rng, file: bytes, _: bytes) -> bytes:
    """Repeat a block some times."""
    start, stop = _block(rng, file)
    return file[:stop] + file[start:stop] * int(rng.integers(1, 5)) + file[stop:]


def stretch(rng: Rng, file: bytes, _: bytes) -> bytes:
    """Set fields of four bytes to extremes: beside the name of a part, where lengths stand, or in the head."""
    changed = bytearray(file)
    names = [match.start() for match in NAME_OF_A_PART.finditer(file[: 64 * HEAD_BYTES])]
    for _time in range(int(rng.integers(1, 5))):
        if names and rng.random() < 0.7:
            at = int(rng.choice(names)) + int(rng.choice([-4, 4, 8, 12, 16]))
        else:
            at = int(rng.integers(0, min(HEAD_BYTES, len(file))))
        changed[max(0, at) : max(0, at) + 4] = EXTREMES[rng.integers(len(EXTREMES))]
    return bytes(changed)


MUTATIONS: dict[str, Mutation] = {
    "flip": flip,
    "truncate": truncate,
    "splice": splice,
    "zero": zero,
    "duplicate": duplicate,
    "stretch": stretch,
}


def mutate(rng: Rng, seed: Seed, other: Seed) -> tuple[str, bytes]:
    """Return a broken file and what was done to it: one to three mutations of a seed, beside another."""
    file, done = seed.content, []
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        name = str(rng.choice(list(MUTATIONS)))
        file = MUTATIONS[name](rng, file, other.content)[:MOST_BYTES]
        done.append(name)
        if not file:
            break
    return "+".join(done), file


def _block(rng: Rng, file: bytes) -> tuple[int, int]:
    start = int(rng.integers(0, len(file)))
    return start, start + int(rng.integers(1, max(2, (len(file) - start) // 2 + 1)))
