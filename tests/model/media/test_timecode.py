"""Timecode of frames, drop-frame and not."""

from __future__ import annotations

from fractions import Fraction

import pytest

from model.media.timecode import FrameTiming

NTSC, PAL = Fraction(30000, 1001), Fraction(25)


@pytest.mark.parametrize(
    ("frame", "written"),
    [
        (0, "00:00:00;00"),
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),
        (107892, "01:00:00;00"),
    ],
)
def test_numbers_are_left_out_each_minute_but_the_tenth(frame: int, written: str) -> None:
    """At 29.97 an hour of timecode is an hour of time; reading the text gives the frame again."""
    assert FrameTiming(NTSC).timecode(frame) == written
    assert FrameTiming(NTSC, written).first_frame == frame


def test_other_rates_leave_none_out() -> None:
    """A frame is a frame."""
    assert FrameTiming(PAL).timecode(25 * 3661 + 3) == "01:01:01:03"
    assert FrameTiming(PAL, "01:01:01:03").first_frame == 25 * 3661 + 3
    assert FrameTiming(Fraction(24000, 1001)).frame_at(1001 / 1000) == 24


@pytest.mark.parametrize("first", [None, "", "noon", "1:2:3:4", "00:00:00:000"])
def test_what_is_no_timecode_is_none(first: str | None) -> None:
    """Files hold anything there."""
    assert FrameTiming(PAL, first).first_frame == 0


def test_every_frame_of_two_hours_has_its_own_code() -> None:
    """Drop-frame codes ascend without a double."""
    timing = FrameTiming(Fraction(60000, 1001))
    codes = [timing.timecode(frame) for frame in range(0, 431_568, 7)]
    assert codes == sorted(codes)
    assert len(set(codes)) == len(codes)
