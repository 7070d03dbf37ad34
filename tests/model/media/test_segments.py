"""Cutting tracks into seconds: which frame, which samples, what is dropped, padded or refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import soxr
from media_samples import loudest_hz, stepped_tone, tone

from model.errors import NotFinite
from model.media.segments import Lost, SoundBlock, TimedFrame, cut_segments, cut_sound, level_dbfs, pick_frames


def frame(start_s: float, end_s: float, number: int) -> TimedFrame:
    return TimedFrame(start_s, end_s, lambda: np.full((16, 16, 3), number, np.uint8))


def frames_at(rate_hz: float, stop_s: float, start_s: float = 0.0) -> list[TimedFrame]:
    times = [number / rate_hz for number in range(round(start_s * rate_hz), round(stop_s * rate_hz))]
    return [frame(time, time + 1 / rate_hz, number) for number, time in enumerate(times)]


def picked(frames: list[TimedFrame]) -> list[int | None]:
    return [None if second.rgb is None else int(second.rgb()[0, 0, 0]) for second in pick_frames(frames)]


def heard(blocks: Iterable[SoundBlock | Lost]) -> list[np.ndarray]:
    return [second.samples for second in cut_sound(blocks)]


def blocks_of(sound: np.ndarray, rate_hz: int, size: int, start_s: float = 0.0) -> Iterator[SoundBlock]:
    for first in range(0, len(sound), size):
        yield SoundBlock(start_s + first / rate_hz, rate_hz, sound[first : first + size])


def test_the_frame_nearest_to_the_middle_is_chosen() -> None:
    """At 30 Hz the frame that begins exactly at t + 0.5 stands for the second."""
    assert picked(frames_at(30, 3)) == [15, 45, 75]


def test_of_two_frames_as_near_the_earlier_is_chosen() -> None:
    """At 25 Hz frames 12 and 13 are both 20 ms off; float noise must not decide between them."""
    assert picked(frames_at(25, 10)) == [12 + 25 * second for second in range(10)]
    assert picked([frame(0.48 - 1e-9, 0.52, 1), frame(0.52 - 2e-9, 0.56, 2)]) == [1]


def test_a_frame_that_begins_with_a_second_belongs_to_it() -> None:
    """Seconds are half-open: the frame of 1.0 stands for [1, 2), not for [0, 1)."""
    assert picked([frame(0.0, 1.0, 1), frame(1.0, 2.0, 2)]) == [1, 2]


def test_a_frame_still_on_show_stands_for_a_second_in_which_none_begins() -> None:
    """A slide on show from 0.2 to 3.7 is what one sees at 1.5 and 2.5; at 3.7 another begins."""
    assert picked([frame(0.2, 3.7, 1), frame(3.7, 4.4, 2)]) == [1, 1, 1, 2]


def test_a_frame_stays_on_show_until_another_replaces_it() -> None:
    """A screen recording that declares 40 ms a frame but sends none for two seconds still shows the last."""
    assert picked([frame(0.5, 0.54, 1), frame(3.5, 3.54, 2)]) == [1, 1, 1, 2]


def test_a_picture_that_starts_late_gives_seconds_without_a_frame() -> None:
    """Before the first frame there is nothing to see."""
    assert picked(frames_at(10, 4, start_s=2)) == [None, None, 5, 15]


def test_the_last_second_counts_if_the_picture_reaches_its_middle() -> None:
    """2.4 s of picture are two seconds, 2.6 s are three."""
    for end_s, expected in ((2.4, 2), (2.6, 3)):
        assert len(list(cut_segments([], frames_at(10, end_s)))) == expected


def test_a_short_rest_of_picture_is_shown_where_the_sound_goes_on() -> None:
    """The picture ends at 1.2 s, the sound at 2.0 s: second 1 has both."""
    segments = list(cut_segments(blocks_of(tone(2), 16000, 4000), frames_at(10, 1.2)))
    assert [(s.sound is not None, s.frame is not None) for s in segments] == [(True, True), (True, True)]


def test_a_picture_of_one_frame_is_one_second() -> None:
    """A single frame counts however short it is declared."""
    assert len(list(cut_segments([], [frame(0.0, 0.04, 7)]))) == 1


def test_a_rest_of_sound_is_dropped_under_half_a_second_and_padded_from_there_on() -> None:
    """0.4 s of rest vanish; 0.6 s come with 0.4 s of digital silence after them."""
    dropped = heard(blocks_of(tone(2.4), 16000, 1000))
    padded = heard(blocks_of(tone(2.6), 16000, 1000))
    assert (len(dropped), len(padded)) == (2, 3)
    np.testing.assert_array_equal(padded[2][:9600], tone(2.6)[32000:])
    assert not padded[2][9600:].any()


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 48000, 96000])
def test_resampling_by_blocks_equals_resampling_at_once(rate_hz: int) -> None:
    """However the sound is cut into blocks, it is soxr's one-shot result."""
    sound = stepped_tone(3.0, rate_hz)
    whole = soxr.resample(sound, rate_hz, 16000, quality="HQ")
    for size in (1024, 30_000):
        seconds = np.concatenate(heard(blocks_of(sound, rate_hz, size)))
        np.testing.assert_array_equal(seconds, whole[: len(seconds)])


