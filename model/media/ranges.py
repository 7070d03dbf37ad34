"""Bring the values of a picture, whatever their type and range, to eight bits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped, UInt8

DEPTHS_BITS = (8, 10, 12, 14, 16, 20, 24, 31, 32)
# A float picture of 0..1 may hold highlights above white, and a little below black where a filter rang.
LARGEST_HIGHLIGHT = 16.0
SMALLEST_RINGING = -0.1


def to_8_bits(values: Shaped[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Scale by the range that the values themselves show.

    Integers: the smallest usual depth that holds the largest value, so that 12 bits in 16 are not black. Floats: 0..1,
    or else as integers. Where there are negative values, such as heights or temperatures: from the least to the
    greatest. What is no number is black.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f":
        return _floats_to_8_bits(values.astype(np.float32, copy=False))
    least, greatest = int(values.min()), int(values.max())
    if least < 0:
        return _stretched(values.astype(np.float32), least, greatest)
    bits = next(bits for bits in DEPTHS_BITS if greatest < 2**bits)
    return np.asarray(values >> (bits - 8), np.uint8)


def _full_scale(greatest: float) -> float:
    return next((2.0**bits - 1 for bits in DEPTHS_BITS if greatest <= 2**bits - 1), greatest)


def _floats_to_8_bits(values: Shaped[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    least, greatest = float(values[finite].min()), float(values[finite].max())
    numbers = np.nan_to_num(values, nan=least, posinf=greatest, neginf=least)
    white = 1.0 if greatest <= LARGEST_HIGHLIGHT else _full_scale(greatest)
    if least < SMALLEST_RINGING * white:
        shown = _stretched(numbers, least, greatest)
    else:
        shown = np.rint(255 * np.clip(numbers / white, 0, 1)).astype(np.uint8)
    return np.where(np.isnan(values), np.uint8(0), shown)


def _stretched(values: Shaped[np.ndarray, "..."], least: float, greatest: float) -> UInt8[np.ndarray, "..."]:
    share = (values.astype(np.float64) - least) / max(greatest - least, 1e-30)
    return np.asarray(np.rint(255 * np.clip(share, 0, 1)), np.uint8)
