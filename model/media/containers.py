"""The door to FFmpeg (PyAV): read the tracks of a container, write an MP4, and turn its errors into ours."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import islice
from math import floor
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.frame import Frame
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream
from jaxtyping import Float32, UInt8

from model.errors import Damaged, MediaError, NotAMedium, TooLarge
from model.media.clock import LEAP_S, LONGEST_HOLD_S, Clock, Stamp, least_start_s
from model.media.damage import SHORTEST_GAP_S, Damage
from model.media.segments import TIE_S, Lost, SoundBlock, TimedFrame

# Only demuxers that read one local file: a playlist (HLS, concat) must never make the service open another.
DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dv,eac3,flac,flv,gif,ivf,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,tta,voc,w64,wav,wv"
)
INDEXED_FORMATS = ("mov", "matroska")
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
LONGEST_WANDER_S = 0.01  # within a block, stamps may be this far from where the samples are
MOST_AHEAD = 200  # packets that are looked at behind a cut of the clock
MOST_FAILURES = 100  # reads in a row that fail before a container counts as ended
MOST_BYTES_BETWEEN = 512  # the heads and indexes that stand between two packets; more is something passed over
BROKEN_CLOCKS = 0x200  # FFmpeg's AVFMT_TS_DISCONT: formats made of pieces, each with a clock of its own
DECODING_ERRORS = (av.error.FFmpegError, ValueError, MemoryError, LookupError)
ONE_FRAME_A_PACKET = ("h264", "hevc")  # wherever packets have stamps for display
LONGEST_INDEX = {"avi": 0.25, "asf": 0.25}  # the share of a file that its index may take at its end
END = object()
LONGEST_FRAME_S = 1.0  # the duration of a frame that declares none, where the mean is longer: a slide show
FALLBACK_FRAME_S = 0.04  # the duration of a frame whose container declares neither duration nor rate


@dataclass(frozen=True)
class Tracks:
    """Hold what a container declares about itself; None where it does not say.

    `indexed`: its duration is written down, not guessed from the bit rate.
    """

    format_name: str
    sound_codec: str | None
    picture_codec: str | None
    width: int
    height: int
    duration_s: float | None
    indexed: bool


@dataclass
class Findings:
    """Collect what reading a recording brings to light, of both of its tracks.

    `cuts` of its clock, and the seconds that its leaps left out; `undecodable` tracks; `unread`: the share of the
    file that lies behind the last packet, where this should be nothing but an index.
    """

    cuts: int = 0
    skipped_s: float = 0.0
    unread: float = 0.0
    undecodable: list[str] = field(default_factory=list)


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
            duration_s=_declared_s(container),
            # Of a fragmented MP4 only the fragments know how long it is.
            indexed=container.format.name.startswith(INDEXED_FORMATS)
            and (container.format.name.startswith("matroska") or any(t.frames for t in (sound, picture) if t)),
        )


def read_sound(path: Path, findings: Findings | None = None) -> Iterator[SoundBlock | Lost]:
    """Yield the sound track, mean of its channels, at its native rate, timed from the recording's beginning.

    What cannot be decoded is passed over and told as Lost. Raises NotAMedium, Damaged.
    """
    with _opened(path) as container:
        stream = _sound_stream(container)
        if stream is None:
            return
        origin_s, damage = _origin_s(container), Damage()
        block_s, next_s, whole = 0.0, None, True
        frames: list[av.AudioFrame] = []
        packets = _packets(path, container, stream, findings or Findings())
        for frame in _decode(stream, packets, origin_s, damage):
            start_s = frame.time - origin_s if frame.time is not None else next_s or 0.0
            end_s = start_s + frame.samples / frame.sample_rate
            lost, frame_whole = damage.lost_before(start_s, end_s), damage.is_whole(start_s, True, frame.is_corrupt)
            if frames and (lost or frame_whole != whole or not _continues(frames, frame, start_s - (next_s or 0.0))):
                yield SoundBlock(block_s, frames[0].sample_rate, _mono(frames), whole)
                frames = []
            if lost:
                yield lost
            if not frames:
                block_s = next_s = start_s
                whole = frame_whole
            frames.append(frame)
            next_s = (next_s or 0.0) + frame.samples / frame.sample_rate
            damage.passed(end_s)
        if frames:
            yield SoundBlock(block_s, frames[0].sample_rate, _mono(frames), whole)
        yield from _rest(damage, findings, "sound", next_s is not None)


def read_frames(path: Path, most_pixels: int, findings: Findings | None = None) -> Iterator[TimedFrame | Lost]:
    """Yield the picture track's frames, timed from the recording's beginning, not converted yet.

    What cannot be decoded is passed over and told as Lost. Raises NotAMedium, Damaged, TooLarge.
    """
    with _opened(path) as container:
        stream = _picture_stream(container)
        if stream is None:
            return
        # One thread: a second one takes 5 to 30 % more processor time, which slows concurrent requests down, and
        # makes a single request faster only at 720p and above.
        stream.thread_type, stream.thread_count = "NONE", 1
        stream.codec_context.options = {"max_pixels": str(most_pixels)}
        origin_s, next_s = _origin_s(container), None
        usual_s = _usual_s(stream)
        damage = Damage(usual_s + SHORTEST_GAP_S)
        packets = _packets(path, container, stream, findings or Findings())
        for frame in _decode_frames(container, stream, packets, origin_s, damage):
            if frame.width * frame.height > most_pixels:
                raise TooLarge(
                    f"{path.name} holds a frame of {frame.width} x {frame.height}; at most {most_pixels} "
                    "pixels are accepted. Send it scaled down."
                )
            start_s = frame.time - origin_s if frame.time is not None else next_s or 0.0
            lasts_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
            next_s = start_s + min(lasts_s, LONGEST_HOLD_S)
            if frame.pts is not None:
                damage.paid(frame.pts)
            if lost := damage.lost_before(start_s, next_s):
                yield lost
            whole = damage.is_whole(start_s, frame.key_frame, frame.is_corrupt)
            yield TimedFrame(start_s, next_s, partial(_upright_rgb, frame), whole)
        yield from _rest(damage, findings, "picture", next_s is not None)


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


def _packets(
    path: Path, container: InputContainer, stream: AudioStream | VideoStream, findings: Findings
) -> Iterator[av.Packet | None]:
    """Yield a track's packets on the recording's clock; None where the container passed over something."""
    if not container.format.name.startswith("mov"):
        yield from _clocked(container, stream, findings)
        return
    # One index lists all packets of an MP4, in order: the other track is left out, unless the clock leaps.
    last_s, count = _origin_s(container), 0
    for packet in _demuxed(container, [stream], findings):
        if packet is not None and packet.dts is not None:
            time_s = float(packet.dts * packet.time_base)
            if time_s - last_s > LEAP_S:
                break
            last_s = time_s + min(LEAP_S, float((packet.duration or 0) * packet.time_base))
        count += packet is not None
        yield packet
    else:
        return
    with _opened(path) as again:
        (same,) = [other for other in again.streams if other.index == stream.index]
        for packet in _clocked(again, same, findings):
            count -= packet is not None
            if count < 0:
                yield packet


def _clocked(
    container: InputContainer, stream: AudioStream | VideoStream, findings: Findings
) -> Iterator[av.Packet | None]:
    """Yield a track's packets with their stamps moved to the recording's clock, which needs those of both tracks."""
    sound, picture = _sound_stream(container), _picture_stream(container)
    breaks = bool(container.format.flags & BROKEN_CLOCKS)
    clock = Clock(_origin_s(container), picture.index if picture else None, breaks)
    packets = _demuxed(container, [track for track in (sound, picture) if track is not None], findings)
    waiting: deque[av.Packet | None] = deque()
    usual_s = _usual_s(picture) if picture else 0.0

    def ahead() -> list[Stamp]:
        waiting.extend(islice(packets, max(0, MOST_AHEAD - len(waiting))))
        return [stamp for packet in waiting if packet is not None and (stamp := _stamp(packet, usual_s)) is not None]

    shifts_s: dict[int, float] = {}
    passed_over = False
    while waiting or (more := next(packets, END)) is not END:
        packet = waiting.popleft() if waiting else more
        if packet is None:
            passed_over = True
            continue
        cuts, stamp = clock.cuts, _stamp(packet, usual_s)
        if stamp is not None:
            shifts_s[packet.stream_index] = clock.shift_s(stamp, ahead)
        passed_over = passed_over and clock.cuts == cuts  # between two recordings stand only heads
        if packet.stream_index == stream.index:
            if passed_over:
                yield None
            passed_over, shift_s = False, shifts_s.get(stream.index, 0.0)
            if shift_s:
                _move(packet, round(shift_s / packet.time_base))
            yield packet
        findings.cuts, findings.skipped_s = clock.cuts, clock.skipped_s


def _demuxed(
    container: InputContainer, streams: list[AudioStream | VideoStream], findings: Findings
) -> Iterator[av.Packet | None]:
    """Yield the packets of the tracks; None where bytes were passed over, because they cannot be read or understood."""
    chosen = {stream.index for stream in streams}
    # MP4 has its packets anywhere, and MPEG-TS marks what is damaged.
    in_a_row = not container.format.name.startswith(("mov", "mpegts"))
    for stream in container.streams:
        if stream.index not in chosen and not in_a_row:
            stream.discard = Discard.all
    next_byte, failures = 0, 0
    while failures < MOST_FAILURES:
        try:
            for packet in container.demux():
                failures = 0
                if packet.size == 0 and packet.dts is None:  # it marks the end
                    continue
                if packet.pos is not None:
                    if in_a_row and 0 < next_byte < packet.pos - MOST_BYTES_BETWEEN:
                        yield None
                    next_byte = max(next_byte, packet.pos + packet.size)
                if packet.stream_index in chosen:
                    yield packet
            findings.unread = max(findings.unread, _unread(container, next_byte))
            return
        except DECODING_ERRORS:
            failures += 1
            yield None


def _unread(container: InputContainer, next_byte: int) -> float:
    if container.size <= 0 or next_byte == 0:
        return 0.0
    unread = max(0, container.size - next_byte) / container.size
    return unread if unread > LONGEST_INDEX.get(container.format.name, 0.0) else 0.0


def _stamp(packet: av.Packet, usual_s: float) -> Stamp | None:
    shown, decoded = packet.pts, packet.dts
    if shown is None and decoded is None:
        return None
    unit_s = float(packet.time_base)
    time_s = (shown if decoded is None else decoded) * unit_s
    lasts_s = packet.duration * unit_s if packet.duration else usual_s
    return Stamp(packet.stream_index, time_s, time_s if shown is None else shown * unit_s, lasts_s)


def _move(packet: av.Packet, ticks: int) -> None:
    if packet.pts is not None:
        packet.pts += ticks
    if packet.dts is not None:
        packet.dts += ticks


def _decode_frames(
    container: InputContainer,
    stream: VideoStream,
    packets: Iterator[av.Packet | None],
    origin_s: float,
    damage: Damage,
) -> Iterator[av.VideoFrame]:
    """Yield every frame that `pick_frames` may choose, and more.

    H.264 marks the frames that no other frame refers to. Skipping those of them that no second picks saves a third of
    the decoding and changes no pixel of the rest (`test_leaving_frames_out_changes_no_choice`). This works only where
    a packet is a whole frame, which MPEG-TS and AVI do not guarantee for interlaced footage.
    """
    if stream.codec_context.name == "h264" and container.format.name.startswith(("mov", "matroska")):
        packets = _unwanted_skipped(stream, packets, origin_s, damage)
    yield from _decode(stream, packets, origin_s, damage)


def _unwanted_skipped(
    stream: VideoStream, packets: Iterator[av.Packet | None], origin_s: float, damage: Damage
) -> Iterator[av.Packet | None]:
    assert stream.time_base is not None
    while batch := list(islice(packets, PACKETS_AHEAD)):
        stamps = [packet.pts for packet in batch if packet is not None and packet.pts is not None]
        wanted = {None} | _wanted(stamps, stream.time_base, origin_s)
        for packet in batch:
            if packet is not None:
                # Behind damage all are decoded: the chosen one may fail, and gaps between frames tell what is lost.
                every = damage.is_open or packet.pts in wanted
                stream.codec_context.skip_frame = "DEFAULT" if every else "NONREF"
            yield packet
    stream.codec_context.skip_frame = "DEFAULT"


def _decode(
    stream: Stream, packets: Iterator[av.Packet | None], origin_s: float, damage: Damage
) -> Iterator[Frame]:
    """Yield a track's frames, and tell `damage` what each packet came to."""
    picture, begun = stream.type == "video", stream.type != "video"
    usual_s = _usual_s(stream) if picture else 0.0
    one_each = stream.codec_context.name in ONE_FRAME_A_PACKET and stream.container.format.name != "avi"
    for packet in packets:
        if packet is None:
            damage.skipped()
            continue
        # Whatever a picture track holds before its first key frame was never meant to be seen.
        begun = begun or packet.is_keyframe
        frames = _frames_of(stream, packet)
        unit_s = float(packet.time_base)
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and begun:
            shown_s = stamp * unit_s - origin_s
            end_s = shown_s + (packet.duration * unit_s if packet.duration else usual_s)
            time_s = shown_s if packet.dts is None else packet.dts * unit_s - origin_s
            if frames is None:
                damage.failed(time_s, end_s)
            elif packet.is_corrupt:
                damage.suspected(time_s, shown_s, end_s)
            elif picture:
                damage.passed(end_s)
                if one_each and stream.codec_context.skip_frame != "NONREF" and not packet.is_discard:
                    damage.owes(time_s, stamp)
        yield from frames or ()
    end = av.Packet()  # it holds nothing, which asks the decoder for its last frames
    end.time_base = stream.time_base
    yield from _frames_of(stream, end) or ()


