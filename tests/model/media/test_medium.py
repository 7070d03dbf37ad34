"""Opening media by content and reading them as segments."""

from __future__ import annotations

import hashlib
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr
from media_samples import (
    VIDEO_CODECS,
    gradient,
    grey_at,
    grey_frame,
    loudest_hz,
    second_hz,
    stepped_tone,
    tone,
    write_animation,
    write_picture,
    write_sound,
    write_video,
)
from PIL import Image

from model.media import decoding
from model.media.medium import Limits, containers, hash_file, open_medium
from model.media.mp4 import write_mp4
from model.media.segments import Segment, pick_frames

CLIPS = Path(__file__).resolve().parents[4] / "shared" / "clips"
SOUND_FORMATS = ("wav", "flac", "mp3", "m4a", "ogg", "opus")


def read(path: Path, limits: Limits = Limits()) -> list[Segment]:  # noqa: B008
    return list(open_medium(path, limits).segments())


def only_frame(path: Path) -> np.ndarray:
    (segment,) = read(path)
    assert segment.frame is not None
    return segment.frame.astype(int)


def assert_same(left: list[Segment], right: list[Segment]) -> None:
    assert [segment.start_s for segment in left] == [segment.start_s for segment in right]
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one.sound, other.sound)
        np.testing.assert_array_equal(one.frame, other.frame)


@pytest.mark.parametrize("suffix", VIDEO_CODECS)
def test_second_t_of_a_video_holds_what_is_seen_and_heard_then(suffix: str, tmp_path: Path) -> None:
    """Brightness codes the time and frequency the second: both are right in each segment."""
    medium = open_medium(write_video(tmp_path / f"v.{suffix}", 4.0))
    assert (medium.kind, medium.has_sound, medium.has_picture) == ("video", True, True)
    assert medium.duration_s == pytest.approx(4.0, abs=0.1)
    segments = list(medium.segments())
    assert [segment.start_s for segment in segments] == [0, 1, 2, 3]
    for segment in segments:
        assert segment.sound is not None
        assert segment.frame is not None
        assert segment.frame.shape == (48, 64, 3)
        assert loudest_hz(segment.sound[1000:-1000]) == pytest.approx(second_hz(segment.start_s), abs=2)
        slack = 6 if suffix == "avi" else 2  # this MPEG-4 encoder starts coarse
        assert segment.frame.mean() == pytest.approx(grey_at(segment.start_s + 0.48), abs=slack)


@pytest.mark.parametrize("suffix", SOUND_FORMATS)
def test_every_sound_format_gives_its_seconds(suffix: str, tmp_path: Path) -> None:
    """A tone whose frequency codes the second comes back in place from every sound format."""
    medium = open_medium(write_sound(tmp_path / f"s.{suffix}"))
    assert (medium.kind, medium.has_sound, medium.has_picture) == ("sound", True, False)
    assert medium.duration_s == pytest.approx(3.0, abs=0.1)
    segments = list(medium.segments())
    assert [segment.start_s for segment in segments] == [0, 1, 2]
    for segment in segments:
        assert segment.frame is None
        assert segment.sound is not None
        assert loudest_hz(segment.sound[1000:-1000]) == pytest.approx(second_hz(segment.start_s), abs=2)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tiff", "bmp"])
def test_every_picture_format_gives_one_segment(suffix: str, tmp_path: Path) -> None:
    """A still picture is one segment at 0 with its own colours."""
    medium = open_medium(write_picture(tmp_path / f"p.{suffix}"))
    assert (medium.kind, medium.has_sound, medium.duration_s) == ("picture", False, None)
    assert np.abs(only_frame(medium.path) - gradient()).mean() < 5


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_is_a_video_without_sound(suffix: str, tmp_path: Path) -> None:
    """Frames of 400 ms begin at 0, 0.4, 0.8, 1.2, ...: nearest to the middles are 0.4, 1.6 and 2.4."""
    greys = [0, 40, 80, 120, 160, 200, 240]
    medium = open_medium(write_animation(tmp_path / f"a.{suffix}", greys, 400))
    assert (medium.kind, medium.has_sound) == ("video", False)
    frames = [segment.frame for segment in medium.segments()]
    assert [int(frame[0, 0, 0]) for frame in frames if frame is not None] == pytest.approx([40, 160, 240], abs=3)


