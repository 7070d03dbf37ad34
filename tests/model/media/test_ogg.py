"""Ogg files of streams in a row are read to their end, whatever the streams are."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from media_samples import loudest_hz, second_hz, stepped_tone, write_sound, write_video

from model.media.medium import Reading, open_medium
from model.media.ogg import unlike_links

KINDS = {  # of a stream: codec, rate, channels
    "mono": ("VORBIS", 48000, 1),
    "stereo": ("VORBIS", 48000, 2),
    "surround": ("VORBIS", 48000, 6),
    "slow": ("VORBIS", 22050, 1),
    "opus": ("OPUS", 48000, 1),
    "stereo opus": ("OPUS", 48000, 2),
    "flac": ("flac", 48000, 1),
    "slow flac": ("flac", 16000, 1),
}


def write_stream(path: Path, kind: str, seconds: float) -> bytes:
    """Write an Ogg file of one stream whose frequency codes its second."""
    codec, rate_hz, channels = KINDS[kind]
    hiss = np.float32(0.02) * np.random.default_rng(0).standard_normal(round(seconds * rate_hz), np.float32)
    samples = np.stack([stepped_tone(seconds, rate_hz) + hiss] * channels)  # with hiss there are many pages
    if codec.isupper():
        soundfile.write(path, samples.T, rate_hz, format="OGG", subtype=codec)
        return path.read_bytes()
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        resampler = av.AudioResampler("s16", "mono", rate_hz, stream.codec_context.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode())
    return path.read_bytes()


def chain(tmp_path: Path, *streams: tuple[str, float]) -> Path:
    """Write a file of several streams in a row."""
    path = tmp_path / "chain.ogg"
    path.write_bytes(b"".join(write_stream(tmp_path / "a.ogg", kind, seconds) for kind, seconds in streams))
    return path


def heard(reading: Reading) -> list[int]:
    """Return the seconds of `stepped_tone` that are heard, one for each segment; -1 for silence."""
    return [
        -1 if segment.sound is None else round((loudest_hz(segment.sound) - second_hz(0)) / 100) for segment in reading
    ]


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", ["mono", "slow", "surround", "opus", "flac"])
def test_streams_that_differ_are_heard_one_after_the_other(tmp_path: Path, first: str, second: str) -> None:
    """Rate, channels and codec may change from stream to stream, and back."""
    reading = open_medium(chain(tmp_path, (first, 4), (second, 3), (first, 2))).segments()
    assert heard(reading) == [0, 1, 2, 3, 0, 1, 2, 0, 1]
    assert reading.loss_s < 0.1


def test_streams_that_are_alike_are_left_to_one_decoder(tmp_path: Path) -> None:
    """What FFmpeg reads to the end, and one stream alone, are no chain to take apart."""
    assert unlike_links(chain(tmp_path, ("mono", 2))) == []
    assert unlike_links(chain(tmp_path, ("mono", 2), ("mono", 3))) == []
    assert len(unlike_links(chain(tmp_path, ("mono", 2), ("slow", 3)))) == 2


def test_a_page_inside_a_packet_begins_no_stream(tmp_path: Path) -> None:
    """A whole Ogg file in the remarks of another is not heard, and another kind of file is none."""
    inner = write_stream(tmp_path / "b.ogg", "slow", 1)
    path = tmp_path / "a.ogg"
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("flac", rate=48000, layout="mono")
        container.metadata["comment"] = inner[:58].decode("latin-1")
        frame = av.AudioFrame.from_ndarray(stepped_tone(2, 48000)[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        for piece in av.AudioResampler("s16", "mono", 48000, 4608).resample(frame):
            container.mux(stream.encode(piece))
        container.mux(stream.encode())
    assert path.read_bytes().count(b"OggS") > 2
    assert unlike_links(path) == []
    assert unlike_links(write_sound(tmp_path / "a.wav")) == []


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_damage_in_one_stream_leaves_the_others_in_their_place(tmp_path: Path, damaged: int) -> None:
    """A damaged page is lost in its own stream, and those behind it are as late as they were."""
    kinds = [("mono", 6.0), ("slow", 6.0), ("mono", 6.0)]
    streams = [bytearray(write_stream(tmp_path / "a.ogg", *kind)) for kind in kinds]
    middle = len(streams[damaged]) // 2
    streams[damaged][middle : middle + 10] = bytes(10)
    path = tmp_path / "chain.ogg"
    path.write_bytes(b"".join(streams))
    reading = open_medium(path).segments()
    found = heard(reading)
    assert len(found) == 18
    for number in {0, 1, 2} - {damaged}:
        assert found[6 * number : 6 * number + 6] == list(range(6))
    assert 0 < reading.loss_s < 6
    assert "could not be decoded" in reading.notes[0]


def test_a_stream_of_which_nothing_can_be_decoded_is_a_loss(tmp_path: Path) -> None:
    """Behind its first page nothing is left but the last, which tells how long it was."""
    first, second = (write_stream(tmp_path / "a.ogg", kind, 4) for kind in ("mono", "slow"))
    path = tmp_path / "chain.ogg"
    path.write_bytes(first + second[:58] + second[second.rindex(b"OggS") :] + first)
    reading = open_medium(path).segments()
    found = heard(reading)
    assert (len(found), found[:4], found[-4:]) == (12, [0, 1, 2, 3], [0, 1, 2, 3])
    assert reading.loss_s == pytest.approx(4, abs=0.6)


def test_a_chain_that_is_cut_off_is_read_to_the_cut(tmp_path: Path) -> None:
    """The last stream lacks its second half."""
    path = chain(tmp_path, ("mono", 4), ("slow", 10))
    path.write_bytes(path.read_bytes()[: -len(write_stream(tmp_path / "a.ogg", "slow", 10)) // 2])
    found = heard(open_medium(path).segments())
    assert found[:7] == [0, 1, 2, 3, 0, 1, 2]


def test_a_picture_beside_the_sound_is_no_chain(tmp_path: Path) -> None:
    """The streams of a video lie side by side, and another kind of container is none."""
    assert unlike_links(write_video(tmp_path / "a.mkv")) == []
