"""Mix the channels of a sound to one.

The weights are those with which FFmpeg's libswresample mixes a layout down to mono
(https://ffmpeg.org/doxygen/trunk/rematrix_8c_source.html; checked channel by channel against `ffmpeg -ac 1`): the
centre 1, the fronts the square root of a half, the surrounds a half, the low frequencies and most heights 0, divided
by their sum. Of mono and stereo that is the mean. Where no layout is named (Matroska names none), FFmpeg's guess by the
number of channels is taken; of more than eight the mean.

Where the mix cancels (stereo in opposite phase), or next to nothing of the loudest channel is in it (a field recorder
whose fourth microphone passes for low frequencies), the loudest channel is taken instead, judged for each block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Float64, Shaped

FRONT, SURROUND = 0.5**0.5, 0.5
WEIGHTS = (
    {"FC": 1.0, "LFE": 0.0, "LFE2": 0.0}
    | dict.fromkeys(("FL", "FR", "FLC", "FRC", "DL", "DR", "TFL", "TFR"), FRONT)
    | dict.fromkeys(("BL", "BR", "BC", "SL", "SR"), SURROUND)
    | {"AMBI0": 1.0}  # of a sound field, its omnidirectional part
)
GUESSED = {  # the layout that FFmpeg takes for so many channels
    3: ("FL", "FR", "LFE"),
    4: ("FL", "FR", "FC", "BC"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
# The mix cancels where it has less than this share of the power that it would have if its channels were unlike each
# other: stereo of equal levels with a correlation under -0.8. In half a second of ordinary stereo it is at least 0.5.
CANCELS = 0.2
MISSES = 0.001  # the mix misses a channel if it has less than this share of its power
AS_LOUD = 0.5  # the first channel with this share of the loudest one's power is taken: equal ones must not alternate
SHORTEST_JUDGED_S = 0.25  # a shorter block is judged together with what came before it
FADE_S = 0.01  # from the mix to a channel and back, so that nothing clicks


class Apart:
    """Keep channels apart where there are at most so many; mix all of them to one where there are more."""

    def __init__(self, most: int) -> None:
        self._most, self._mixer = most, Mixer()

    def mix(
        self, samples: Shaped[np.ndarray, "channels samples"], names: Sequence[str], rate_hz: int
    ) -> Float32[np.ndarray, "kept samples"]:
        """Return the block's channels, or their mix as a single one."""
        if len(samples) > self._most:
            return self._mixer.mix(samples, names, rate_hz)[np.newaxis]
        return _to_float(samples)


class Mixer:
    """Mix the blocks of one sound in order; it remembers how the last one was mixed."""

    def __init__(self) -> None:
        self._gains = np.zeros(0)
        self._powers = np.zeros(0)

    def mix(
        self, samples: Shaped[np.ndarray, "channels samples"], names: Sequence[str], rate_hz: int
    ) -> Float32[np.ndarray, "samples"]:
        """Return the block as one channel with full scale 1; `names`: FFmpeg's of the channels, or none."""
        # NaN and infinity are refused by name in fill_gaps.
        with np.errstate(invalid="ignore", over="ignore"):
            weights = weigh(names, len(samples))
            mixed = _mix(samples, weights)
            if len(samples) == 1:
                return mixed
            channels = _to_float(samples)
            first = len(self._gains) != len(samples)
            if first:
                self._powers = np.zeros(len(samples) + 1)
            gains = self._judge(channels, mixed, weights, rate_hz)
            if gains is not weights:
                mixed = channels[int(np.argmax(gains))].copy()
            if not first and not np.array_equal(gains, self._gains):
                fade = np.linspace(0, 1, min(round(FADE_S * rate_hz), len(mixed)), dtype=np.float32)
                before = self._gains.astype(np.float32) @ channels[:, : len(fade)]
                mixed[: len(fade)] = before + fade * (mixed[: len(fade)] - before)
            self._gains = gains
            return mixed

    def _judge(
        self,
        channels: Float32[np.ndarray, "channels samples"],
        mixed: Float32[np.ndarray, "samples"],
        weights: Float64[np.ndarray, "channels"],
        rate_hz: int,
    ) -> Float64[np.ndarray, "channels"]:
        """Return the weights, or where the mix cancels 1 for the loudest channel and 0 for the others."""
        remembered = max(0.0, 1 - len(mixed) / (SHORTEST_JUDGED_S * rate_hz))
        powers = np.array([np.dot(channel, channel) for channel in (*channels, mixed)], np.float64)
        self._powers = powers = powers + remembered * self._powers
        each, of_mix = powers[:-1], powers[-1]
        cancels = of_mix < CANCELS * np.sum(weights**2 * each)
        if not cancels and not of_mix < MISSES * each.max():
            return weights
        heard = np.where(weights > 0, each, 0) if cancels else each
        gains = np.zeros(len(channels))
        gains[int(np.argmax(heard >= AS_LOUD * heard.max()))] = 1
        return gains


Mixing: TypeAlias = Mixer | Apart


def weigh(names: Sequence[str], count: int) -> Float64[np.ndarray, "channels"]:
    """Return the weight of each channel; they add up to 1."""
    known = len(names) == count and any(name in WEIGHTS for name in names)
    weights = np.array([WEIGHTS.get(name, 0.0) for name in (names if known else GUESSED.get(count, ()))])
    if not weights.any():
        weights = np.ones(count)
    return np.asarray(weights / weights.sum())


def _mix(
    samples: Shaped[np.ndarray, "channels samples"], weights: Float64[np.ndarray, "channels"]
) -> Float32[np.ndarray, "samples"]:
    if weights.min() < weights.max():
        return np.asarray(weights.astype(np.float32) @ _to_float(samples))
    if samples.dtype.kind == "f":
        return np.asarray(samples.mean(axis=0, dtype=np.float32))
    middle, full_scale = _scale(samples.dtype)
    return np.asarray(((samples.mean(axis=0) - middle) / full_scale).astype(np.float32))


def _to_float(samples: Shaped[np.ndarray, "channels samples"]) -> Float32[np.ndarray, "channels samples"]:
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    middle, full_scale = _scale(samples.dtype)
    return np.asarray(((samples - middle) / full_scale).astype(np.float32))


def _scale(kind: np.dtype[np.generic]) -> tuple[float, float]:
    """Return the value of silence and the distance of full scale from it."""
    full_scale = 2.0 ** (8 * kind.itemsize - 1)
    return (full_scale if kind.kind == "u" else 0.0), full_scale