def test_media_types_come_from_the_bytes(tmp_path: Path) -> None:
    """The MIME type is that of the content, whatever the name says."""
    expected = {"mp4": "video/mp4", "mov": "video/quicktime", "mkv": "video/x-matroska", "webm": "video/webm"}
    expected |= {"avi": "video/x-msvideo"}
    for suffix, media_type in expected.items():
        path = write_video(tmp_path / f"v.{suffix}", 1.0).rename(tmp_path / "nameless")
        assert open_medium(path).media_type == media_type
    expected = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "m4a": "audio/mp4"}
    expected |= {"ogg": "audio/ogg", "opus": "audio/ogg"}
    for suffix, media_type in expected.items():
        path = write_sound(tmp_path / f"s.{suffix}").rename(tmp_path / "x.raw")
        assert open_medium(path).media_type == media_type
    for suffix, media_type in {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}.items():
        path = write_picture(tmp_path / f"p.{suffix}").rename(tmp_path / "x.mp4")
        assert (open_medium(path).media_type, open_medium(path).kind) == (media_type, "picture")


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_rotated_video_comes_upright(degrees: int, turns: int, tmp_path: Path) -> None:
    """The display matrix turns the stored picture counterclockwise; red and green show that it did."""
    stored = gradient()
    path = write_video(tmp_path / "v.mp4", 1.0, sound=False, rotation_degrees=degrees, frame_at=lambda _: stored)
    shown = only_frame(path)
    assert shown.shape[:2] == ((64, 48) if turns % 2 else (48, 64))
    assert np.abs(shown - np.rot90(stored, turns)).mean() < 8


