"""Sound files are read to their end, at their right time, by whichever decoder can."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from media_samples import loudest_hz, second_hz, stepped_tone, tone, write_sound

from model.errors import Damaged
from model.media import second_opinion, sounds
from model.media.medium import FOOTAGE, open_medium
from model.media.ogg import is_one_stream
from model.media.segments import SoundBlock


def heard(path: Path) -> list[int]:
    """Return the seconds of `stepped_tone` that are heard, one for each segment; -1 for silence."""
    return [
        -1 if segment.sound is None else round((loudest_hz(segment.sound) - second_hz(0)) / 100)
        for segment in open_medium(path).segments()
    ]


def write_mp3(path: Path, samples: np.ndarray, bit_rate: int) -> bytes:
    """Write an MP3 of one bit rate without a head that tells its length."""
    with av.open(str(path), "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=48000, layout="mono")
        stream.codec_context.bit_rate = bit_rate
        for start in range(0, len(samples), 1152):
            block = np.ascontiguousarray(samples[np.newaxis, start : start + 1152])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def test_an_mp3_whose_bit_rate_falls_is_read_to_its_end(tmp_path: Path) -> None:
    """Without a Xing head libsndfile takes the first frame's bit rate for all, and stops after a fraction."""
    samples, path = stepped_tone(8, 48000), tmp_path / "a.mp3"
    path.write_bytes(write_mp3(path, samples[:48000], 320_000) + write_mp3(path, samples[48000:], 32_000))
    assert soundfile.info(path).duration < 3
    assert heard(path)[:8] == list(range(8))


@pytest.mark.parametrize("frames", [30, 4000])
def test_an_mp3_whose_head_counts_wrong_is_read_to_its_end(tmp_path: Path, frames: int) -> None:
    """A Xing head with too few or too many frames changes nothing."""
    path = write_sound(tmp_path / "a.mp3", stepped_tone(6, 48000))
    data = bytearray(path.read_bytes())
    at = max(data.find(b"Xing"), data.find(b"Info"))
    assert at > 0
    data[at + 8 : at + 12] = struct.pack(">I", frames)
    path.write_bytes(data)
    assert heard(path) == list(range(6))


def test_a_flac_whose_head_counts_wrong_is_read_to_its_end(tmp_path: Path) -> None:
    """STREAMINFO says 2 s, the file holds 6."""
    path = write_sound(tmp_path / "a.flac", stepped_tone(6, 48000))
    data = bytearray(path.read_bytes())
    data[22:26] = struct.pack(">I", 96000)
    path.write_bytes(data)
    assert heard(path) == list(range(6))


