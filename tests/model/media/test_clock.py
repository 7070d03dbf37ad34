"""The clock: picture and sound of one second are of the same moment, whatever the stamps do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import MUXERS, grey_at, loudest_hz, restamped, second_hz, write_video

from model.media.clock import Clock, Stamp, least_start_s
from model.media.containers import read_frames
from model.media.medium import FOOTAGE, open_medium
from model.media.segments import Segment, TimedFrame
from model.media.source import Findings

PICTURE, SOUND = 0, 1


def read(path: Path) -> list[Segment]:
    return list(open_medium(path).segments())


def seen(segment: Segment) -> float:
    """Return the second of the truth that a frame shows, its middle being about 0.5."""
    assert segment.frame is not None
    return (segment.frame.mean() - grey_at(0)) / 25


def heard(segment: Segment) -> int | None:
    """Return the second of the truth that sounds."""
    if segment.sound is None:
        return None
    hz = loudest_hz(segment.sound[2000:-2000])
    return round((hz - second_hz(0)) / 100)


def assert_pairs(segments: list[Segment], truth: list[int]) -> None:
    assert [heard(segment) for segment in segments] == truth
    assert [seen(segment) for segment in segments] == pytest.approx([second + 0.48 for second in truth], abs=0.12)


def joined(target: Path, *parts: Path) -> Path:
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


@pytest.mark.parametrize("suffix", ["ts", "mkv", "flv"])
def test_files_joined_end_to_end_go_on_where_the_first_ended(suffix: str, tmp_path: Path) -> None:
    """The clock falls back by 3 s: what follows is joined on, in both tracks alike, and a note says so."""
    one, two = (write_video(tmp_path / f"{seconds}.{suffix}", seconds) for seconds in (3.0, 4.0))
    path = joined(tmp_path / f"v.{suffix}", one, two)
    reading = open_medium(path).segments()
    assert_pairs(list(reading), [0, 1, 2, 0, 1, 2, 3])
    assert (reading.loss_s, len(reading.notes)) == (0, 1)
    assert "falls back or leaps at 1 place" in reading.notes[0]


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
@pytest.mark.parametrize("leap_s", [60.0, 7200.0])
def test_a_leap_of_both_tracks_is_a_cut(suffix: str, leap_s: float, tmp_path: Path) -> None:
    """A recorder's clock is set while it records: no hour of silence comes of it."""
    one = write_video(tmp_path / "one.mp4", 6.0, codec="mpeg2video")
    path = restamped(one, tmp_path / f"v.{suffix}", lambda _, time_s: time_s + leap_s * (time_s >= 2.999))
    reading = open_medium(path).segments()
    assert_pairs(list(reading), [0, 1, 2, 3, 4, 5])
    assert reading.loss_s == 0


def test_a_short_pause_is_no_cut(tmp_path: Path) -> None:
    """Five seconds in which neither track has anything stay: silence, and the last frame."""
    one = write_video(tmp_path / "one.mp4", 4.0, codec="mpeg2video")
    segments = read(restamped(one, tmp_path / "v.mkv", lambda _, time_s: time_s + 5 * (time_s >= 1.999)))
    assert [heard(segment) for segment in segments if segment.start_s != 2] == [0, 1, None, None, None, None, 2, 3]
    assert seen(segments[5]) == pytest.approx(1.96, abs=0.1)
    assert all(segment.lost_s == 0 and segment.frame_whole for segment in segments)


def test_a_clock_that_does_not_begin_at_zero(tmp_path: Path) -> None:
    """A recorder counts on from file to file: the second file begins at 10 s and declares 14 s, 4 of them its own."""
    one = write_video(tmp_path / "one.mp4", 4.0)
    path = restamped(one, tmp_path / "v.mkv", lambda _, time_s: time_s + 10)
    medium = open_medium(path)
    assert medium.duration_s == pytest.approx(4, abs=0.1)
    assert_pairs(list(medium.segments()), [0, 1, 2, 3])


