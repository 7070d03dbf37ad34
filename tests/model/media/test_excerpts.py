"""Excerpts hold the same moments as the seconds of the library, and every browser plays them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from media_samples import (
    MUXERS,
    gradient,
    grey_at,
    grey_frame,
    loudest_hz,
    restamped,
    second_hz,
    stepped_tone,
    tone,
    write_animation,
    write_channels,
    write_picture,
    write_sound,
    write_video,
)

from model.errors import NoPicture
from model.media.channels import Apart
from model.media.excerpts import write_excerpt
from model.media.medium import FOOTAGE, open_medium

ALL_FORMATS = ["mp4", "mov", "mkv", "webm", "avi", "ts", "flv"]


def excerpt(path: Path, start_s: float, end_s: float) -> Path:
    medium = open_medium(path, FOOTAGE)
    target = path.with_name(f"excerpt-of-{path.name}")
    write_excerpt(medium, float(start_s), float(end_s), target)
    return target


def shown(path: Path) -> list[tuple[float, float]]:
    """Return when each frame is shown, and the time that its grey stands for (see grey_at)."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [(float(f.time or 0), (f.to_ndarray(format="gray").mean() - grey_at(0)) / 25) for f in frames]


def sound_of(path: Path) -> tuple[np.ndarray, int]:
    """Return the sound as a browser hears it, (channels, samples), and its rate."""
    with av.open(str(path)) as container:
        frames = [f for f in container.decode(audio=0) if f.time is not None and f.time >= 0]
    return np.concatenate([f.to_ndarray() for f in frames], axis=1), frames[0].sample_rate


def facts(path: Path) -> dict[str, object]:
    with av.open(str(path)) as container:
        picture, sounds = container.streams.video[0], container.streams.audio
        return {
            "codec": picture.codec_context.name,
            "pixels": picture.codec_context.pix_fmt,
            "size": (picture.width, picture.height),
            "sound": sounds[0].codec_context.name if sounds else None,
            "start_s": (container.start_time or 0) / av.time_base,
            "duration_s": (container.duration or 0) / av.time_base,
        }


@pytest.mark.parametrize("suffix", ALL_FORMATS)
def test_an_excerpt_of_every_container_holds_the_moments_of_its_seconds(suffix: str, tmp_path: Path) -> None:
    """From 2 s on, the frame at t shows the grey of 2 + t and each second its own tone, as in the library."""
    path = write_video(tmp_path / f"v.{suffix}", 7.0)
    made = excerpt(path, 2, 5)
    assert facts(made) == {
        "codec": "h264",
        "pixels": "yuv420p",
        "size": (64, 48),
        "sound": "aac",
        "start_s": 0,
        "duration_s": pytest.approx(3, abs=0.03),
    }
    of_library = list(open_medium(path).segments(2, 5))
    of_excerpt = list(open_medium(made).segments())
    assert len(of_excerpt) == 3
    for ours, theirs in zip(of_excerpt, of_library, strict=True):
        assert ours.frame is not None
        assert theirs.frame is not None
        assert ours.sound is not None
        assert theirs.sound is not None
        assert ours.frame.mean() == pytest.approx(theirs.frame.mean(), abs=2)
        assert loudest_hz(ours.sound[2000:-2000]) == pytest.approx(loudest_hz(theirs.sound[2000:-2000]), abs=3)
    assert len(shown(made)) >= 75


def test_a_cut_between_two_key_frames_and_within_a_second_is_exact(tmp_path: Path) -> None:
    """From 2.52 s to 3.68 s: the first frame is the one of 2.52, not the key frame before it."""
    made = excerpt(write_video(tmp_path / "v.mp4", 7.0), 2.52, 3.68)
    assert all(grey_s == pytest.approx(2.52 + at_s, abs=0.14) for at_s, grey_s in shown(made))
    assert facts(made)["duration_s"] == pytest.approx(1.16, abs=0.03)


@pytest.mark.parametrize("suffix", ["ts", "mkv", "flv"])
def test_behind_a_cut_of_the_clock_the_excerpt_is_where_the_library_has_it(suffix: str, tmp_path: Path) -> None:
    """Two files end to end: the library's second 4 is the second file's 1, and so is the excerpt's first."""
    one, two = (write_video(tmp_path / f"{seconds}.{suffix}", seconds) for seconds in (3.0, 4.0))
    path = tmp_path / f"v.{suffix}"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    made = excerpt(path, 4, 6)
    assert all(grey_s == pytest.approx(1 + at_s, abs=0.16) for at_s, grey_s in shown(made))
    sound, rate_hz = sound_of(made)
    heard_hz = [loudest_hz(sound[0, n * rate_hz + 3000 : (n + 1) * rate_hz - 3000], rate_hz) for n in range(2)]
    assert heard_hz == pytest.approx([second_hz(1), second_hz(2)], abs=5)