def test_a_photograph_comes_upright(tmp_path: Path) -> None:
    """EXIF orientation 6 is stored lying on its left side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    shown = only_frame(write_picture(tmp_path / "p.png", exif=exif))
    np.testing.assert_array_equal(shown, np.rot90(gradient(), -1))


@pytest.mark.parametrize(
    ("pixel_format", "codec"),
    [
        ("yuv420p10le", "libx265"),
        ("yuv444p", "libx264"),
        ("yuvj420p", "mjpeg"),
        ("gray", "ffv1"),
        ("rgb24", "png"),
        ("bgra", "ffv1"),
    ],
)
def test_every_pixel_format_becomes_rgb(pixel_format: str, codec: str, tmp_path: Path) -> None:
    """Ten bits, full range, no subsampling, grey and alpha: a grey of 100 stays a grey of 100."""
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    path = tmp_path / ("v.mov" if codec == "png" else "v.mkv")
    options = {"codec": codec, "pixel_format": pixel_format, "size": (66, 50)}
    write_video(path, 1.0, False, frame_at=lambda _: np.full((50, 66, 3), 100, np.uint8), **options)
    shown = only_frame(path)
    assert shown.shape == (50, 66, 3)
    assert np.abs(shown - 100).mean() <= 3


def test_odd_sides_are_kept(tmp_path: Path) -> None:
    """A video of 65 x 49 pixels gives frames of 65 x 49."""
    options = {"codec": "ffv1", "pixel_format": "yuv444p", "size": (65, 49)}
    path = write_video(tmp_path / "v.mkv", 1.0, False, frame_at=lambda _: gradient(65, 49), **options)
    shown = only_frame(path)
    assert np.abs(shown - gradient(65, 49)).mean() < 4


def test_transparent_pictures_stand_on_black(tmp_path: Path) -> None:
    """Half-transparent white over black is a middle grey, in RGBA and in a palette."""
    rgba = np.full((20, 20, 4), 255, np.uint8)
    rgba[:, 10:, 3] = 128
    assert only_frame(write_picture(tmp_path / "p.png", rgba))[0].tolist() == [[255] * 3] * 10 + [[128] * 3] * 10
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.save(tmp_path / "q.png", transparency=1)
    assert not only_frame(tmp_path / "q.png").any()


def test_sixteen_bits_and_four_inks_become_eight_bits_and_rgb(tmp_path: Path) -> None:
    """A 16-bit grey is scaled, not clipped; CMYK becomes RGB."""
    deep = np.full((20, 20), 0x8040, np.uint16)
    assert only_frame(write_picture(tmp_path / "deep.png", deep)).tolist() == np.full((20, 20, 3), 0x80).tolist()
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(tmp_path / "ink.jpg")
    red, green, blue = only_frame(tmp_path / "ink.jpg").mean(axis=(0, 1))
    assert red > 200
    assert max(green, blue) < 60


def test_sound_that_starts_late_keeps_its_time(tmp_path: Path) -> None:
    """A sound track that begins 2 s after the picture leaves two seconds without sound."""
    segments = read(write_video(tmp_path / "v.mkv", 4.0, sound_start_s=2.0))
    assert [segment.sound is not None for segment in segments] == [False, False, True, True]
    heard = [loudest_hz(segment.sound) for segment in segments if segment.sound is not None]
    assert heard == pytest.approx([second_hz(2), second_hz(3)], abs=2)


def test_a_picture_that_starts_late_keeps_its_time(tmp_path: Path) -> None:
    """A picture track that begins 2 s after the sound leaves two seconds without a frame."""
    segments = read(write_video(tmp_path / "v.mkv", 4.0, picture_start_s=2.0))
    frames = [segment.frame for segment in segments]
    assert [frame is not None for frame in frames] == [False, False, True, True]
    assert frames[2] is not None
    assert frames[2].mean() == pytest.approx(grey_at(2.48), abs=2)


def test_the_mean_of_the_channels_is_heard(tmp_path: Path) -> None:
    """Equal channels stay; the samples equal soxr's own result."""
    left = tone(1, 44100)
    path = write_sound(tmp_path / "s.wav", np.stack([left, left], axis=1), 44100, "FLOAT")
    np.testing.assert_array_equal(read(path)[0].sound, soxr.resample(left, 44100, 16000, quality="HQ"))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_the_container_door_scales_every_sample_format(subtype: str, tmp_path: Path) -> None:
    """FFmpeg's samples, scaled here, equal libsndfile's of the same WAV."""
    path = write_sound(tmp_path / "s.wav", np.stack([tone(1), tone(1, 16000, 800)], axis=1), 16000, subtype)
    expected = soundfile.read(path, dtype="float32")[0].mean(axis=1)
    samples = np.concatenate([block.samples for block in containers.read_sound(path)])
    np.testing.assert_allclose(samples, expected, atol=1e-6)


