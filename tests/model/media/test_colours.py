"""High dynamic range and wide colours on an ordinary screen, against the standards' own figures."""

from __future__ import annotations

import numpy as np
import pytest

from model.media.colours import BT2020, HLG, PQ, to_screen

DISPLAY_P3 = 12
# BT.2087: linear BT.709 to linear BT.2020, as printed there
BT709_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
COLOURS = [(220, 30, 30), (30, 200, 30), (40, 60, 220), (220, 210, 30), (240, 240, 240), (100, 100, 100), (0, 0, 0)]


def pq_signal(nits: np.ndarray) -> np.ndarray:
    """Return the inverse EOTF of SMPTE ST 2084."""
    power = np.power(nits / 10_000, 0.1593017578125)
    return np.power((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power), 78.84375)


def hlg_signal(nits: np.ndarray) -> np.ndarray:
    """Return the OETF of BT.2100 of what a screen of 1,000 nits shows as `nits`, channel by channel."""
    scene = np.power(nits / 1_000, 1 / 1.2)
    upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)


def picture(signal: np.ndarray, bits: int = 16) -> np.ndarray:
    """Return a picture of 40 x 20 pixels of one colour, given in 0..1."""
    codes = np.rint(np.clip(signal, 0, 1) * (2**bits - 1)).astype(np.uint16 if bits == 16 else np.uint8)
    return np.broadcast_to(codes, (40, 20, 3)).copy()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("transfer", "signal_of"), [(PQ, pq_signal), (HLG, hlg_signal)])
@pytest.mark.parametrize("bits", [8, 16])
def test_what_an_ordinary_screen_shows_comes_back(
    colour: tuple[int, int, int], transfer: int, signal_of: object, bits: int
) -> None:
    """A colour of BT.709 whose white is 203 nits (BT.2408), made PQ or HLG, is that colour again."""
    light = BT709_TO_2020 @ (np.array(colour) / 255) ** 2.4
    signal = signal_of(203 * light)  # type: ignore[operator]
    shown = to_screen(picture(signal, bits), transfer, BT2020)
    assert np.abs(shown.astype(int) - colour).max() <= (3 if bits == 16 else 12)


@pytest.mark.parametrize(("transfer", "white"), [(PQ, 0.5807), (HLG, 0.75)])
def test_white_is_where_bt_2408_puts_it(transfer: int, white: float) -> None:
    """58 % of PQ and 75 % of HLG are white: within 12 of 255, though highlights have room above."""
    shown = to_screen(picture(np.full(3, white)), transfer, BT2020)
    assert np.abs(shown.astype(int) - 255).max() <= 12


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_highlights_keep_their_order_and_hue(transfer: int) -> None:
    """Brighter stays brighter up to the peak, which is nearly full; a bright red does not turn white."""
    ramp = [int(to_screen(picture(np.full(3, signal)), transfer, BT2020)[0, 0, 0]) for signal in (0.6, 0.7, 0.8, 0.95)]
    assert ramp == sorted(ramp)
    assert ramp[0] < ramp[2] <= ramp[3] <= 255
    red, green, blue = to_screen(picture(np.array([0.9, 0.4, 0.4])), transfer, BT2020)[0, 0].astype(int)
    assert red > 240 > 60 > max(green, blue)


def test_wide_colours_become_narrow_and_grey_stays() -> None:
    """Display P3 and BT.2020 of an ordinary transfer: only the primaries change."""
    light = BT709_TO_2020 @ (np.array([220, 30, 30]) / 255) ** 2.4
    assert np.abs(to_screen(picture(light ** (1 / 2.4)), 1, BT2020)[0, 0].astype(int) - [220, 30, 30]).max() <= 2
    # (234, 51, 35) of sRGB is (219, 66, 48) of Display P3: the colour library "colour-science" and CSS Color 4 agree
    for primaries in (BT2020, DISPLAY_P3):
        grey = to_screen(picture(np.full(3, 100 / 255), 8), 13, primaries)
        assert np.abs(grey.astype(int) - 100).max() <= 1
