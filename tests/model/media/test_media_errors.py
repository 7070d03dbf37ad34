"""Media that are refused: each by its own error, whatever was done to the bytes."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from media_samples import (
    VIDEO_CODECS,
    loudest_hz,
    second_hz,
    stepped_tone,
    tone,
    write_animation,
    write_picture,
    write_sound,
    write_video,
)

from model.errors import (
    Damaged,
    EmptyFile,
    MediaError,
    NotAMedium,
    NotFinite,
    TookTooLong,
    TooLarge,
    TooLong,
    TooShort,
    TooSmall,
)
from model.media.medium import Limits, containers, open_medium
from model.media.mp4 import write_mp4
from model.media.segments import Segment

SOUND_FORMATS = ("wav", "flac", "mp3", "m4a", "ogg", "opus")


def read(path: Path, limits: Limits = Limits()) -> list[Segment]:  # noqa: B008
    return list(open_medium(path, limits).segments())


@pytest.mark.parametrize(
    "content",
    [
        b"This is a text that somebody renamed.\n" * 50,
        b"\0" * 5000,
        b"x",
        b"%PDF-1.7\n",
        b"PK\x03\x04" + b"a" * 100,
    ],
    ids=["text", "zeros", "one byte", "pdf", "zip"],
)
def test_what_is_no_medium_is_refused_by_content(content: bytes, tmp_path: Path) -> None:
    """Text or zeros named .mp4 are not a medium."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(NotAMedium, match=r"clip\.mp4"):
        open_medium(path)