def test_sound_that_starts_late_begins_with_silence() -> None:
    """A track timed from 1.5 s on: second 0 is silent, second 1 starts to sound at its middle."""
    first, second, third = heard(blocks_of(tone(1.5), 16000, 1000, start_s=1.5))
    assert not first.any()
    assert not second[:7000].any()
    assert level_dbfs(second[8000:]) == pytest.approx(-9.03, abs=0.1)
    assert loudest_hz(third) == 440


def test_sound_timed_before_zero_is_not_heard() -> None:
    """A block from -0.25 s on loses its first quarter second."""
    (second,) = heard(blocks_of(tone(1.25), 16000, 20000, start_s=-0.25))
    np.testing.assert_array_equal(second, tone(1.25)[4000:])


def test_a_gap_in_the_sound_is_silence_and_what_follows_keeps_its_time() -> None:
    """One second of tone, two seconds lost, one second of another tone: the last is heard at 3 s."""
    blocks = [
        *blocks_of(tone(1), 16000, 4000),
        *blocks_of(tone(1, frequency_hz=880), 16000, 4000, start_s=3.0),
    ]
    segments = list(cut_segments(blocks, []))
    assert [s.sound is not None for s in segments] == [True, False, False, True]
    assert segments[3].sound is not None
    assert loudest_hz(segments[3].sound) == 880


def test_jitter_of_the_timestamps_is_not_a_gap() -> None:
    """Timestamps that wander by 20 ms leave the samples as they are."""
    sound, wander = tone(2), np.random.default_rng(0)
    blocks = [
        SoundBlock(block.start_s + wander.uniform(-0.02, 0.02) * (block.start_s > 0), 16000, block.samples)
        for block in blocks_of(sound, 16000, 1600)
    ]
    np.testing.assert_array_equal(np.concatenate(heard(blocks)), sound)


def test_a_change_of_rate_midway_keeps_pitch_and_time() -> None:
    """A stream that goes from 48 to 24 kHz after two seconds sounds the same 440 Hz throughout."""
    blocks = [*blocks_of(tone(2, 48000), 48000, 4800), *blocks_of(tone(2, 24000), 24000, 2400, start_s=2.0)]
    seconds = heard(blocks)
    assert [loudest_hz(second) for second in seconds] == [440] * 4


def test_behind_the_end_of_the_picture_its_last_frame_stands() -> None:
    """Two seconds of picture, four of sound: the frame of 1.96 s is held, not that of 1.48 s."""
    segments = list(cut_segments(blocks_of(tone(4), 16000, 4000), frames_at(25, 2)))
    assert [int(s.frame[0, 0, 0]) for s in segments if s.frame is not None] == [12, 37, 49, 49]


def test_silence_gives_no_sound() -> None:
    """-59 dBFS is a sound, -61 dBFS is none, and the second itself stays."""
    loud, quiet = (tone(1) / np.float32(0.5 / np.sqrt(2)) * np.float32(10 ** (db / 20)) for db in (-59, -61))
    segments = list(cut_segments(blocks_of(np.concatenate([loud, quiet]), 16000, 5000), []))
    assert [s.sound is not None for s in segments] == [True, False]


def test_values_beyond_full_scale_are_kept() -> None:
    """A float source may exceed 1: nothing is clipped."""
    (second,) = heard(blocks_of(tone(1) * np.float32(6), 16000, 5000))
    assert second.max() == pytest.approx(3, rel=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(bad: float) -> None:
    """One NaN or infinity in a second of sound is named, with its time."""
    sound = tone(3)
    sound[40_000] = bad
    with pytest.raises(NotFinite, match=r"2\.\d s"):
        heard(blocks_of(sound, 16000, 4000))


def test_tracks_are_read_side_by_side() -> None:
    """After the first segment no track was read much beyond the second that follows it."""
    furthest = [0.0]

    def watched() -> Iterator[TimedFrame]:
        for item in frames_at(10, 600):
            furthest[0] = item.start_s
            yield item

    next(cut_segments(blocks_of(tone(60), 16000, 1600), watched()))
    assert furthest[0] <= 2