@pytest.mark.parametrize("before_s", [3.0, 0.5, 0.1])
def test_a_clock_of_33_bits_that_wraps(before_s: float, tmp_path: Path) -> None:
    """MPEG-TS counts to 2^33 at 90 kHz, some 26.5 hours, and begins anew."""
    one = write_video(tmp_path / "one.mp4", 5.0)
    offset_s = 2**33 / 90_000 - before_s
    path = restamped(one, tmp_path / "v.ts", lambda _, time_s: time_s + offset_s, {"mpegts_copyts": "1"})
    assert_pairs(read(path), [0, 1, 2, 3, 4])


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("pace", [0.95, 1.05])
def test_sound_whose_stamps_run_short_or_long_is_heard_when_they_say(suffix: str, pace: float, tmp_path: Path) -> None:
    """The tone of second t is heard at pace x t, to 40 ms."""
    one = write_video(tmp_path / "one.mp4", 12.0)
    path = restamped(one, tmp_path / f"v.{suffix}", lambda kind, t: t * pace if kind == "audio" else t)
    sound = np.concatenate([s.sound if s.sound is not None else np.zeros(16000, np.float32) for s in read(path)])
    for second in range(1, 11):
        change = round(pace * second * 16000)
        before, after = sound[change - 2240 : change - 640], sound[change + 640 : change + 2240]
        assert loudest_hz(before) == pytest.approx(second_hz(second - 1), abs=12)
        assert loudest_hz(after) == pytest.approx(second_hz(second), abs=12)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts", "flv"])
def test_a_late_track_stays_late(suffix: str, tmp_path: Path) -> None:
    """Sound or picture that begins 2 s after the other is 2 s after it."""
    one = write_video(tmp_path / "one.mp4", 5.0)
    sound = read(restamped(one, tmp_path / f"s.{suffix}", lambda kind, t: t + 2 * (kind == "audio")))
    assert [heard(segment) for segment in sound[2:]] == [0, 1, 2, 3, 4]
    assert sound[0].sound is None
    assert seen(sound[3]) == pytest.approx(3.48, abs=0.12)
    picture = read(restamped(one, tmp_path / f"p.{suffix}", lambda kind, t: t + 2 * (kind == "video")))
    assert [segment.frame is None for segment in picture] == [True] * 2 + [False] * 5
    assert [seen(segment) for segment in picture[2:]] == pytest.approx([0.48, 1.48, 2.48, 3.48, 4.48], abs=0.12)
    assert [heard(segment) for segment in picture[:5]] == [0, 1, 2, 3, 4]


def test_absurd_stamps_make_no_hours_of_silence(tmp_path: Path) -> None:
    """The sound of an MP4 that leaps by a day, or that begins a day late, is a few seconds of sound."""
    one = write_video(tmp_path / "one.mp4", 4.0, codec="mpeg2video")
    leaps = restamped(one, tmp_path / "l.mp4", lambda kind, t: t + 86_400 * (kind == "audio" and t >= 2))
    late = restamped(one, tmp_path / "b.mp4", lambda kind, t: t + 86_400 * (kind == "audio"))
    for path in (leaps, late):
        assert 4 <= len(list(open_medium(path, FOOTAGE).segments())) <= 8


def test_the_last_frame_stands_while_the_sound_goes_on(tmp_path: Path) -> None:
    """The picture ends after 2 of 6 s: a player holds its last frame, and a note says so."""
    one = write_video(tmp_path / "one.mp4", 6.0, codec="mpeg2video")
    path = restamped(one, tmp_path / "v.mkv", lambda _, t: t, leave=lambda kind, t: kind == "video" and t > 1.99)
    reading = open_medium(path).segments()
    segments = list(reading)
    assert [heard(segment) for segment in segments] == [0, 1, 2, 3, 4, 5]
    assert [seen(segment) for segment in segments[2:]] == pytest.approx([1.96] * 4, abs=0.15)
    assert reading.notes == ("the picture ends 4.0 s before the sound: its last frame stands there",)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_slide_show_is_held_and_not_cut(suffix: str, tmp_path: Path) -> None:
    """Pictures 15 s apart, without sound or with little: the first stands for 15 s."""
    for sound in (False, True):
        one = write_video(tmp_path / "one.mp4", 3.0, sound, codec="mjpeg", pixel_format="yuvj420p")
        path = restamped(
            one,
            tmp_path / f"v.{suffix}",
            lambda kind, t: t * 15 if kind == "video" else t,
            leave=lambda kind, t: kind == "video" and t % 1 > 0.001,
        )
        segments = read(path)
        assert len(segments) >= 30
        assert [seen(s) for s in segments[:30]] == pytest.approx([0] * 15 + [1] * 15, abs=0.3)


