"""Damage: decoding goes on behind it, and what was lost is told."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from media_samples import grey_at, loudest_hz, second_hz, stepped_tone, tone, write_sound, write_video
from track_samples import SoundTrack, write_tracks

from model.errors import Damaged
from model.media.damage import Damage
from model.media.medium import Limits, Medium, open_medium
from model.media.segments import Lost, Segment, SoundBlock, TimedFrame, cut_segments

PACKET = 188  # bytes of an MPEG-TS packet
Breaking = Callable[[bytearray], bytearray]


def noisy(time_s: float) -> np.ndarray:
    """Return a frame whose brightness codes its time, under noise that keeps an encoder busy."""
    noise = np.random.default_rng(round(time_s * 1000)).integers(-12, 13, (96, 128, 3))
    return np.clip(grey_at(time_s) + noise, 0, 255).astype(np.uint8)


def zeroed(data: bytearray) -> bytearray:
    at = len(data) // 2 // 512 * 512
    data[at : at + 2048] = bytes(2048)
    return data


def taken_out(data: bytearray) -> bytearray:
    at = len(data) // 2 // 512 * 512
    del data[at : at + 2048]
    return data


def scattered(data: bytearray) -> bytearray:
    rng = random.Random(3)
    for _ in range(10):
        data[rng.randrange(len(data) // 5, len(data) * 4 // 5)] = rng.randrange(256)
    return data


def packets_lost(data: bytearray) -> bytearray:
    rng = random.Random(2)
    return bytearray(
        b"".join(
            data[at : at + PACKET]
            for at in range(0, len(data), PACKET)
            if at < 20 * PACKET or at > len(data) - 200 * PACKET or rng.random() > 0.01
        )
    )


def broken(path: Path, breaking: Breaking) -> Path:
    path.write_bytes(breaking(bytearray(path.read_bytes())))
    return path


def assert_whole_seconds_are_right(segments: list[Segment]) -> None:
    for segment in segments:
        if segment.sound_whole and segment.sound is not None:
            assert loudest_hz(segment.sound[2000:-2000]) == pytest.approx(second_hz(segment.start_s), abs=3)
        if segment.frame_whole and segment.frame is not None:
            # Where frames are lost, the nearest that is left may be half a second from the middle.
            slack = 5 if segment.lost_s == 0 else 18
            assert segment.frame.mean() == pytest.approx(grey_at(segment.start_s + 0.48), abs=slack)


@pytest.mark.parametrize("breaking", [zeroed, taken_out, scattered])
@pytest.mark.parametrize("suffix", ["mkv", "webm", "ts", "flv"])
def test_a_damaged_stretch_leaves_the_rest_at_its_time(suffix: str, breaking: Breaking, tmp_path: Path) -> None:
    """Zeros, missing bytes or scattered errors: eight seconds remain, those that count as whole are right."""
    path = broken(write_video(tmp_path / f"v.{suffix}", 8.0, size=(128, 96), frame_at=noisy), breaking)
    reading = open_medium(path).segments()
    segments = list(reading)
    assert 7 <= len(segments) <= 8
    assert_whole_seconds_are_right(segments)
    assert sum(s.sound_whole and s.frame_whole for s in segments) >= 3
    assert reading.loss_s == pytest.approx(sum(s.lost_s for s in segments))


def test_a_hole_in_an_mp4_is_a_loss_with_seconds(tmp_path: Path) -> None:
    """An index finds everything behind the hole; the note tells how much is lost."""
    path = broken(write_video(tmp_path / "v.mp4", 8.0, size=(128, 96), frame_at=noisy), zeroed)
    reading = open_medium(path).segments()
    segments = list(reading)
    assert [segment.start_s for segment in segments] == list(range(8))
    assert_whole_seconds_are_right(segments)
    assert not all(segment.sound_whole and segment.frame_whole for segment in segments)
    assert 0 < reading.loss_s < 2
    assert f"{reading.loss_s:.1f} s of 8.0 s could not be decoded" in reading.notes[0]


def test_lost_packets_of_a_broadcast(tmp_path: Path) -> None:
    """One in a hundred packets of a transport stream never arrived."""
    path = broken(write_video(tmp_path / "v.ts", 8.0, size=(128, 96), frame_at=noisy), packets_lost)
    reading = open_medium(path).segments()
    segments = list(reading)
    assert [segment.start_s for segment in segments] == list(range(8))
    assert_whole_seconds_are_right(segments)
    assert not all(segment.frame_whole for segment in segments)
    assert reading.loss_s < 4


def blanked(data: bytearray) -> bytearray:
    at = len(data) // 2
    data[at : at + 4096] = bytes(4096)
    return data


def overwritten(data: bytearray) -> bytearray:
    at = len(data) // 2
    data[at : at + 4096] = random.Random(5).randbytes(4096)
    return data


@pytest.mark.parametrize("breaking", [blanked, overwritten])
@pytest.mark.parametrize(("suffix", "codec"), [("mp3", "libmp3lame"), ("ac3", "ac3")])
def test_a_hole_in_a_sound_without_stamps_takes_its_time(
    suffix: str, codec: str, breaking: Breaking, tmp_path: Path
) -> None:
    """The bytes of the hole are as long as others: what follows is heard when it was, and the hole is told."""
    sound = SoundTrack(codec, stepped_tone(8, 48_000)[:, np.newaxis], 48_000, options={"b": "64000"})
    path = broken(write_tracks(tmp_path / f"s.{suffix}", suffix, 8, sound=sound), breaking)
    reading = open_medium(path).segments()
    segments = list(reading)
    assert [segment.start_s for segment in segments] == list(range(8))
    assert_whole_seconds_are_right(segments)
    assert sum(segment.sound_whole for segment in segments) >= 6
    assert reading.loss_s == pytest.approx(0.5, abs=0.15)


def test_a_flac_that_was_cut_off_tells_what_its_head_declares(tmp_path: Path) -> None:
    """The head counts 5 s of samples; those that are not there are lost, be it half a second."""
    path = write_sound(tmp_path / "s.flac", stepped_tone(5, 44100) + 0.1 * noise(5 * 44100), 44100)
    whole = open_medium(path).segments()
    assert (len(list(whole)), whole.loss_s) == (5, 0)
    reading = open_medium(broken(path, lambda data: data[: len(data) * 9 // 10])).segments()
    segments = list(reading)
    assert len(segments) in (4, 5)
    assert reading.loss_s == pytest.approx(0.5, abs=0.15)
    assert "missing at the end: the file was cut short" in reading.notes[-1]


def noise(length: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(length).astype(np.float32)


def test_the_setting_says_from_which_loss_on_a_file_is_refused(tmp_path: Path) -> None:
    """An MP4 whose second half is zeros: refused at half, taken at nine tenths."""

    def halved(data: bytearray) -> bytearray:
        start = data.index(b"mdat") + 4
        end = data.index(b"moov", start) - 4
        middle = start + (end - start) * 4 // 10
        data[middle:end] = bytes(end - middle)
        return data

    path = broken(write_video(tmp_path / "v.mp4", 8.0, size=(128, 96), frame_at=noisy), halved)
    reading = open_medium(path, Limits(most_loss=0.9)).segments()
    segments = list(reading)
    assert_whole_seconds_are_right(segments)
    assert 3 < reading.loss_s < 6.5
    with pytest.raises(Damaged, match="at most 30% may be lost"):
        list(open_medium(path, Limits(most_loss=0.3)).segments())


def test_a_track_of_which_nothing_decodes_is_left_aside(tmp_path: Path) -> None:
    """All packets of the picture are zeros: the sound is taken, a note says what is missing."""
    path = write_video(tmp_path / "v.mp4", 4.0, size=(128, 96), frame_at=noisy)
    blank(path, "video")
    reading = open_medium(path).segments()
    segments = list(reading)
    assert [segment.frame for segment in segments] == [None] * 4
    assert all(segment.sound is not None for segment in segments)
    assert (reading.loss_s, reading.notes) == (
        0,
        ("nothing of the picture track could be decoded (damaged): taken without picture",),
    )
    blank(path, "audio")
    with pytest.raises(Damaged, match=r"Nothing of v\.mp4"):
        list(open_medium(path).segments())


def blank(path: Path, kind: str) -> None:
    import av

    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.stream.type == kind and packet.size and packet.pos is not None:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)


def test_lost_sound_is_silence_and_told_second_by_second() -> None:
    """From 1.25 to 2.5 s nothing was decoded: the seconds know how much of them is lost."""
    sound = tone(4)
    blocks = [
        SoundBlock(0.0, 16000, sound[:20000]),
        Lost(1.25, 2.5),
        SoundBlock(2.5, 16000, sound[40000:48000]),
        SoundBlock(3.0, 16000, sound[48000:], whole=False),
    ]
    segments = list(cut_segments(blocks, []))
    assert [segment.lost_s for segment in segments] == pytest.approx([0, 0.75, 0.5, 0])
    assert [segment.sound_whole for segment in segments] == [True, False, False, False]
    assert segments[2].sound is not None
    assert not segments[2].sound[100:7900].any()
    np.testing.assert_allclose(segments[2].sound[8100:], sound[40100:48000], atol=1e-3)


def test_a_frame_held_through_a_loss_is_not_whole() -> None:
    """Between 1.0 and 3.0 s the picture is lost: the last frame before it stands, not whole."""
    frames = [
        TimedFrame(0.0, 0.5, lambda: np.full((16, 16, 3), 1, np.uint8)),
        TimedFrame(0.5, 1.0, lambda: np.full((16, 16, 3), 2, np.uint8)),
        Lost(1.0, 3.0),
        TimedFrame(3.0, 3.5, lambda: np.full((16, 16, 3), 3, np.uint8)),
        TimedFrame(3.5, 4.0, lambda: np.full((16, 16, 3), 4, np.uint8)),
    ]
    segments = list(cut_segments([], frames))
    assert [int(s.frame[0, 0, 0]) for s in segments if s.frame is not None] == [2, 2, 2, 4]
    assert [segment.frame_whole for segment in segments] == [True, False, False, True]
    assert [segment.lost_s for segment in segments] == [0, 1, 1, 0]


def test_a_gap_without_an_error_is_no_loss() -> None:
    """A pause in the stamps is a pause; only behind an error a gap is a loss."""
    damage = Damage()
    damage.passed(1.0)
    assert damage.lost_before(2.0, 2.1) is None
    damage.passed(2.1)
    damage.failed(2.1, 2.2)
    assert damage.lost_before(2.2, 2.3) == Lost(2.1, 2.2)
    damage.passed(2.3)
    assert damage.lost_before(5.0, 5.1) is None
    assert damage.rest() is None


def test_frames_are_whole_again_from_the_next_key_frame_on() -> None:
    """A packet failed: what depends on it is not whole, the key frame and what follows is."""
    damage = Damage()
    damage.failed(1.0, 1.04)
    assert not damage.is_whole(1.2, key=False, corrupt=False)
    assert damage.is_whole(0.9, key=False, corrupt=False)
    assert damage.is_whole(2.0, key=True, corrupt=False)
    assert damage.is_whole(2.1, key=False, corrupt=False)
    assert not damage.is_whole(1.9, key=False, corrupt=False)


def entered(medium: Medium, start_s: int) -> list[Segment]:
    return list(medium.segments(start_s))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "wav", "flac"])
def test_a_recording_entered_midway_has_the_same_bits(suffix: str, tmp_path: Path) -> None:
    """In pieces of 3 s: each second has the same bits wherever reading begins, and is that of an uncut reading."""
    if suffix in ("wav", "flac"):
        path = write_sound(tmp_path / f"s.{suffix}", stepped_tone(10.7, 44100), 44100)
    else:
        path = write_video(tmp_path / f"v.{suffix}", 10.0, size=(128, 96), frame_at=noisy)
    medium = open_medium(path)
    assert medium.enterable
    uncut = entered(replace(medium, enterable=False), 0)
    medium = replace(medium, piece_s=3)
    whole = entered(medium, 0)
    assert [segment.start_s for segment in whole] == [segment.start_s for segment in uncut]
    for start_s in (0, 1, 3, 5, 8, 9, 10, 20):
        for one, other in zip(entered(medium, start_s), whole[start_s:], strict=True):
            assert one.start_s == other.start_s
            np.testing.assert_array_equal(one.sound, other.sound)
            np.testing.assert_array_equal(one.frame, other.frame)
    for one, other in zip(whole, uncut, strict=True):
        assert one.sound is not None
        assert other.sound is not None
        # Matroska's stamps are milliseconds; AAC fills bands with noise, which depends on what was decoded before.
        slack = {"mkv": 0.02, "mp4": 5e-3}.get(suffix, 2e-6)
        np.testing.assert_allclose(one.sound, other.sound, atol=slack)
        np.testing.assert_array_equal(one.frame, other.frame)