def test_a_flac_cut_short_tells_its_loss(tmp_path: Path) -> None:
    """The head says 6 s, four of them are there."""
    path = write_sound(tmp_path / "a.flac", stepped_tone(6, 48000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    reading = open_medium(path).segments()
    seconds = [segment.start_s for segment in reading]
    assert seconds in ([0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4])
    assert reading.loss_s == pytest.approx(6 - len(seconds), abs=0.6)
    assert "missing at the end" in reading.notes[0]


def test_a_stream_that_ffmpeg_cannot_join_on_is_told(tmp_path: Path) -> None:
    """The head of the second of two Ogg streams is damaged, so that nothing tells how to read it: it is a loss."""
    one = write_sound(tmp_path / "1.ogg", stepped_tone(8.0, 48000))
    two = write_sound(tmp_path / "2.ogg", stepped_tone(3.0, 22050), 22050)
    path = tmp_path / "a.ogg"
    path.write_bytes(one.read_bytes() + b"O___" + two.read_bytes()[4:])
    reading = open_medium(path).segments()
    assert len(list(reading)) >= 9
    assert reading.loss_s == pytest.approx(3, abs=2)  # by the rate of the first
    assert "could not be decoded" in reading.notes[0]


def test_ogg_streams_in_a_row_are_read_one_after_the_other(tmp_path: Path) -> None:
    """A chained Ogg file of 4 s and 3 s lasts 7 s."""
    first = write_sound(tmp_path / "a.ogg", stepped_tone(4, 48000)).read_bytes()
    path = write_sound(tmp_path / "b.ogg", stepped_tone(3, 48000))
    assert is_one_stream(path)
    path.write_bytes(first + path.read_bytes())
    assert not is_one_stream(path)
    assert heard(path) == [0, 1, 2, 3, 0, 1, 2]


def test_a_damaged_ogg_keeps_its_time(tmp_path: Path) -> None:
    """libsndfile joins what is left, so that all behind a damaged page comes too early."""
    path = write_sound(tmp_path / "a.ogg", stepped_tone(10, 48000) + np.float32(0.001))
    data = bytearray(path.read_bytes())
    assert is_one_stream(path)
    data[len(data) // 2 : len(data) // 2 + 10] = bytes(10)
    path.write_bytes(data)
    assert not is_one_stream(path)
    found = heard(path)
    assert found[:2] == [0, 1]
    assert found[-2:] == [8, 9]
    assert len(found) == 10


@pytest.mark.parametrize("cut", [slice(None, -1), slice(1, None), slice(None, 40), slice(0, 0)])
def test_an_ogg_file_that_is_cut_is_not_whole(tmp_path: Path, cut: slice) -> None:
    """Neither without its last byte nor without its first."""
    path = write_sound(tmp_path / "a.ogg")
    path.write_bytes(path.read_bytes()[cut])
    assert not is_one_stream(path)


def test_where_the_first_decoder_fails_the_second_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libsndfile calls some ordinary Opus files malformed midway: FFmpeg reads the rest, without a gap."""
    path = write_sound(tmp_path / "a.flac", stepped_tone(6, 48000))
    whole = [segment.sound for segment in open_medium(path).segments()]

    def fails(_: Path, from_s: int, *__: object) -> Iterator[SoundBlock]:
        yield from list(read(path))[:3]
        raise Damaged("malformed")

    read = sounds.read_sound
    monkeypatch.setattr(second_opinion.sounds, "read_sound", fails)
    again = [segment.sound for segment in open_medium(path).segments()]
    assert len(again) == 6
    for one, other in zip(whole, again, strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_what_no_decoder_reads_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first decoder's words are kept if the second has nothing to say."""
    path = write_sound(tmp_path / "a.flac")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(Damaged):
        heard(path)


@pytest.mark.parametrize("declared", [0, 1000, 96_000, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("samples", ["tone", "silence first"])
def test_a_wav_of_a_recorder_that_lost_power_is_read_to_its_end(tmp_path: Path, declared: int, samples: str) -> None:
    """The head says no length, an old one, or too much: what the file holds is heard."""
    sound = stepped_tone(5, 48000)
    sound[: 48000 if samples != "tone" else 0] = 0
    path = write_sound(tmp_path / "a.wav", sound)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[4:8], data[at : at + 4] = struct.pack("<I", declared), struct.pack("<I", declared)
    path.write_bytes(data)
    assert heard(path) == [0 if samples == "tone" else -1, 1, 2, 3, 4]


@pytest.mark.parametrize("declared", [0, 96_000, 2**64 - 1])
def test_an_rf64_without_its_sizes_is_read_to_its_end(tmp_path: Path, declared: int) -> None:
    """RF64 tells its sizes in a chunk of its own, which a recorder fills in at the end."""
    path = tmp_path / "a.wav"
    soundfile.write(path, stepped_tone(4, 48000), 48000, format="RF64", subtype="PCM_16")
    data = bytearray(path.read_bytes())
    at = data.index(b"ds64") + 8
    data[at + 8 : at + 16] = struct.pack("<Q", declared)
    path.write_bytes(data)
    assert heard(path) == [0, 1, 2, 3]


def test_chunks_behind_the_sound_are_no_sound(tmp_path: Path) -> None:
    """A WAV whose sound is followed by remarks ends with the sound."""
    path = write_sound(tmp_path / "a.wav", stepped_tone(2, 48000))
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 96_000) + b"\x55" * 96_000)
    assert heard(path) == [0, 1]


@pytest.mark.parametrize(("suffix", "muxer"), [("latm", "latm"), ("ts", "mpegts")])
def test_aac_in_latm_is_read(tmp_path: Path, suffix: str, muxer: str) -> None:
    """Broadcasts send AAC in LATM, alone or in a transport stream."""
    path, samples = tmp_path / f"a.{suffix}", stepped_tone(4, 48000)
    options = {"mpegts_flags": "latm"} if muxer == "mpegts" else {}
    with av.open(str(path), "w", format=muxer, options=options) as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for start in range(0, len(samples), 1024):
            block = np.ascontiguousarray(samples[np.newaxis, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert heard(path)[:4] == [0, 1, 2, 3]


@pytest.mark.parametrize(("muxer", "codec"), [("sox", "pcm_s32le"), ("ircam", "pcm_s16le")])
def test_sound_of_less_common_kinds_is_read(tmp_path: Path, muxer: str, codec: str) -> None:
    """Each is one file that names no other."""
    path = tmp_path / "a"
    samples = np.stack([stepped_tone(3, 48000)] * 2)
    with av.open(str(path), "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=48000, layout="stereo")
        resampler = av.AudioResampler(stream.codec_context.format, "stereo", 48000)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate = 48000
        fifo = av.AudioFifo()
        for resampled in resampler.resample(frame):
            fifo.write(resampled)
        while (piece := fifo.read(stream.codec_context.frame_size or 512, partial=True)) is not None:
            container.mux(stream.encode(piece))
        container.mux(stream.encode())
    assert heard(path)[:3] == [0, 1, 2]


@pytest.mark.parametrize("scale", [32_768.0, 2.0**23, 2.0**31])
@pytest.mark.parametrize("level", [0.01, 0.9, 2.0])
def test_floats_at_the_scale_of_whole_numbers_are_taken_at_their_level(
    tmp_path: Path, scale: float, level: float
) -> None:
    """A float WAV with full scale 32,768 has the level of the same WAV with full scale 1."""
    right = write_sound(tmp_path / "a.wav", level * stepped_tone(3, 48000), subtype="FLOAT")
    scaled = write_sound(tmp_path / "b.wav", level * scale * stepped_tone(3, 48000), subtype="FLOAT")
    for one, other in zip(open_medium(right).segments(), open_medium(scaled).segments(), strict=True):
        assert one.sound is not None
        assert other.sound is not None
        np.testing.assert_allclose(other.sound, one.sound, atol=level * 1e-5)


@pytest.mark.parametrize("level", [1.0, 8.0, 100.0])
def test_floats_beyond_full_scale_keep_their_level(tmp_path: Path, level: float) -> None:
    """A recorder of 32-bit floats may go beyond full scale."""
    path = write_sound(tmp_path / "a.wav", level * stepped_tone(3, 48000), subtype="FLOAT")
    sound = next(open_medium(path).segments()).sound
    assert sound is not None
    assert np.abs(sound).max() == pytest.approx(0.5 * level, rel=0.05)


def test_floats_in_a_w64_are_no_whole_numbers(tmp_path: Path) -> None:
    """libsndfile takes FFmpeg's W64 of floats for 32-bit whole numbers."""
    path = tmp_path / "float.w64"
    with av.open(str(path), "w", format="w64") as container:
        stream = container.add_stream("pcm_f32le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(2.0)[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    first, _ = open_medium(path, FOOTAGE).segments()
    assert first.sound is not None
    np.testing.assert_allclose(first.sound, tone(1.0), atol=1e-3)