UNEVEN_S = {  # when the pictures of a screen recording are shown, which comes only where something moves
    "short": (0, 0.1, 0.5, 1.3, 1.35, 2.9, 3),
    "still": (0, 0.04, 0.08, 0.12, 8, 8.04, 8.08, 8.12, 16, 16.04, 25, 25.04, 25.08, 40, 40.04, 40.08),
    "screen": (0, 10, 10.04, 10.08, 20, 20.04, 30, 40, 40.1, 50, 60),
    "long": (0, 0.5, 30, 31, 60, 60.5, 61, 90, 91),
}


def out_of_order(path: Path, times_s: tuple[float, ...], between: int, sound: bool) -> Path:
    """Write pictures shown at these times, the brighter the later, with `between` others encoded behind a later one."""
    muxer = {"mkv": "matroska"}.get(path.suffix[1:])
    with av.open(str(path), "w", format=muxer) as container:
        options = {"bf": str(between), "b_strategy": "0", "x264-params": "b-adapt=0:scenecut=0"}
        video = container.add_stream("libx264", rate=25, options=options)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream("libmp3lame", rate=44100, layout="mono") if sound else None
        packets = []
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 + 10 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            packets += video.encode(frame)
        packets += video.encode()
        for number in range(round((times_s[-1] + 1) * 44100 / 1152) if audio is not None else 0):
            assert audio is not None
            block = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = 44100, 1152 * number, Fraction(1, 44100)
            packets += audio.encode(block)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux_one(packet)
    return path


def shown_at(path: Path) -> tuple[list[float], Findings]:
    """Return when each picture is shown, from the first one on; they have to come in order."""
    findings = Findings()
    frames = list(read_frames(path, 10**6, findings, every_from_s=0.0))
    shown = [frame for frame in frames if isinstance(frame, TimedFrame)]
    assert len(shown) == len(frames)
    assert [round((frame.rgb().mean() - 20) / 10) for frame in shown] == list(range(len(frames)))
    return [frame.start_s - shown[0].start_s for frame in shown], findings


@pytest.mark.parametrize("sound", [False, True], ids=["alone", "with sound"])
@pytest.mark.parametrize("between", [2, 5])
@pytest.mark.parametrize("suffix", ["mkv", "mp4", "flv"])
@pytest.mark.parametrize("pattern", UNEVEN_S)
def test_pictures_far_apart_are_shown_when_they_say(
    pattern: str, suffix: str, between: int, sound: bool, tmp_path: Path
) -> None:
    """Pictures that are encoded out of order fall back and leap by as much as they lie apart: that is no cut."""
    times_s = UNEVEN_S[pattern]
    found_s, findings = shown_at(out_of_order(tmp_path / f"v.{suffix}", times_s, between, sound))
    assert found_s == pytest.approx(times_s, abs=0.0011)
    assert findings.cuts == 0


@pytest.mark.parametrize("between", [0, 2, 3])
def test_uneven_pictures_in_files_joined_end_to_end(between: int, tmp_path: Path) -> None:
    """Only the joint is a cut."""
    one = out_of_order(tmp_path / "one.mkv", UNEVEN_S["still"], between, sound=True)
    findings = Findings()
    frames = list(read_frames(joined(tmp_path / "v.mkv", one, one), 10**6, findings, every_from_s=0.0))
    times_s = [frame.start_s for frame in frames]
    count = len(UNEVEN_S["still"])
    assert findings.cuts == 1
    for part in (times_s[:count], times_s[count:]):
        assert np.subtract(part, part[0]) == pytest.approx(UNEVEN_S["still"], abs=0.0011)
    assert times_s[count] == pytest.approx(41, abs=0.1)


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
@pytest.mark.parametrize("at_s", [2.999, 3.04, 3.08, 3.12])
def test_a_leap_amid_pictures_out_of_order_is_a_cut(suffix: str, at_s: float, tmp_path: Path) -> None:
    """The clock is set between a picture and those that are encoded behind it, but shown before it."""
    one, path = write_video(tmp_path / "one.mp4", 6.0), tmp_path / f"v.{suffix}"
    with av.open(str(one)) as source, av.open(str(path), "w", format=MUXERS.get(suffix, suffix)) as copy:
        tracks = {track.index: copy.add_stream_from_template(track) for track in source.streams}
        for packet in [packet for packet in source.demux() if packet.dts is not None]:
            leap = round(60 / packet.time_base)
            packet.pts += leap * (packet.pts * packet.time_base >= at_s)
            packet.dts += leap * (packet.dts * packet.time_base >= at_s)
            packet.stream = tracks[packet.stream.index]
            copy.mux(packet)
    reading = open_medium(path).segments()
    assert_pairs(list(reading), [0, 1, 2, 3, 4, 5])
    assert reading.loss_s == 0