def test_a_clock_that_begins_late_is_the_library_s_clock(tmp_path: Path) -> None:
    """A recorder's clock stands at 1000 s at the beginning: second 2 is 1002 to 1003 of it."""
    plain = write_video(tmp_path / "plain.ts", 5.0)
    made = excerpt(restamped(plain, tmp_path / "v.ts", lambda _, time_s: time_s + 1000), 2, 4)
    assert all(grey_s == pytest.approx(2 + at_s, abs=0.16) for at_s, grey_s in shown(made))


def test_frames_keep_their_times_where_the_rate_varies(tmp_path: Path) -> None:
    """Frames at odd times are shown at those times, and a slow one stays on show."""
    times_s = [0.0, 0.1, 0.5, 1.3, 1.35, 2.9, 3.0]
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        for time_s in times_s:
            frame = av.VideoFrame.from_ndarray(grey_frame(time_s), format="rgb24")
            frame.pts, frame.time_base = round(1000 * time_s), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    assert [at_s for at_s, _ in shown(path)] == pytest.approx(times_s, abs=0.002), "the sample itself"
    found = shown(excerpt(path, 1.0, 3.0))
    assert [at_s for at_s, _ in found] == pytest.approx([0, 0.3, 0.35, 1.9, 1.96], abs=0.02)
    assert [grey_s for _, grey_s in found[:4]] == pytest.approx([0.5, 1.3, 1.35, 2.9], abs=0.14)


def test_a_picture_without_sound_has_no_sound_track(tmp_path: Path) -> None:
    """Nothing is made up: no track of silence."""
    assert facts(excerpt(write_video(tmp_path / "v.mp4", 3.0, sound=False), 1, 2))["sound"] is None


def test_the_last_frame_stays_on_show_while_the_sound_goes_on(tmp_path: Path) -> None:
    """The picture ends after 2 s, the sound after 5: the excerpt of 3 to 5 s shows the last frame."""
    path = write_video(tmp_path / "v.mkv", 2.0, samples=stepped_tone(5.0, 48000))
    found = shown(excerpt(path, 3, 5))
    assert [grey_s for _, grey_s in found] == pytest.approx([1.96] * len(found), abs=0.12)
    assert found[-1][0] > 1.9


def test_a_picture_that_comes_late_is_black_before(tmp_path: Path) -> None:
    """As in a player: the frame of second 2 is not shown at second 0."""
    found = shown(excerpt(write_video(tmp_path / "v.mkv", 4.0, picture_start_s=2.0), 0, 3))
    assert found[0][0] == 0
    assert found[0][1] < -0.1, "black is darker than every grey of the truth"
    assert found[1][0] == pytest.approx(2.0, abs=0.05)


def test_a_large_picture_is_scaled_and_keeps_its_shape(tmp_path: Path) -> None:
    """2048 x 1024 becomes 1280 x 640; turned on its side 640 x 1280; both sides even."""
    wide = write_video(tmp_path / "wide.mp4", 1.0, size=(2048, 1024), frame_rate_hz=5)
    turned = write_video(tmp_path / "turned.mp4", 1.0, size=(2048, 1024), frame_rate_hz=5, rotation_degrees=90)
    assert facts(excerpt(wide, 0, 1))["size"] == (1280, 640)
    assert facts(excerpt(turned, 0, 1))["size"] == (640, 1280)


def test_colours_stay_and_are_declared(tmp_path: Path) -> None:
    """A gradient of red and green comes back within 12 of 255: the matrix that is used is the one that is declared."""
    pixels = np.kron(gradient(), np.ones((4, 4, 1), np.uint8))
    path = write_video(tmp_path / "v.mp4", 1.0, size=(256, 192), frame_at=lambda _: pixels)
    (segment,) = open_medium(path).segments()
    (again,) = open_medium(excerpt(path, 0, 1)).segments()
    assert segment.frame is not None
    assert again.frame is not None
    assert np.abs(again.frame.astype(int) - segment.frame.astype(int)).mean() < 4


def test_stereo_stays_stereo_and_surround_is_mixed_as_it_is_heard(tmp_path: Path) -> None:
    """Left and right stay apart; six channels become the one that the library hears."""
    left, right = tone(3, 48000, 500), tone(3, 48000, 900)
    stereo = write_channels(tmp_path / "stereo.wav", np.stack([left, right]), "stereo", "pcm_s16le")
    mp4 = write_channels(tmp_path / "surround.mp4", np.stack([left] * 6), "5.1", "aac")
    sound, rate_hz = soundfile.read(excerpt(stereo, 1, 2))
    assert [loudest_hz(sound[:, channel], rate_hz) for channel in range(2)] == pytest.approx([500, 900], abs=2)
    sound, _ = soundfile.read(excerpt(mp4, 1, 2))
    assert sound.shape == (48000, 6), "sound alone keeps all its channels"


