"""Forty kinds of film and sound, made by PyAV: each second has the sound, the picture and the moment of the truth.

A small sister of `python -m benchmarks.media_matrix`, which needs the ffmpeg command and makes hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av.codec
import numpy as np
import pytest
from track_samples import PictureTrack, SoundTrack, write_tracks

from benchmarks.media_matrix.comparison import level_db
from benchmarks.media_matrix.truth import (
    COLOURS,
    colour_of,
    frame_at,
    place_of_picture,
    place_of_sound,
    small,
    sound_at,
)
from model.media.medium import FOOTAGE, open_medium
from model.media.segments import Segment

SECONDS = 3
LEVEL_DB = 20 * np.log10(0.4 / np.sqrt(2))

PICTURES = {  # name: (encoder, pixel format, options)
    "h264": ("libx264", "yuv420p", {"preset": "ultrafast"}),
    "h264b": ("libx264", "yuv420p", {"preset": "veryfast", "bf": "3"}),
    "h264-422": ("libx264", "yuv422p10le", {"preset": "ultrafast"}),
    "h264-full": ("libx264", "yuvj420p", {"preset": "ultrafast"}),
    "hevc": ("libx265", "yuv420p", {"preset": "ultrafast", "x265-params": "log-level=none:pools=none"}),
    "mpeg1": ("mpeg1video", "yuv420p", {"b": "1000000"}),
    "mpeg2": ("mpeg2video", "yuv420p", {"b": "1000000", "bf": "2"}),
    "mpeg4": ("mpeg4", "yuv420p", {"b": "1000000"}),
    "vp8": ("libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8", "b": "500000"}),
    "vp9": ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8", "b": "500000"}),
    "mjpeg": ("mjpeg", "yuvj420p", {"b": "2000000"}),
    "prores": ("prores_ks", "yuv422p10le", {}),
    "ffv1": ("ffv1", "yuv444p", {}),
    "ffv1-rgb": ("ffv1", "bgr0", {}),
    "wmv2": ("wmv2", "yuv420p", {"b": "1000000"}),
    "flv1": ("flv", "yuv420p", {"b": "1000000"}),
    "raw": ("rawvideo", "yuv420p", {}),
}
SOUNDS = {  # name: (encoder, sample format, sample rate)
    "aac": ("aac", "fltp", 44_100),
    "mp3": ("libmp3lame", "fltp", 48_000),
    "mp2": ("mp2", "s16", 48_000),
    "ac3": ("ac3", "fltp", 48_000),
    "opus": ("libopus", "flt", 48_000),
    "flac": ("flac", "s16", 48_000),
    "alac": ("alac", "s16p", 44_100),
    "s16": ("pcm_s16le", "s16", 48_000),
    "s16be": ("pcm_s16be", "s16", 48_000),
    "s24": ("pcm_s24le", "s32", 48_000),
    "f32": ("pcm_f32le", "flt", 32_000),
    "mulaw": ("pcm_mulaw", "s16", 8_000),
    "adpcm": ("adpcm_ms", "s16", 22_050),
    "wmav2": ("wmav2", "fltp", 44_100),
}
MUXERS = {
    "mkv": "matroska",
    "ts": "mpegts",
    "mpg": "mpeg",
    "wmv": "asf",
    "m4a": "ipod",
    "mka": "matroska",
    "wma": "asf",
}
MUXERS |= {"m2ts": "mpegts", "aac": "adts"}


@dataclass(frozen=True)
class Made:
    """Hold one combination; the late track lacks its first part, and what is there is in step with the other."""

    suffix: str
    picture: str | None = None
    sound: str | None = None
    rate_hz: Fraction = Fraction(25)
    picture_start_s: float = 0.0
    sound_start_s: float = 0.0
    layout: str = "mono"
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [self.suffix, self.picture, self.sound, *self.options.values()]
        parts += ["" if self.rate_hz == 25 else f"{float(self.rate_hz):.5g}-hz", self.layout.replace("mono", "")]
        parts += [f"picture-at-{self.picture_start_s}" if self.picture_start_s else ""]
        parts += [f"sound-at-{self.sound_start_s}" if self.sound_start_s else ""]
        return "-".join(part for part in parts if part)

    def write(self, directory: Path) -> Path:
        """Write it."""
        picture, sound = None, None
        if self.picture:
            codec, pixel_format, options = PICTURES[self.picture]
            start_s = self.picture_start_s
            picture = PictureTrack(codec, picture_at, pixel_format, self.rate_hz, start_s, options)
        if self.sound:
            codec, sample_format, rate_hz = SOUNDS[self.sound]
            channels = av.AudioLayout(self.layout).nb_channels
            samples = np.repeat(sound_at(rate_hz, SECONDS)[:, np.newaxis], channels, axis=1)
            start_s, bit_rate = self.sound_start_s, {"b": str(64_000 * (1 + channels))}
            sound = SoundTrack(codec, samples, rate_hz, self.layout, sample_format, start_s, bit_rate)
        path = directory / f"made.{self.suffix}"
        return write_tracks(path, MUXERS.get(self.suffix, self.suffix), SECONDS, picture, sound, **self.options)


def picture_at(time_s: float) -> np.ndarray:
    return frame_at(Fraction(time_s).limit_denominator(30_000))


MADE = (
    Made("mp4", "h264b", "aac"),
    Made("mp4", "hevc", "mp3"),
    Made("mp4", "mpeg4", "alac"),
    Made("mov", "prores", "s16"),
    Made("mov", "mjpeg", "s24"),
    Made("mov", "h264", "s16be", Fraction(30_000, 1001)),
    Made("mkv", "h264-422", "flac"),
    Made("mkv", "ffv1", "f32"),
    Made("mkv", "ffv1-rgb", "s16", Fraction(12)),
    Made("mkv", "mpeg2", "ac3"),
    Made("webm", "vp8", "opus", Fraction(30)),
    Made("webm", "vp9", "opus"),
    Made("avi", "mpeg4", "mp3"),
    Made("avi", "mjpeg", "s16"),
    Made("avi", "raw", "adpcm"),
    Made("ts", "h264b", "aac"),
    Made("ts", "mpeg2", "mp2"),
    Made("m2ts", "h264b", "ac3", options={"mpegts_m2ts_mode": "1"}),
    Made("mpg", "mpeg1", "mp2"),
    Made("flv", "flv1", "mp3"),
    Made("wmv", "wmv2", "wmav2"),
    Made("nut", "h264-full", "flac"),
    Made("mxf", "mpeg2", "s16"),
    Made("mp4", "h264b", "aac", Fraction(50)),
    Made("mp4", "h264", "aac", layout="5.1"),
    Made("mp4", "h264b", "aac", sound_start_s=1.2),
    Made("mkv", "h264b", "opus", sound_start_s=0.32),
    Made("mov", "h264", "s16", picture_start_s=0.32),
    Made("ts", "h264b", "ac3", picture_start_s=1.0),
    Made("mkv", "h264", "aac", options={"output_ts_offset": "10"}),
    Made("ts", "h264b", "aac", options={"output_ts_offset": "10"}),
    Made("ts", "mpeg2", "mp2", options={"output_ts_offset": "95440"}),
    Made("mp4", "h264", "aac", options={"movflags": "frag_keyframe+empty_moov"}),
    Made("mkv", "vp8"),
    Made("m4a", sound="aac", layout="stereo"),
    Made("mka", sound="f32", layout="7.1"),
    Made("ogg", sound="opus"),
    Made("wav", sound="mulaw"),
    Made("wma", sound="wmav2"),
    Made("aac", sound="aac"),
    Made("ac3", sound="ac3"),
)


@pytest.mark.parametrize("made", MADE, ids=str)
def test_each_second_is_that_of_the_truth(made: Made, tmp_path: Path) -> None:
    """The tone, its level, the colour and the moment of both are those that were written."""
    needed = [PICTURES[made.picture][0]] if made.picture else []
    needed += [SOUNDS[made.sound][0]] if made.sound else []
    if missing := [codec for codec in needed if codec not in av.codec.codecs_available]:
        pytest.skip(f"this PyAV has no encoder {missing[0]}")
    segments = list(open_medium(made.write(tmp_path), FOOTAGE).segments())
    assert [segment.start_s for segment in segments] == list(range(SECONDS))
    for segment in segments:
        assert (segment.lost_s, segment.sound_whole, segment.frame_whole) == (0.0, True, True)
        check_second(segment, made)


def check_second(segment: Segment, made: Made) -> None:
    number, sound_s, picture_s = segment.start_s, None, None
    assert (segment.sound is not None) == (made.sound is not None and made.sound_start_s < number + 1)
    assert (segment.frame is not None) == (made.picture is not None and made.picture_start_s < number + 1)
    if segment.sound is not None:
        sound_s = place_of_sound(segment.sound)
        assert sound_s == pytest.approx(number, abs=0.05)  # ADTS and the like do not tell an encoder's delay
        if number >= made.sound_start_s and number < SECONDS - 1:
            assert level_db(segment.sound) == pytest.approx(LEVEL_DB, abs=1.0)
    if segment.frame is not None:
        seen = small(segment.frame)
        assert np.abs(colour_of(seen) - COLOURS[number]).max() < 12
        picture_s = place_of_picture(seen)
        nearest_s = max(number + 0.5, made.picture_start_s)
        assert picture_s == pytest.approx(nearest_s, abs=0.5 / float(made.rate_hz) + 0.045)
    if sound_s is not None and picture_s is not None and made.picture_start_s < number + 0.5:
        assert picture_s - sound_s - 0.5 == pytest.approx(0, abs=0.5 / float(made.rate_hz) + 0.045)