@pytest.mark.parametrize("wild_s", [20.0, 300.0, 5000.0])
def test_a_wild_stamp_among_pictures_out_of_order_moves_nothing(wild_s: float) -> None:
    """A picture that no later one overtakes is no honest long still stretch: it is shown at once."""
    order = [0, *(number for anchor in range(3, 60, 3) for number in (anchor, anchor - 2, anchor - 1))]
    wild = order.index(30)
    shown_s = [number / 25 + wild_s * (number == 30) for number in order]
    stamps = [Stamp(PICTURE, at_s, at_s, 0.04) for at_s in shown_s]
    clock = Clock(0.0, PICTURE, breaks=False, reorder=1)
    shifts = [clock.shift_s(stamp, lambda number=number: stamps[number + 1 :]) for number, stamp in enumerate(stamps)]
    assert np.delete(shifts, wild) == pytest.approx(0)
    assert shown_s[wild] + shifts[wild] == pytest.approx(28 / 25)
    assert clock.cuts == 0


def test_the_track_that_steps_first_opens_the_cut_and_the_other_adopts_it() -> None:
    """Packets of both sides of a cut may alternate; both tracks are moved by the same."""
    clock = Clock(0.0, PICTURE, breaks=True)
    old = [Stamp(track, t / 10, t / 10, 0.1) for t in range(20) for track in (PICTURE, SOUND)]
    new = [Stamp(track, t / 10, t / 10, 0.1) for t in range(20) for track in (PICTURE, SOUND)]
    stamps = [*old[:-1], new[0], old[-1], *new[1:]]
    shifts = [clock.shift_s(stamp, lambda number=number: stamps[number + 1 :]) for number, stamp in enumerate(stamps)]
    assert clock.cuts == 1
    assert shifts == pytest.approx([0.0] * 39 + [2.0, 0.0] + [2.0] * 39)


def test_a_part_that_fits_the_clock_of_an_older_one_by_chance_is_joined_on() -> None:
    """Parts of 4, 4 and 2 s whose clocks begin at 0, 3000 and 12: the third is no continuation of the first."""
    clock = Clock(0.0, PICTURE, breaks=True)
    times_s = [float(time_s) for time_s in (*range(4), *range(3000, 3004), 12, 13)]
    moved = [at + clock.shift_s(Stamp(PICTURE, at, at, 1.0), list) for at in times_s]
    assert moved == list(range(10))
    assert clock.cuts == 2


def test_a_single_wild_stamp_moves_nothing_behind_it() -> None:
    """A damaged stamp leaps, the next is as expected: it goes back to the shift from before."""
    clock = Clock(0.0, PICTURE, breaks=True)
    times = [0.0, 0.1, 5000.0, 0.3, 0.4]
    shifts = [clock.shift_s(Stamp(PICTURE, t, t, 0.1), list) for t in times]
    assert shifts[3:] == [0.0, 0.0]


def test_the_origin_is_the_least_start_but_not_a_priming() -> None:
    """A codec's priming lies before zero and is no beginning; a clock that wrapped is."""
    assert least_start_s([(900, Fraction(1, 90)), (5, Fraction(1))]) == 5
    assert least_start_s([(-1024, Fraction(1, 48000)), (0, Fraction(1))]) == 0
    assert least_start_s([(-208592, Fraction(1, 90000))]) == pytest.approx(-2.317689)
    assert least_start_s([(-9000, Fraction(1, 90000))], wraps=True) == pytest.approx(-0.1)
    assert least_start_s([]) == 0