def test_a_script_that_names_other_files_is_never_followed(tmp_path: Path) -> None:
    """FFmpeg would open the neighbour that a concat script or playlist names; a service must not."""
    write_video(tmp_path / "secret.mp4", 1.0)
    script, playlist = tmp_path / "clip.mp4", tmp_path / "clip.m3u8"
    script.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n")
    for path in (script, playlist):
        with pytest.raises(NotAMedium):
            open_medium(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, or a path at which there is nothing, is not a medium."""
    cases = (
        (tmp_path, "directory"),
        (tmp_path / "absent.mp4", "no such file"),
        (tmp_path / ("x" * 300), "cannot be looked at"),
    )
    for path, reason in cases:
        with pytest.raises(NotAMedium, match=reason):
            open_medium(path)


def test_an_empty_file_is_named_so(tmp_path: Path) -> None:
    """Zero bytes have their own error."""
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(EmptyFile):
        open_medium(tmp_path / "clip.mp4")


def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    """A file over the limit of bytes is refused before it is read."""
    with pytest.raises(TooLarge, match="at most 1000"):
        open_medium(write_sound(tmp_path / "s.wav"), Limits(bytes=1000))


@pytest.mark.parametrize("side", [9_000, 10_000, 30_000])
def test_too_many_pixels_are_refused_from_the_head_alone(side: int, tmp_path: Path) -> None:
    """A PNG head of side x side pixels without pixels: refused for its size, so nothing was decoded."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    with pytest.raises(TooLarge):
        open_medium(path)


def test_a_video_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    """The limit of pixels holds for videos too."""
    with pytest.raises(TooLarge, match="64 x 48"):
        open_medium(write_video(tmp_path / "v.mp4", 1.0), Limits(pixels=3000))


def test_a_tiny_picture_is_refused(tmp_path: Path) -> None:
    """One pixel is decodable and yet no picture of anything."""
    with pytest.raises(TooSmall, match="1 x 1"):
        open_medium(write_picture(tmp_path / "p.png", np.zeros((1, 1, 3), np.uint8)))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif"])
def test_a_truncated_picture_is_damaged(suffix: str, tmp_path: Path) -> None:
    """A third of a picture's bytes are not a picture; what is taken of more is in `test_pictures.py`."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    path = write_picture(tmp_path / f"p.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(Damaged):
        read(path)


def test_an_mp4_without_its_index_is_damaged(tmp_path: Path) -> None:
    """Cut before the moov box at its end, the head still says MP4: damaged, not unknown."""
    path = write_video(tmp_path / "v.mp4", 2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Damaged, match="whole file again"):
        open_medium(path)


def test_a_truncated_faststart_mp4_is_damaged(tmp_path: Path) -> None:
    """With the index in front the file opens, yet its data ends early: damaged, after what is there."""
    noise = np.random.default_rng(0).integers(0, 256, (100, 48, 64, 3), dtype=np.uint8)
    path = tmp_path / "v.mp4"
    write_mp4(path, noise, 20.0, stepped_tone(5), 16000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seconds = open_medium(path).segments()
    assert next(seconds).start_s == 0
    with pytest.raises(Damaged):
        list(seconds)


def test_a_truncated_matroska_gives_what_is_left_and_tells_the_rest(tmp_path: Path) -> None:
    """A Matroska cut short says a longer duration than can be decoded: a loss, and beyond a share of it damage."""
    path = write_video(tmp_path / "v.mkv", 6.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    reading = open_medium(path).segments()
    count = len(list(reading))
    assert 3 <= count <= 5
    assert reading.loss_s == pytest.approx(6 - count, abs=0.6)
    assert "missing at the end" in reading.notes[0]
    with pytest.raises(Damaged, match="at most 10% may be lost"):
        read(path, Limits(most_loss=0.1))


def test_a_sound_file_cut_short_gives_what_is_left_and_no_more(tmp_path: Path) -> None:
    """Half of an MP3, Ogg or WAV of 8 s: each second that comes is the right one, and at most four come."""
    for suffix in ("mp3", "ogg", "wav"):
        path = write_sound(tmp_path / f"s.{suffix}", stepped_tone(8, 48000), 48000)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        heard = [loudest_hz(s.sound[1000:8000]) for s in read(path) if s.sound is not None]
        assert 2 <= len(heard) <= 4
        assert heard == pytest.approx([second_hz(second) for second in range(len(heard))], abs=2)


def test_sounds_that_do_not_tell_their_length_are_read(tmp_path: Path) -> None:
    """Streamed FLAC leaves its number of samples at 0, streamed WAV its sizes: both hold three seconds."""
    flac = write_sound(tmp_path / "s.flac")
    data = bytearray(flac.read_bytes())
    data[21] &= 0xF0  # STREAMINFO: the low 36 bits that end at byte 25 count the samples
    data[22:26] = bytes(4)
    flac.write_bytes(data)
    wav = write_sound(tmp_path / "s.wav")
    data = bytearray(wav.read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = b"\xff" * 4
    wav.write_bytes(data)
    for path in (flac, wav):
        heard = [loudest_hz(segment.sound) for segment in read(path) if segment.sound is not None]
        assert heard == pytest.approx([second_hz(0), second_hz(1), second_hz(2)], abs=2)


def test_bytes_overwritten_midway_never_escape_as_foreign_errors(tmp_path: Path) -> None:
    """Whatever is done to the bytes of any format, what is raised is a MediaError or nothing."""
    random = np.random.default_rng(0)
    paths = [write_video(tmp_path / f"v.{suffix}", 1.0) for suffix in VIDEO_CODECS]
    paths += [write_sound(tmp_path / f"s.{suffix}") for suffix in SOUND_FORMATS]
    paths += [write_picture(tmp_path / f"p.{suffix}") for suffix in ("png", "jpg", "webp", "gif")]
    paths += [write_animation(tmp_path / f"a.{suffix}", [9, 99], 600) for suffix in ("gif", "webp", "png")]
    refused = 0
    for path in paths:
        original = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(6):
            broken = original.copy()
            broken[random.integers(0, len(broken), 40)] = random.integers(0, 256, 40)
            path.write_bytes(broken.tobytes())
            try:
                read(path, Limits(decoded_s=30.0, wall_s=10.0))
            except MediaError:
                refused += 1
    assert refused > 10


def test_a_sound_of_a_third_of_a_second_is_too_short(tmp_path: Path) -> None:
    """Under half a second there is no segment, and the error says how much there was."""
    with pytest.raises(TooShort, match=r"0\.3"):
        read(write_sound(tmp_path / "s.wav", tone(0.33), 16000))


def test_a_video_of_a_third_of_a_second_is_too_short_but_one_frame_is_a_second(tmp_path: Path) -> None:
    """Eight frames of 40 ms are too short; a single frame is a picture in a video's clothes."""
    with pytest.raises(TooShort):
        read(write_video(tmp_path / "v.mp4", 0.32, sound=False))
    assert len(read(write_video(tmp_path / "one.mp4", 0.04, sound=False))) == 1


def test_a_recording_over_the_limit_is_refused_from_its_head(tmp_path: Path) -> None:
    """A declared duration over the limit is refused on opening."""
    with pytest.raises(TooLong, match="at most 2 s"):
        open_medium(write_sound(tmp_path / "s.wav"), Limits(decoded_s=2.0))


def test_a_recording_that_hides_its_length_is_refused_while_it_is_decoded(tmp_path: Path) -> None:
    """An animation declares nothing: it is cut off at the limit."""
    path = write_animation(tmp_path / "a.gif", [0, 40, 80, 120, 160], 1000)
    assert len(read(path, Limits(decoded_s=5.0))) == 5
    with pytest.raises(TooLong, match="at most 3 s"):
        read(path, Limits(decoded_s=3.0))


def test_decoding_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """No time at all is always too little."""
    with pytest.raises(TookTooLong, match="longer than 0 s"):
        read(write_video(tmp_path / "v.mp4", 2.0), Limits(wall_s=0.0))


def test_a_sound_with_nan_is_refused(tmp_path: Path) -> None:
    """A float WAV may hold NaN; it must not reach the encoder."""
    samples = tone(2)
    samples[20_000] = np.nan
    with pytest.raises(NotFinite):
        read(write_sound(tmp_path / "s.wav", samples, 16000, "FLOAT"))


def test_what_the_reader_of_containers_stumbles_over_is_damage(tmp_path: Path) -> None:
    """Such as a track that appears midway, of which PyAV finds no place in its list: no fault of the service."""
    clip = write_video(tmp_path / "clip.mp4", 1.0)
    with pytest.raises(Damaged, match=r"clip\.mp4"), containers._opened(clip, None):
        raise IndexError("list index out of range")
