"""Timecode of frames, drop-frame and not."""

from __future__ import annotations

from fractions import Fraction

import pytest

from model.media.timecode import FrameTiming, edit_rate, exact_rate

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


@pytest.mark.parametrize("first", [None, "", "noon", "1:2:3:4", "00:00:00:000", "00:00:01:25"])
def test_what_is_no_timecode_is_none(first: str | None) -> None:
    """Files hold anything there."""
    assert FrameTiming(PAL, first).first_frame == 0


def test_every_frame_of_two_hours_has_its_own_code() -> None:
    """Drop-frame codes ascend without a double."""
    timing = FrameTiming(Fraction(60000, 1001))
    codes = [timing.timecode(frame) for frame in range(0, 431_568, 7)]
    assert codes == sorted(codes)
    assert len(set(codes)) == len(codes)


def test_a_colon_in_a_recordings_own_timecode_leaves_no_number_out() -> None:
    """29.97 frames a second are counted either way; the file says which."""
    timing = FrameTiming(NTSC, "10:00:58:20")
    assert not timing.is_drop_frame
    assert timing.timecode(timing.first_frame + 36) == "10:00:59:26"
    assert FrameTiming(PAL, "10:00:58;20").timecode(0) == "00:00:00:00"


@pytest.mark.parametrize(
    ("mean", "exact", "edited"),
    [
        (Fraction(2997, 100), NTSC, NTSC),
        (Fraction(19001, 634), NTSC, NTSC),
        (Fraction(30), Fraction(30), Fraction(30)),
        (Fraction(23976, 1000), Fraction(24000, 1001), Fraction(24000, 1001)),
        (Fraction(15), Fraction(15), Fraction(30)),
        (Fraction(25, 2), Fraction(25, 2), PAL),
        (Fraction(120), Fraction(120), Fraction(24)),
        (Fraction(273, 10), Fraction(273, 10), Fraction(30)),
        (Fraction(1000), Fraction(1000), PAL),
    ],
)
def test_a_list_is_at_a_rate_that_programs_edit_at(mean: Fraction, exact: Fraction, edited: Fraction) -> None:
    """A container's mean stands for the standard rate beside it; other rates become a multiple or a part of theirs."""
    assert exact_rate(mean) == exact
    assert edit_rate(mean) == edited


def test_at_another_rate_a_first_timecode_shows_the_same_time_of_day() -> None:
    """Half a second stays half a second; numbers are left out only where both rates may do so and the first does."""
    assert FrameTiming(PAL, "01:02:03:12").at_rate(Fraction(50)).first == "01:02:03:24"
    assert FrameTiming(Fraction(60000, 1001), "01:00:00;30").at_rate(NTSC).first == "01:00:00;15"
    assert not FrameTiming(PAL, "01:00:00:00").at_rate(NTSC).is_drop_frame
    assert FrameTiming(PAL).at_rate(NTSC).is_drop_frame