def test_cover_art_is_no_picture(tmp_path: Path) -> None:
    """An M4A with an attached picture is a sound."""
    path = tmp_path / "album.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        audio = container.add_stream("aac", rate=16000, layout="mono")
        video = container.add_stream("png", rate=1)
        video.width, video.height, video.pix_fmt = 64, 48, "rgb24"
        video.disposition = av.stream.Disposition.attached_pic
        container.mux(video.encode(av.VideoFrame.from_ndarray(gradient(), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(tone(2)[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
    with av.open(str(path)) as container:
        assert container.streams.video[0].disposition & av.stream.Disposition.attached_pic
    medium = open_medium(path)
    assert (medium.kind, medium.media_type) == ("sound", "audio/mp4")
    assert [segment.frame for segment in medium.segments()] == [None, None]


@pytest.mark.parametrize(("fourcc", "kind", "has_sound"), [(b"avc1", "sound", True), (b"mp4a", "video", False)])
def test_a_track_of_an_unknown_codec_leaves_the_other(
    fourcc: bytes, kind: str, has_sound: bool, tmp_path: Path
) -> None:
    """With an unknown picture codec a video is a sound, with an unknown sound codec it has none."""
    path = write_video(tmp_path / "v.mp4", 2.0)
    # The handler name keeps a copy of no codec: the last occurrence is the sample entry in moov.
    before, after = path.read_bytes().rsplit(fourcc, 1)
    broken = (before + b"zzzz" + after).replace(b"esds", b"zsds") if fourcc == b"mp4a" else before + b"zzzz" + after
    path.write_bytes(broken)
    medium = open_medium(path)
    assert (medium.kind, medium.has_sound) == (kind, has_sound)
    assert len(list(medium.segments())) == 2


@pytest.mark.parametrize("suffix", ["mp4", "webm", "avi", "gif", "mp3"])
def test_a_slice_equals_the_whole(suffix: str, tmp_path: Path) -> None:
    """The seconds [1, 3) asked for alone are bit-equal to those of the whole."""
    path = tmp_path / f"m.{suffix}"
    if suffix == "gif":
        write_animation(path, list(range(0, 200, 20)), 400)
    elif suffix == "mp3":
        write_sound(path, stepped_tone(4, 44100), 44100)
    else:
        write_video(path, 4.0)
    medium = open_medium(path)
    whole = list(medium.segments())
    assert_same(list(medium.segments(1, 3)), whole[1:3])
    assert_same(list(medium.segments(2)), whole[2:])
    assert list(medium.segments(0, 0)) == []
    assert list(medium.segments(9)) == []


def test_a_slice_stops_decoding_where_it_ends(tmp_path: Path) -> None:
    """The first second of a file that is damaged later on can still be read."""
    noise = np.random.default_rng(0).integers(0, 256, (100, 48, 64, 3), dtype=np.uint8)
    path = tmp_path / "v.mp4"
    write_mp4(path, noise, 20.0, None, 16000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert len(list(open_medium(path).segments(0, 1))) == 1


def test_leaving_frames_out_changes_no_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """H.264 with B-frames: decoding only what may be chosen gives the very frames that decoding all gives."""
    path = write_video(
        tmp_path / "v.mp4", 6.0, frame_rate_hz=24, frame_at=lambda t: gradient() // 2 + grey_frame(t) // 4
    )
    count = len(list(containers.read_frames(path, 10**6)))
    quick = [second.rgb() for second in pick_frames(containers.read_frames(path, 10**6)) if second.rgb]
    monkeypatch.setattr(decoding, "_unwanted_skipped", lambda track, all_packets, origin_s, damage: all_packets)
    every = [second.rgb() for second in pick_frames(containers.read_frames(path, 10**6)) if second.rgb]
    assert count < 6 * 24
    np.testing.assert_array_equal(np.stack(quick), np.stack(every))


def test_write_mp4_is_read_back(tmp_path: Path) -> None:
    """What is written comes back: pictures within the codec's loss, sound in time, without sound as well."""
    frames = np.stack([grey_frame(number / 10) for number in range(30)])
    write_mp4(tmp_path / "v.mp4", frames, 10.0, stepped_tone(3), 16000)
    segments = read(tmp_path / "v.mp4")
    assert len(segments) == 3
    for segment in segments:
        assert segment.frame is not None
        assert segment.sound is not None
        assert segment.frame.mean() == pytest.approx(grey_at(segment.start_s + 0.5), abs=2)
        original = stepped_tone(3)[segment.start_s * 16000 :][:16000]
        assert np.corrcoef(segment.sound, original)[0, 1] > 0.99
    write_mp4(tmp_path / "mute.mp4", frames, 10.0, None, 16000)
    assert not open_medium(tmp_path / "mute.mp4").has_sound
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_hash_file_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    """The hash is that of the content, read in pieces."""
    path = tmp_path / "x"
    path.write_bytes(b"echo" * 1_000_000)
    assert hash_file(path) == hashlib.sha256(b"echo" * 1_000_000).hexdigest()


@pytest.mark.shared
def test_real_clips_are_read_whole() -> None:
    """Every shared clip gives as many seconds as it declares, each with a frame."""
    if not CLIPS.is_dir():
        pytest.skip("the shared clips are not beside this checkout")
    clips = sorted(path for path in CLIPS.iterdir() if path.suffix in (".mp4", ".mkv"))
    for path in clips[::6]:
        medium = open_medium(path)
        segments = list(medium.segments())
        assert medium.duration_s is not None
        assert len(segments) == int(medium.duration_s + 0.5)
        assert all(segment.frame is not None for segment in segments)