def _frames_of(stream: Stream, packet: av.Packet) -> list[Frame] | None:
    try:
        return stream.decode(packet)
    except DECODING_ERRORS:
        return None


def _rest(damage: Damage, findings: Findings | None, track: str, decoded: bool) -> Iterator[Lost]:
    """Yield what was lost at the end; a track of which nothing was decoded is left aside, with a note."""
    lost = damage.rest()
    if lost is not None and decoded:
        yield lost
    elif lost is not None and findings is not None:
        findings.undecodable.append(track)


def _usual_s(stream: VideoStream) -> float:
    return min(LONGEST_FRAME_S, float(1 / stream.average_rate)) if stream.average_rate else FALLBACK_FRAME_S


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


def _declared_s(container: InputContainer) -> float | None:
    if not container.duration or container.duration < 0:
        return None
    declared_s: float = container.duration / av.time_base
    # A Matroska segment declares the time of its end, and a recorder's clock may go on from file to file.
    counted_s = _origin_s(container) if container.format.name.startswith("matroska") else 0.0
    return declared_s - counted_s if 0 < counted_s < declared_s else declared_s


def _origin_s(container: InputContainer) -> float:
    """Return where the chosen tracks begin; other tracks and programmes have no say in it."""
    tracks = (_sound_stream(container), _picture_stream(container))
    known = [(t.start_time, t.time_base) for t in tracks if t and t.start_time is not None and t.time_base is not None]
    return least_start_s(known)


def _continues(frames: list[av.AudioFrame], frame: av.AudioFrame, gap_s: float) -> bool:
    """Say whether a frame goes into the same block; numpy is slow on single frames of 20 ms."""
    first = frames[0]
    alike = (first.sample_rate, first.format.name, first.layout.nb_channels) == (
        frame.sample_rate,
        frame.format.name,
        frame.layout.nb_channels,
    )
    full = len(frames) * first.samples >= SOUND_BLOCK_S * first.sample_rate
    return alike and not full and abs(gap_s) <= LONGEST_WANDER_S


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


def _upright_rgb(frame: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
    if frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components):
        rgba = frame.to_ndarray(format="rgba").astype(np.uint16)
        pixels = (rgba[..., :3] * rgba[..., 3:] // 255).astype(np.uint8)
    else:
        pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
