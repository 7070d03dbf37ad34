"""Write a picture and a sound track of any codec into any container, with PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer

BLOCK_SAMPLES = 1024
PCM_DTYPES = {"s16": np.int16, "s16p": np.int16, "s32": np.int32, "s32p": np.int32}


@dataclass(frozen=True)
class PictureTrack:
    """Hold how a picture track is made; `frame_at` gives the RGB frame of a time on the recording's clock."""

    codec: str
    frame_at: Callable[[float], np.ndarray]
    pixel_format: str = "yuv420p"
    rate_hz: Fraction = Fraction(25)
    start_s: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SoundTrack:
    """Hold how a sound track is made of (samples, channels) in [-1, 1]; the part before `start_s` is left out."""

    codec: str
    samples: np.ndarray
    rate_hz: int
    layout: str = "mono"
    sample_format: str = "fltp"
    start_s: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)


def write_tracks(
    path: Path,
    muxer: str,
    seconds: float,
    picture: PictureTrack | None = None,
    sound: SoundTrack | None = None,
    **options: str,
) -> Path:
    """Write the tracks into a container, interleaved by time."""
    with av.open(str(path), "w", format=muxer, options=options) as container:
        streams: list[Iterator[av.Packet]] = []
        if picture is not None:
            streams.append(_picture_packets(container, picture, seconds))
        if sound is not None:
            streams.append(_sound_packets(container, sound))
        for packet in _by_time(streams):
            container.mux(packet)
    return path


def _by_time(streams: list[Iterator[av.Packet]]) -> Iterator[av.Packet]:
    """Yield the packets in the order of their times: some muxers write them as they come."""
    packets = [packet for packet in chain.from_iterable(streams) if packet.dts is not None]
    return iter(sorted(packets, key=lambda packet: packet.dts * packet.time_base))


def _picture_packets(container: OutputContainer, track: PictureTrack, seconds: float) -> Iterator[av.Packet]:
    stream = container.add_stream(track.codec, rate=track.rate_hz, options=dict(track.options))
    height, width = track.frame_at(0.0).shape[:2]
    stream.width, stream.height, stream.pix_fmt, stream.thread_count = width, height, track.pixel_format, 1
    return _encoded_frames(stream, track, seconds)


def _encoded_frames(stream: av.VideoStream, track: PictureTrack, seconds: float) -> Iterator[av.Packet]:
    for number in range(round(track.start_s * track.rate_hz), round(seconds * track.rate_hz)):
        frame = av.VideoFrame.from_ndarray(track.frame_at(float(number / track.rate_hz)), format="rgb24")
        frame.pts, frame.time_base = number, 1 / track.rate_hz
        yield from stream.encode(frame.reformat(format=track.pixel_format))
    yield from stream.encode()


def _sound_packets(container: OutputContainer, track: SoundTrack) -> Iterator[av.Packet]:
    stream = container.add_stream(track.codec, rate=track.rate_hz, layout=track.layout, options=dict(track.options))
    stream.format = track.sample_format
    return _encoded_sound(stream, track)


def _encoded_sound(stream: av.AudioStream, track: SoundTrack) -> Iterator[av.Packet]:
    samples = np.atleast_2d(track.samples.T).astype(np.float32)
    if track.sample_format in PCM_DTYPES:
        kind = PCM_DTYPES[track.sample_format]
        samples = np.clip(samples.astype(np.float64) * -float(np.iinfo(kind).min), *_range(kind)).astype(kind)
    for start in range(round(track.start_s * track.rate_hz), samples.shape[1], BLOCK_SAMPLES):
        block = samples[:, start : start + BLOCK_SAMPLES]
        packed = block if track.sample_format.endswith("p") else block.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), track.sample_format, track.layout)
        frame.sample_rate, frame.pts, frame.time_base = track.rate_hz, start, Fraction(1, track.rate_hz)
        yield from stream.encode(frame)
    yield from stream.encode()


def _range(kind: type[np.signedinteger]) -> tuple[int, int]:
    return int(np.iinfo(kind).min), int(np.iinfo(kind).max)
