"""Write small media of every format that the tests read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from av.stream import Disposition
from PIL import Image

VIDEO_CODECS = {  # container: (picture, sound, sample rate that the sound codec takes)
    "mp4": ("libx264", "aac", 44100),
    "mov": ("libx264", "aac", 48000),
    "mkv": ("libx264", "flac", 48000),
    "webm": ("libvpx", "libopus", 48000),
    "avi": ("mpeg4", "libmp3lame", 44100),
    "ts": ("libx264", "aac", 48000),
    "flv": ("libx264", "aac", 44100),
}
MUXERS = {"mkv": "matroska", "m4a": "ipod", "ts": "mpegts"}
SOUND_SUBTYPES = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III")}
SOUND_SUBTYPES |= {"ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS")}


def tone(length_s: float, sample_rate_hz: int = 16000, frequency_hz: float = 440.0) -> np.ndarray:
    """Return a sine of amplitude 0.5, float32 (samples,)."""
    time_s = np.arange(round(length_s * sample_rate_hz)) / sample_rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def second_hz(second: int) -> float:
    """Return the frequency that codes a second: 400, 500, 600, ... Hz."""
    return 400.0 + 100.0 * second


def stepped_tone(length_s: float, sample_rate_hz: int = 16000) -> np.ndarray:
    """Return a sound whose frequency codes its second (`second_hz`), float32 (samples,)."""
    time_s = np.arange(round(length_s * sample_rate_hz)) / sample_rate_hz
    return (0.5 * np.sin(2 * np.pi * second_hz(np.floor(time_s)) * time_s)).astype(np.float32)


def grey_at(time_s: float) -> int:
    """Return the brightness that codes a time: 25 a second from 20 on."""
    return round(20 + 25 * time_s) % 256


def grey_frame(time_s: float, width: int = 64, height: int = 48) -> np.ndarray:
    """Return a frame of one grey that codes its time, uint8 (height, width, 3)."""
    return np.full((height, width, 3), grey_at(time_s), np.uint8)


def write_video(
    path: Path,
    seconds: float = 3.0,
    sound: bool = True,
    *,
    frame_rate_hz: int = 25,
    picture_start_s: float = 0.0,
    sound_start_s: float = 0.0,
    rotation_degrees: float | None = None,
    display_matrix: list[int] | None = None,
    pixel_ratio: Fraction | None = None,
    pixel_format: str = "yuv420p",
    codec: str | None = None,
    size: tuple[int, int] = (64, 48),
    frame_at: Callable[[float], np.ndarray] | None = None,
    samples: np.ndarray | None = None,
) -> Path:
    """Write a video in the format that the suffix names; both tracks end at `seconds`.

    Brightness codes the time (`grey_at`) and frequency the second (`stepped_tone`) unless given otherwise.
    """
    suffix = path.suffix[1:]
    picture_codec, sound_codec, sample_rate_hz = VIDEO_CODECS[suffix]
    with av.open(str(path), "w", format=MUXERS.get(suffix, suffix)) as container:
        video = container.add_stream(codec or picture_codec, rate=frame_rate_hz)
        video.width, video.height, video.pix_fmt = *size, pixel_format
        if rotation_degrees is not None:
            video.set_display_rotation(rotation_degrees)
        if display_matrix is not None:
            video.set_display_matrix(display_matrix)
        if pixel_ratio is not None:
            video.sample_aspect_ratio = pixel_ratio
        audio = container.add_stream(sound_codec, rate=sample_rate_hz, layout="mono") if sound else None
        for number in range(round(picture_start_s * frame_rate_hz), round(seconds * frame_rate_hz)):
            time_s = number / frame_rate_hz
            pixels = frame_at(time_s) if frame_at else grey_frame(time_s, *size)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, frame_rate_hz)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            if samples is None:
                samples = stepped_tone(seconds, sample_rate_hz)
            _encode_sound(container, audio, samples, sample_rate_hz, sound_start_s)
    return path


def restamped(
    path: Path,
    target: Path,
    moved: Callable[[str, float], float],
    options: dict[str, str] | None = None,
    leave: Callable[[str, float], bool] = lambda kind, time_s: False,
) -> Path:
    """Copy a video's packets with other stamps: `moved` gives the new time of ("video" or "audio", time_s).

    The packets keep the order of their old times; those that `leave` names are left out.
    """
    suffix = target.suffix[1:]
    muxing = {"format": MUXERS.get(suffix, suffix), "options": options or {}}
    with av.open(str(path)) as source, av.open(str(target), "w", **muxing) as copy:
        tracks = {track.index: copy.add_stream_from_template(track) for track in source.streams}
        packets = [packet for packet in source.demux() if packet.dts is not None]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            kind, base = packet.stream.type, packet.time_base
            time_s = float(packet.pts * base)
            if leave(kind, time_s):
                continue
            ticks = round((moved(kind, time_s) - time_s) / base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            packet.stream = tracks[packet.stream.index]
            copy.mux_one(packet)
    return target


def write_sound(
    path: Path, samples: np.ndarray | None = None, sample_rate_hz: int = 48000, subtype: str | None = None
) -> Path:
    """Write sound, (samples,) or (samples, channels), in the format that the suffix names."""
    if samples is None:
        samples = stepped_tone(3.0, sample_rate_hz)
    suffix = path.suffix[1:]
    if suffix == "m4a":
        with av.open(str(path), "w", format=MUXERS[suffix]) as container:
            stream = container.add_stream("aac", rate=sample_rate_hz, layout="mono")
            _encode_sound(container, stream, samples, sample_rate_hz, 0.0)
    else:
        kind, usual_subtype = SOUND_SUBTYPES[suffix]
        soundfile.write(path, samples, sample_rate_hz, format=kind, subtype=subtype or usual_subtype)
    return path


def write_channels(path: Path, channels: np.ndarray, layout: str, codec: str, sample_rate_hz: int = 48000) -> Path:
    """Write (channels, samples) as the one sound track of a container, in the format that the suffix names."""
    suffix = path.suffix[1:]
    with av.open(str(path), "w", format=MUXERS.get(suffix, suffix)) as container:
        stream = container.add_stream(codec, rate=sample_rate_hz, layout=layout)
        resampler = av.AudioResampler(stream.codec_context.format, layout, sample_rate_hz, 1024)
        for start in range(0, channels.shape[1], 1024):
            block = channels[:, start : start + 1024].astype(np.float32)
            # Packed: PyAV reads past the end of eight planes.
            frame = av.AudioFrame.from_ndarray(block.T.reshape(1, -1).copy(), format="flt", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = sample_rate_hz, start, Fraction(1, sample_rate_hz)
            for resampled in resampler.resample(frame):
                container.mux(stream.encode(resampled))
        for resampled in resampler.resample(None):
            if resampled is not None:
                container.mux(stream.encode(resampled))
        container.mux(stream.encode())
    return path


def write_tracks(path: Path, dispositions: Sequence[Disposition], muxer: str = "matroska", seconds: int = 2) -> Path:
    """Write a video whose sound tracks are tones of 500, 1000, 1500, ... Hz."""
    with av.open(str(path), "w", format=muxer) as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        tracks = [container.add_stream("aac", rate=48000, layout="mono") for _ in dispositions]
        for track, disposition in zip(tracks, dispositions, strict=True):
            track.disposition = disposition
        for number in range(25 * seconds):
            frame = av.VideoFrame.from_ndarray(grey_frame(number / 25), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for number, track in enumerate(tracks, 1):
            for start in range(0, 48000 * seconds, 1024):
                block = tone(seconds, 48000, 500 * number)[np.newaxis, start : start + 1024]
                sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="mono")
                sound.sample_rate, sound.pts = 48000, start
                container.mux(track.encode(sound))
            container.mux(track.encode())
    return path


def write_picture(path: Path, pixels: np.ndarray | None = None, **options: object) -> Path:
    """Write a still picture in the format that the suffix names."""
    Image.fromarray(gradient() if pixels is None else pixels).save(path, **options)
    return path


def write_animation(path: Path, greys: list[int], frame_ms: int, **options: object) -> Path:
    """Write an animated GIF, WebP or PNG of one grey a frame."""
    frames = [Image.fromarray(np.full((48, 64, 3), grey, np.uint8)) for grey in greys]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=frame_ms, **options)
    return path


def gradient(width: int = 64, height: int = 48) -> np.ndarray:
    """Return a picture whose red grows to the right and whose green grows downwards, uint8 (h, w, 3)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, np.newaxis]
    return pixels


def loudest_hz(sound: np.ndarray, sample_rate_hz: int = 16000) -> float:
    """Return the frequency of the strongest line of a sound's spectrum."""
    return float(np.argmax(np.abs(np.fft.rfft(sound))) * sample_rate_hz / len(sound))


def _encode_sound(
    container: av.container.OutputContainer,
    stream: av.AudioStream,
    samples: np.ndarray,
    sample_rate_hz: int,
    start_s: float,
) -> None:
    first = round(start_s * sample_rate_hz)
    # In blocks: a variable-size encoder such as FLAC takes no frame of any length.
    for start in range(first, len(samples), 1024):
        block = samples[start : start + 1024].astype(np.float32)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate_hz, start, Fraction(1, sample_rate_hz)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
