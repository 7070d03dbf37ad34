"""A plain WAV file that is in memory: a head of 44 bytes, then 16-bit samples. No decoder and no disk is needed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int16

from model.media.channels import Mixer
from model.media.segments import SoundBlock
from model.media.sounds import BLOCK_S

HEAD = struct.Struct("<4sI4s4sIHHIIHH4sI")
RATES_HZ = range(8_000, 192_001)


@dataclass(frozen=True, eq=False)
class PlainWav:
    """Hold the samples of such a file, of one or two channels."""

    rate_hz: int
    samples: Int16[np.ndarray, "frames channels"]

    @staticmethod
    def of(content: bytes) -> PlainWav | None:
        """Return what a file's bytes hold; None where they are not quite a plain WAV file with true sizes."""
        if len(content) <= HEAD.size:
            return None
        riff, size, wave, fmt, fmt_size, kind, channels, rate_hz, bytes_per_s, frame_bytes, bits, data, data_size = (
            HEAD.unpack_from(content)
        )
        is_plain = (
            (riff, wave, fmt, data) == (b"RIFF", b"WAVE", b"fmt ", b"data")
            and (size, data_size) == (len(content) - 8, len(content) - HEAD.size)
            and (fmt_size, kind, bits) == (16, 1, 16)
            and channels in (1, 2)
            and rate_hz in RATES_HZ
            and (frame_bytes, bytes_per_s) == (2 * channels, 2 * channels * rate_hz)
            and data_size % frame_bytes == 0
        )
        if not is_plain:
            return None
        return PlainWav(rate_hz, np.frombuffer(content, "<i2", offset=HEAD.size).reshape(-1, channels))

    @property
    def duration_s(self) -> float:
        """Return how long it lasts."""
        return len(self.samples) / self.rate_hz

    def blocks(self, from_s: int = 0) -> Iterator[SoundBlock]:
        """Yield it from a second on as `sounds.read_sound` does, to the same bits."""
        mixer, length = Mixer(), self.rate_hz * BLOCK_S
        for start in range(from_s * self.rate_hz, len(self.samples), length):
            block = self.samples[start : start + length].astype(np.float32) / np.float32(2**15)
            yield SoundBlock(start / self.rate_hz, self.rate_hz, mixer.mix(block.T, (), self.rate_hz))