@pytest.mark.parametrize(
    ("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24), ("PCM_32", 24), ("FLOAT", None), ("PCM_U8", 8)]
)
def test_a_sound_file_s_samples_stay_bit_by_bit(subtype: str, bits: int | None, tmp_path: Path) -> None:
    """A WAV of 44,100 Hz, two channels and any depth comes out as it went in."""
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.9, 0.9, (3 * 44100, 2))
    path = write_sound(tmp_path / "v.wav", samples, 44100, subtype)
    made = excerpt(path, 0.5, 2.25)
    with soundfile.SoundFile(path) as before, soundfile.SoundFile(made) as after:
        assert (after.samplerate, after.channels, after.subtype) == (44100, 2, subtype)
        before.seek(22050)
        first, second = (file.read(77175, dtype="float64") for file in (before, after))
    assert first.shape == second.shape
    assert np.abs(first - second).max() <= (0 if bits != 24 or subtype == "PCM_24" else 2.0**-24)


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "opus", "flac", "m4a"])
def test_sound_alone_of_every_format_is_a_wav_of_the_same_moments(suffix: str, tmp_path: Path) -> None:
    """Seconds 2 to 4 of a sound sound as seconds 2 and 3 of the library."""
    path = write_sound(tmp_path / f"v.{suffix}", stepped_tone(6.0, 48000))
    sound, rate_hz = soundfile.read(excerpt(path, 2, 4))
    assert len(sound) == 2 * rate_hz
    heard_hz = [loudest_hz(sound[n * rate_hz + 3000 : (n + 1) * rate_hz - 3000], rate_hz) for n in range(2)]
    assert heard_hz == pytest.approx([second_hz(2), second_hz(3)], abs=3)
    of_library = np.concatenate([s.sound for s in open_medium(path).segments(2, 4) if s.sound is not None])
    lag = np.correlate(of_library[8000:16000], sound[::3][8000:16000], "full").argmax() - 7999
    assert abs(lag) <= 32, "within 2 ms"


def test_an_animation_is_cut_too(tmp_path: Path) -> None:
    """A GIF of one grey a second."""
    path = write_animation(tmp_path / "v.gif", [40, 80, 120, 160], 1000)
    with av.open(str(excerpt(path, 1, 3))) as container:
        greys = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    assert greys[0] == pytest.approx(80 * 219 / 255 + 16, abs=4) or greys[0] == pytest.approx(80, abs=4)
    assert greys[-1] > greys[0]


def test_a_still_picture_has_no_excerpt(tmp_path: Path) -> None:
    """It has no time."""
    with pytest.raises(NoPicture, match="still picture"):
        excerpt(write_picture(tmp_path / "v.png"), 0, 1)


def test_frames_of_a_fast_camera_are_thinned_to_what_a_screen_shows(tmp_path: Path) -> None:
    """240 frames a second become at most 62, evenly."""
    found = shown(excerpt(write_video(tmp_path / "v.mp4", 2.0, frame_rate_hz=240), 0.5, 1.5))
    assert 55 <= len(found) <= 62


def test_channels_are_kept_up_to_the_most(tmp_path: Path) -> None:
    """Two of at most two stay; three are mixed to one."""
    two, three = (np.ones((count, 8), np.float32) for count in (2, 3))
    assert Apart(2).mix(two, (), 16000).shape == (2, 8)
    assert Apart(2).mix(three, (), 16000).shape == (1, 8)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_an_excerpt_of_a_long_still_stretch_holds_what_is_on_show(suffix: str, tmp_path: Path) -> None:
    """The key frame behind a still stretch is decoded, but not shown, before it ends: it is not where to begin."""
    path = tmp_path / f"v.{suffix}"
    with av.open(str(path), "w", format=MUXERS.get(suffix, suffix)) as container:
        options = {"bf": "2", "b_strategy": "0", "x264-params": "b-adapt=0:scenecut=0:keyint=4:min-keyint=4"}
        video = container.add_stream("libx264", rate=25, options=options)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(grey_frame(number), format="rgb24")
            frame.pts, frame.time_base = 40 * number + 8000 * (number >= 4), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    ((start_s, grey), *_) = shown(excerpt(path, 5, 7))
    assert (start_s, grey) == pytest.approx((0, 3), abs=0.2)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_an_excerpt_of_large_frames_holds_the_same_moments(suffix: str, tmp_path: Path) -> None:
    """Frames above 720p are decoded by two threads, which changes no frame and no time."""
    path = write_video(tmp_path / f"v.{suffix}", 3.0, size=(1312, 736), codec="mpeg4" if suffix == "avi" else None)
    made = excerpt(path, 1, 2)
    found, whole = shown(made), sorted(shown(path))
    begins_s = whole[0][0]  # of MPEG-TS, late
    expected = [(at_s - begins_s - 1, grey) for at_s, grey in whole if 1 <= round(at_s - begins_s, 3) < 2]
    assert np.array(found[:25]) == pytest.approx(np.array(expected), abs=0.15)  # both are encoded coarsely
    assert np.array(found)[:25, 0] == pytest.approx(np.arange(25) / 25, abs=0.002)
    assert facts(made)["size"] == (1280, 718)
