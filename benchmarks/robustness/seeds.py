"""Small media in many formats, from which broken ones are made."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from model.synthesis.clips import generate_clip

FRAME_RATE_HZ = 10
SIDE_PX = 128
VIDEO_FORMATS = {  # suffix: (muxer, picture codec, sound codec, sample rate in Hz)
    "mp4": ("mp4", "libx264", "aac", 44_100),
    "mov": ("mov", "mjpeg", "pcm_s16le", 16_000),
    "mkv": ("matroska", "libx264", "flac", 48_000),
    "webm": ("webm", "libvpx-vp9", "libopus", 48_000),
    "avi": ("avi", "mpeg4", "libmp3lame", 44_100),
    "ts": ("mpegts", "mpeg2video", "mp2", 44_100),
    "wmv": ("asf", "wmv2", "wmav2", 44_100),
}
SOUND_FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
}
PICTURE_FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "bmp": "BMP", "tiff": "TIFF"}
NO_MEDIA = (".csv", ".json", ".md", ".txt")
ANIMATION_FORMATS = {"gif": "GIF", "apng": "PNG", "webp": "WEBP"}


@dataclass(frozen=True)
class Seed:
    """Hold a whole file."""

    name: str
    content: bytes

    @property
    def format(self) -> str:
        """Return the suffix."""
        return self.name.rpartition(".")[2]


def make_seeds(first_seed: int, of_each: int = 2, seconds: int = 3) -> list[Seed]:
    """Return whole files of every format that can be written here, `of_each` different ones of each."""
    makers: list[tuple[str, Callable[[np.ndarray, np.ndarray, int], bytes]]]
    makers = [(suffix, partial(_sound, *kind)) for suffix, kind in SOUND_FORMATS.items()]
    makers += [(suffix, partial(_video, *codecs)) for suffix, codecs in VIDEO_FORMATS.items()]
    makers += [(suffix, partial(_picture, kind)) for suffix, kind in PICTURE_FORMATS.items()]
    makers += [(suffix, partial(_animation, kind)) for suffix, kind in ANIMATION_FORMATS.items()]
    seeds = []
    for number in range(of_each):
        clip = generate_clip(first_seed + number)
        shown = clip.frames[: seconds * FRAME_RATE_HZ, :SIDE_PX, :SIDE_PX]
        frames = np.stack([np.roll(frame, 2 * at, axis=1) for at, frame in enumerate(shown)])  # no two are the same
        sound = (0.9 * clip.sound[: seconds * clip.sample_rate_hz]).astype(np.float32)
        sound += np.float32(0.01) * np.sin(np.arange(len(sound), dtype=np.float32))  # no second is silent
        for which, (suffix, make) in enumerate(makers):
            seeds.append(Seed(f"{number}-{which}.{suffix}", make(frames, sound, clip.sample_rate_hz)))
    return seeds


def read_seeds(directory: Path, most_bytes: int) -> list[Seed]:
    """Return the media of a directory that are no larger than that, in the order of their names."""
    files = [file for file in sorted(directory.iterdir()) if file.is_file() and file.suffix not in NO_MEDIA]
    files = [file for file in files if file.stat().st_size <= most_bytes]
    return [Seed(file.name, file.read_bytes()) for file in files]


def _sound(kind: str, subtype: str, _: np.ndarray, sound: np.ndarray, sample_rate_hz: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound, -1, 1), sample_rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def _picture(kind: str, frames: np.ndarray, *_: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frames[len(frames) // 2]).save(file, kind)
    return file.getvalue()


def _animation(kind: str, frames: np.ndarray, *_: object) -> bytes:
    file = io.BytesIO()
    first, *others = [Image.fromarray(frame) for frame in frames[::5]]
    first.save(file, kind, save_all=True, append_images=others, duration=500)
    return file.getvalue()


def _video(
    muxer: str,
    picture_codec: str,
    sound_codec: str,
    rate_hz: int,
    frames: np.ndarray,
    sound: np.ndarray,
    sample_rate_hz: int,
) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        # MPEG-2 knows no rate as low as 10 Hz
        video = container.add_stream(picture_codec, rate=25 if muxer == "mpegts" else FRAME_RATE_HZ)
        assert isinstance(video, av.VideoStream)
        video.width = video.height = SIDE_PX
        video.pix_fmt = "yuvj420p" if picture_codec == "mjpeg" else "yuv420p"
        audio = container.add_stream(sound_codec, rate=rate_hz, layout="mono")
        assert isinstance(audio, av.AudioStream)
        audio.bit_rate = 64_000
        shown = frames[np.arange(len(frames) * 5 // 2) * 2 // 5] if muxer == "mpegts" else frames
        for pixels in shown:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())
        for frame in _sound_frames(audio, sound, sample_rate_hz, rate_hz):
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return file.getvalue()


def _sound_frames(audio: av.AudioStream, sound: np.ndarray, sample_rate_hz: int, rate_hz: int) -> list[av.AudioFrame]:
    """Return the sound in frames as the codec takes them."""
    frame = av.AudioFrame.from_ndarray(sound[np.newaxis], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = sample_rate_hz, 0, Fraction(1, sample_rate_hz)
    context = audio.codec_context
    context.open(strict=False)
    resampler = av.AudioResampler(context.format, "mono", rate_hz, frame_size=context.frame_size or 1024)
    return [*resampler.resample(frame), *resampler.resample(None)]
