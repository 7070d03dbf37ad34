"""Write frames and sound as an MP4 that every browser plays: H.264 and AAC, with its index in front."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from heapq import merge
from itertools import chain
from pathlib import Path

import av
import numpy as np
import soxr
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from jaxtyping import Float32, UInt8

from model.media.frames import BT709_MATRIX
from model.media.segments import SoundBlock

Frame = tuple[float, UInt8[np.ndarray, "height width 3"]]
CLOCK_HZ = 90_000
KEY_FRAMES = 60  # a player that seeks decodes at most so many frames
HOLD_S = 0.04  # the last frame is shown again so long before the end, so that the picture lasts as long
LAYOUTS = {1: "mono", 2: "stereo"}
AAC_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
OTHER_RATES_HZ = 48_000
OPTIONS = {"crf": "22", "preset": "superfast", "profile": "high"}


def write_timed_mp4(path: Path, frames: Iterator[Frame], blocks: Iterator[SoundBlock], length_s: float) -> None:
    """Write frames, each with the time at which it is first shown, and mono or stereo sound, which may be none.

    The picture has the size of the first frame, without odd rows and columns, and stays on show to the end.
    """
    first_frame, first_block = next(frames), next(blocks, None)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        picture = _Picture(container, first_frame[1])
        sound = _Sound(container, first_block) if first_block is not None else None
        held = _held_to_the_end(chain([first_frame], frames), length_s)
        pictures = ((at_s, 0, pixels) for at_s, pixels in held)
        sounds = ((block.start_s, 1, block) for block in chain([first_block] if first_block else [], blocks))
        for at_s, _, item in merge(pictures, sounds, key=lambda event: event[:2]):
            if isinstance(item, SoundBlock):
                assert sound is not None
                sound.add(item)
            else:
                assert isinstance(item, np.ndarray)
                picture.add(at_s, item)
        picture.end()
        if sound is not None:
            sound.end()


def write_mp4(
    path: Path,
    frames: UInt8[np.ndarray, "n height width 3"],
    frame_rate_hz: float,
    sound: Float32[np.ndarray, "samples"] | None,
    sample_rate_hz: int,
) -> None:
    """Write RGB frames (even sides) and mono sound as H.264 and AAC, ready to be streamed."""
    height, width = frames.shape[1:3]
    assert (height % 2, width % 2) == (0, 0), f"yuv420p needs even sides, got {width} x {height}"
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        rate = Fraction(frame_rate_hz).limit_denominator(1001)
        video = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "superfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=sample_rate_hz, layout="mono") if sound is not None else None
        for pixels in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())
        if audio is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[np.newaxis], format="fltp", layout="mono")
            frame.sample_rate = sample_rate_hz
            frame.pts = 0
            container.mux(audio.encode(frame))
            container.mux(audio.encode())


class _Picture:
    def __init__(self, container: OutputContainer, first: UInt8[np.ndarray, "height width 3"]) -> None:
        self._container = container
        self._stream: VideoStream = container.add_stream("libx264", rate=30, options=OPTIONS)
        height, width = first.shape[:2]
        self._stream.width, self._stream.height, self._stream.pix_fmt = width & ~1, height & ~1, "yuv420p"
        context = self._stream.codec_context
        context.time_base, context.gop_size = Fraction(1, CLOCK_HZ), KEY_FRAMES
        context.colorspace = context.color_primaries = context.color_trc = BT709_MATRIX
        context.color_range = 1  # of a screen: 16 to 235

    def add(self, at_s: float, pixels: UInt8[np.ndarray, "height width 3"]) -> None:
        height, width = self._stream.height, self._stream.width
        if pixels.shape[0] - height not in (0, 1) or pixels.shape[1] - width not in (0, 1):  # it changed midway
            whole = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            pixels = whole.reformat(width, height).to_ndarray()
        even = np.ascontiguousarray(pixels[:height, :width])
        frame = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(format="yuv420p", dst_colorspace=BT709_MATRIX)
        frame.pts, frame.time_base = round(at_s * CLOCK_HZ), Fraction(1, CLOCK_HZ)
        self._container.mux(self._stream.encode(frame))

    def end(self) -> None:
        self._container.mux(self._stream.encode())


class _Sound:
    def __init__(self, container: OutputContainer, first: SoundBlock) -> None:
        self._container, self._samples = container, 0
        self._rate_hz = first.sample_rate_hz if first.sample_rate_hz in AAC_RATES_HZ else OTHER_RATES_HZ
        self._channels = 1 if first.samples.ndim == 1 else len(first.samples)
        self._stream: AudioStream = container.add_stream(
            "aac", rate=self._rate_hz, layout=LAYOUTS[self._channels], options={"b": "160k"}
        )

    def add(self, block: SoundBlock) -> None:
        samples = as_channels(block, self._channels, self._rate_hz)
        if samples.shape[1] == 0:
            return
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(np.clip(samples, -1, 1)), format="fltp", layout=LAYOUTS[self._channels]
        )
        frame.sample_rate, frame.pts, frame.time_base = self._rate_hz, self._samples, Fraction(1, self._rate_hz)
        self._samples += samples.shape[1]
        self._container.mux(self._stream.encode(frame))

    def end(self) -> None:
        self._container.mux(self._stream.encode())


def as_channels(block: SoundBlock, channels: int, rate_hz: int) -> Float32[np.ndarray, "channels samples"]:
    """Return a block in so many channels and at this rate, whatever it has: a sound may change midway."""
    samples = np.atleast_2d(block.samples)
    if len(samples) != channels:
        samples = np.repeat(samples.mean(axis=0, keepdims=True, dtype=np.float32), channels, axis=0)
    if block.sample_rate_hz != rate_hz:
        samples = np.asarray(soxr.resample(samples.T, block.sample_rate_hz, rate_hz), np.float32).T
    return samples


def _held_to_the_end(frames: Iterator[Frame], length_s: float) -> Iterator[Frame]:
    last: Frame | None = None
    for last in frames:
        yield last
    if last is not None and last[0] < length_s - 2 * HOLD_S:
        yield length_s - HOLD_S, last[1]
