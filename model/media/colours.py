"""Bring high dynamic range and wide colours to an ordinary screen: BT.709, white at full scale."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Float64, UInt8, UInt16

# Code points of ITU-T H.273, which containers, codecs and HEIF share.
PQ, HLG = 16, 18
HIGH_RANGE = (PQ, HLG)
BT2020 = 9
CHROMATICITIES = {  # primaries: (x, y) of red, green and blue; all have the white of daylight, D65
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),  # BT.709
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
D65 = (0.3127, 0.3290)
WIDE_PRIMARIES = (BT2020, 12)

WHITE_NITS = 203.0  # BT.2408: the white of graphics in PQ, and in HLG on a screen of 1,000 nits
PQ_PEAK_NITS, HLG_PEAK_NITS = 10_000.0, 1_000.0
# BT.2100, for a screen of 1,000 nits. On each channel, as cameras for ordinary screens apply it (BT.2408 calls this
# scene-referred) and as zimg, FFmpeg's converter, does; on the luminance, colours would be paler by up to 26 of 255.
HLG_SYSTEM_GAMMA = 1.2
SCREEN_GAMMA = 2.4  # BT.1886
# Light above this share of white is compressed: white itself loses 8 of 255, and what is brighter keeps its order.
KNEE = 0.85
ROWS_AT_A_TIME = 16  # the intermediate planes of so many rows stay in the processor's cache
SCREEN_CODES = 4096


def to_screen(
    pixels: UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"], transfer: int, primaries: int
) -> UInt8[np.ndarray, "height width 3"]:
    """Map RGB pixels of full range to BT.709; `transfer` and `primaries` are code points of H.273.

    PQ and HLG are mapped by tone; any other transfer is taken for that of a screen, and only its primaries change.
    """
    light_of = _light_table(transfer, 2 ** (8 * pixels.dtype.itemsize))
    matrix = _to_bt709(primaries).astype(np.float32)
    shown = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), ROWS_AT_A_TIME):
        rows = slice(top, top + ROWS_AT_A_TIME)
        seen = [light_of.take(pixels[rows, :, channel]) for channel in range(3)]
        light = [row[0] * seen[0] + row[1] * seen[1] + row[2] * seen[2] for row in matrix]
        if transfer in HIGH_RANGE:
            light = _below_white(light)
        for channel, plane in enumerate(light):
            np.sqrt(np.clip(plane, 0, 1, out=plane), out=plane)
            plane *= SCREEN_CODES - 1
            plane += 0.5
            shown[rows, :, channel] = _screen_table().take(plane.astype(np.uint16))
    return shown


def _below_white(light: list[Float32[np.ndarray, "rows width"]]) -> list[Float32[np.ndarray, "rows width"]]:
    """Compress what is above the knee; the three channels by the same factor, so that the hue stays."""
    strongest = np.maximum(np.maximum(light[0], light[1]), np.maximum(light[2], np.float32(KNEE)))
    above = (strongest - KNEE) / (1 - KNEE)
    factor = (KNEE + (1 - KNEE) * above / (1 + above)) / strongest
    return [np.multiply(plane, factor, out=plane) for plane in light]


@lru_cache(maxsize=8)
def _light_table(transfer: int, codes: int) -> Float32[np.ndarray, "codes"]:
    """Return the light of each code in units of white."""
    signal = np.linspace(0, 1, codes)
    if transfer == PQ:
        light = _pq_nits(signal) / WHITE_NITS
    elif transfer == HLG:
        light = np.power(_hlg_scene(signal), HLG_SYSTEM_GAMMA) * HLG_PEAK_NITS / WHITE_NITS
    else:
        light = np.power(signal, SCREEN_GAMMA)
    return np.asarray(light, np.float32)


def _pq_nits(signal: Float64[np.ndarray, "codes"]) -> Float64[np.ndarray, "codes"]:
    """Return the EOTF of SMPTE ST 2084."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = np.power(signal, 1 / m2)
    return np.asarray(PQ_PEAK_NITS * np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1))


def _hlg_scene(signal: Float64[np.ndarray, "codes"]) -> Float64[np.ndarray, "codes"]:
    """Return the inverse of the OETF of BT.2100."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


@lru_cache(maxsize=1)
def _screen_table() -> UInt8[np.ndarray, "codes"]:
    """Return the 8-bit code of each square root of light; the root spreads the dark values."""
    root = np.linspace(0, 1, SCREEN_CODES)
    return np.asarray(np.rint(255 * np.power(root, 2 / SCREEN_GAMMA)), np.uint8)


@lru_cache(maxsize=8)
def _to_bt709(primaries: int) -> Float64[np.ndarray, "3 3"]:
    wide = CHROMATICITIES.get(primaries, CHROMATICITIES[1])
    return np.asarray(np.linalg.inv(_to_xyz(CHROMATICITIES[1])) @ _to_xyz(wide))


def _to_xyz(chromaticities: tuple[tuple[float, float], ...]) -> Float64[np.ndarray, "3 3"]:
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in chromaticities]).T
    white = np.array([D65[0] / D65[1], 1.0, (1 - D65[0] - D65[1]) / D65[1]])
    return np.asarray(columns * np.linalg.solve(columns, white))
