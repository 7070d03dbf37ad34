"""The door to FFmpeg (PyAV): read the tracks of a container, write an MP4, and turn its errors into ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import floor
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream
from jaxtyping import Float32, UInt8

from model.errors import Damaged, MediaError, NotAMedium, TooLarge
from model.media.frames import Presentation
from model.media.segments import LONGEST_JITTER_S, TIE_S, SoundBlock, TimedFrame

# Only demuxers that read one local file: a playlist (HLS, concat) must never make the service open another.
DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dhav,dv,eac3,flac,flv,gif,ivf,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,tta,voc,w64,wav,wv"
)
MAGIC = (  # (offset, bytes) of files that are media even if FFmpeg cannot open them
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (0, b"\x1aE\xdf\xa3"),
    (0, b"RIFF"),
    (0, b"OggS"),
    (0, b"fLaC"),
    (0, b"ID3"),
    (0, b"FORM"),
)
PACKETS_AHEAD = 30
SOUND_BLOCK_S = 0.5
FALLBACK_FRAME_S = 0.04  # the duration of a frame whose container declares neither duration nor rate


@dataclass(frozen=True)
class Tracks:
    """Hold what a container declares about itself; None where it does not say."""

    format_name: str
    sound_codec: str | None
    picture_codec: str | None
    width: int
    height: int
    duration_s: float | None


def probe(path: Path) -> Tracks:
    """Read the head of a container. Raises NotAMedium, Damaged."""
    with _opened(path) as container:
        sound, picture = _sound_stream(container), _picture_stream(container)
        return Tracks(
            format_name=container.format.name,
            sound_codec=sound.codec_context.name if sound else None,
            picture_codec=picture.codec_context.name if picture else None,
            width=picture.codec_context.width if picture else 0,
            height=picture.codec_context.height if picture else 0,
            duration_s=container.duration / av.time_base if container.duration else None,
        )


def read_sound(path: Path) -> Iterator[SoundBlock]:
    """Yield the sound track, mean of its channels, at its native rate, timed from the container's start.

    Raises NotAMedium, Damaged.
    """
    with _opened(path) as container:
        stream = _sound_stream(container)
        if stream is None:
            return
        _skip_others(container, stream)
        origin_s, block_s, next_s = _origin_s(container), 0.0, 0.0
        frames: list[av.AudioFrame] = []
        for frame in container.decode(stream):
            start_s = frame.time - origin_s if frame.time is not None else next_s
            if frames and not _continues(frames, frame, start_s - next_s):
                yield SoundBlock(block_s, frames[0].sample_rate, _mono(frames))
                frames = []
            if not frames:
                block_s = next_s = start_s
            frames.append(frame)
            next_s += frame.samples / frame.sample_rate
        if frames:
            yield SoundBlock(block_s, frames[0].sample_rate, _mono(frames))


def read_frames(path: Path, most_pixels: int) -> Iterator[TimedFrame]:
    """Yield the picture track's frames, timed from the container's start, not converted yet.

    Raises NotAMedium, Damaged, TooLarge.
    """
    with _opened(path) as container:
        stream = _picture_stream(container)
        if stream is None:
            return
        _skip_others(container, stream)
        # One thread: a second one takes 5 to 30 % more processor time, which slows concurrent requests down, and
        # makes a single request faster only at 720p and above.
        stream.thread_type, stream.thread_count = "NONE", 1
        stream.codec_context.options = {"max_pixels": str(most_pixels)}
        presentation = Presentation(stream, most_pixels)
        origin_s, next_s = _origin_s(container), 0.0
        usual_s = float(1 / stream.average_rate) if stream.average_rate else FALLBACK_FRAME_S
        for frame in _decode_frames(container, stream, origin_s):
            if frame.width * frame.height > most_pixels:
                raise TooLarge(
                    f"{path.name} holds a frame of {frame.width} x {frame.height}; at most {most_pixels} "
                    "pixels are accepted. Send it scaled down."
                )
            start_s = frame.time - origin_s if frame.time is not None else next_s
            lasts_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
            next_s = start_s + lasts_s
            yield TimedFrame(start_s, next_s, presentation.of(frame))


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
        video = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "medium"})
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


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    try:
        container = av.open(f"file:{path}", options={"format_whitelist": DEMUXERS})
    except (av.error.FFmpegError, ValueError) as error:
        raise _not_opened(path, error) from error
    with container:
        try:
            yield container
        except (av.error.FFmpegError, ValueError, MemoryError, LookupError) as error:  # a track that appears midway
            raise Damaged(
                f"{path.name} was recognised, but its data cannot be decoded to the end ({_reason(error)}). "
                "Copy or export the file again."
            ) from error


def _not_opened(path: Path, error: Exception) -> MediaError:
    with path.open("rb") as file:
        head = file.read(12)
    if any(head[at:].startswith(magic) for at, magic in MAGIC):
        return Damaged(
            f"{path.name} begins like a media file but has no usable index ({_reason(error)}): it was cut "
            "short or its recording never finished. Copy or export the whole file again."
        )
    return NotAMedium(
        f"{path.name} is no sound, picture or video that any decoder here recognises ({_reason(error)}). "
        "Send a common format such as MP4, WebM, WAV, MP3, PNG or JPEG."
    )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)  # without the path, which is no client's business


def _sound_stream(container: InputContainer) -> AudioStream | None:
    decodable = (stream for stream in container.streams.audio if stream.codec_context is not None)
    return next(decodable, None)


def _picture_stream(container: InputContainer) -> VideoStream | None:
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def _skip_others(container: InputContainer, wanted: AudioStream | VideoStream) -> None:
    for stream in container.streams:
        if stream.index != wanted.index:
            stream.discard = Discard.all


def _decode_frames(container: InputContainer, stream: VideoStream, origin_s: float) -> Iterator[av.VideoFrame]:
    """Yield every frame that `pick_frames` may choose, and more.

    H.264 marks the frames that no other frame refers to. Skipping those of them that no second picks saves a third of
    the decoding and changes no pixel of the rest (`test_leaving_frames_out_changes_no_choice`). This works only where
    a packet is a whole frame, which MPEG-TS and AVI do not guarantee for interlaced footage.
    """
    if stream.codec_context.name != "h264" or not container.format.name.startswith(("mov", "matroska")):
        yield from container.decode(stream)
        return
    assert stream.time_base is not None
    packets = container.demux(stream)
    while batch := list(islice(packets, PACKETS_AHEAD)):
        stamps = [packet.pts for packet in batch if packet.pts is not None]
        wanted = {None} | _wanted(stamps, stream.time_base, origin_s)
        for packet in batch:
            stream.codec_context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            yield from stream.decode(packet)


def _wanted(stamps: Sequence[int], time_base: Fraction, origin_s: float) -> set[int]:
    """Return, for each second, the timestamps nearest to its middle, and the last one.

    The best frame of a second is also the best of its batch, so it does not matter how frames are batched.
    """
    seconds: dict[int, list[tuple[float, int]]] = {}
    for stamp in stamps:
        start_s = float(stamp * time_base) - origin_s
        seconds.setdefault(floor(start_s), []).append((abs(start_s - floor(start_s) - 0.5), stamp))
    wanted = {max(stamp for _, stamp in second) for second in seconds.values()}
    for second in seconds.values():
        nearest_s = min(second)[0] + TIE_S
        wanted |= {stamp for off_middle_s, stamp in second if off_middle_s <= nearest_s}
    return wanted


def _origin_s(container: InputContainer) -> float:
    return max(0.0, (container.start_time or 0) / av.time_base)


def _continues(frames: list[av.AudioFrame], frame: av.AudioFrame, gap_s: float) -> bool:
    """Say whether a frame goes into the same block; numpy is slow on single frames of 20 ms."""
    first = frames[0]
    alike = (first.sample_rate, first.format.name, first.layout.nb_channels) == (
        frame.sample_rate,
        frame.format.name,
        frame.layout.nb_channels,
    )
    full = len(frames) * first.samples >= SOUND_BLOCK_S * first.sample_rate
    return alike and not full and abs(gap_s) <= LONGEST_JITTER_S


def _mono(frames: list[av.AudioFrame]) -> Float32[np.ndarray, "samples"]:
    samples: np.ndarray = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    if not frames[0].format.is_planar:
        samples = samples.reshape(-1, frames[0].layout.nb_channels).T
    if samples.dtype.kind == "f":
        # NaN and infinity are refused by name in fill_gaps.
        with np.errstate(invalid="ignore", over="ignore"):
            mean = samples.mean(axis=0, dtype=np.float32)
    else:
        full_scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
        middle = full_scale if samples.dtype.kind == "u" else 0.0
        mean = ((samples.mean(axis=0) - middle) / full_scale).astype(np.float32)
    return np.asarray(mean)
