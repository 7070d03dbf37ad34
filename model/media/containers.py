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
from typing import Any

import av
import av.error
import numpy as np
from av.audio.plane import AudioPlane
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.frame import Frame
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream
from jaxtyping import Float32, Shaped, UInt8

from model.errors import Damaged, MediaError, NotAMedium, TooLarge
from model.media.channels import Mixer
from model.media.clock import LEAP_S, Clock, Stamp, least_start_s
from model.media.damage import SHORTEST_GAP_S, Damage
from model.media.segments import TIE_S, Lost, SoundBlock, TimedFrame
from model.media.tracks import PictureTrack, SoundTrack, choose_picture, choose_sound, note_pictures, note_sounds

# Only demuxers that read one local file: a playlist (HLS, concat) must never make the service open another.
DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dv,eac3,flac,flv,gif,ivf,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
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
ASIDE = (
    Disposition.comment
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.descriptions
    | Disposition.clean_effects
    | Disposition.dependent
)
COVER = Disposition.attached_pic | Disposition.timed_thumbnails
SAMPLE_TYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype(np.uint8),
    "s16": np.dtype(np.int16),
    "s32": np.dtype(np.int32),
    "s64": np.dtype(np.int64),
    "flt": np.dtype(np.float32),
    "dbl": np.dtype(np.float64),
}
PACKETS_AHEAD = 30
SOUND_BLOCK_S = 0.5
LONGEST_WANDER_S = 0.01  # within a block, stamps may be this far from where the samples are
MOST_AHEAD = 200  # packets that are looked at behind a cut of the clock
MOST_FAILURES = 100  # reads in a row that fail before a container counts as ended
MOST_BYTES_BETWEEN = 512  # the heads and indexes that stand between two packets; more is something passed over
BROKEN_CLOCKS = 0x200  # FFmpeg's AVFMT_TS_DISCONT: formats made of pieces, each with a clock of its own
DECODING_ERRORS = (av.error.FFmpegError, ValueError, MemoryError, LookupError)
END = object()
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
    notes: tuple[str, ...] = ()


@dataclass
class Findings:
    """Collect what reading a recording brings to light, of both of its tracks.

    `cuts` of its clock, and the seconds that its leaps left out; `undecodable` tracks.
    """

    cuts: int = 0
    skipped_s: float = 0.0
    undecodable: list[str] = field(default_factory=list)


def probe(path: Path, audio_track: int | None = None) -> Tracks:
    """Read the head of a container. Raises NotAMedium, Damaged, NoSoundTrack."""
    with _opened(path) as container:
        sound, picture = _sound_stream(container, audio_track), _picture_stream(container)
        return Tracks(
            format_name=container.format.name,
            sound_codec=sound.codec_context.name if sound else None,
            picture_codec=picture.codec_context.name if picture else None,
            width=picture.codec_context.width if picture else 0,
            height=picture.codec_context.height if picture else 0,
            duration_s=_declared_s(container, audio_track),
            notes=_notes(container, None if audio_track else sound, picture),
        )


def read_sound(
    path: Path, findings: Findings | None = None, audio_track: int | None = None
) -> Iterator[SoundBlock | Lost]:
    """Yield a sound track, mixed to one channel, at its native rate, timed from the recording's beginning.

    What cannot be decoded is passed over and told as Lost. Raises NotAMedium, Damaged, NoSoundTrack.
    """
    with _opened(path) as container:
        stream = _sound_stream(container, audio_track)
        if stream is None:
            return
        origin_s, damage, mixer = _origin_s(container, audio_track), Damage(), Mixer()
        block_s, next_s, whole = 0.0, None, True
        frames: list[av.AudioFrame] = []
        packets = _packets(path, container, stream, findings or Findings(), audio_track)
        for frame in _decode(stream, packets, origin_s, damage):
            start_s = frame.time - origin_s if frame.time is not None else next_s or 0.0
            end_s = start_s + frame.samples / frame.sample_rate
            lost, frame_whole = damage.lost_before(start_s, end_s), damage.is_whole(start_s, True, frame.is_corrupt)
            if frames and (lost or frame_whole != whole or not _continues(frames, frame, start_s - (next_s or 0.0))):
                yield SoundBlock(block_s, frames[0].sample_rate, _mono(frames, mixer), whole)
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
            yield SoundBlock(block_s, frames[0].sample_rate, _mono(frames, mixer), whole)
        yield from _rest(damage, findings, "sound", next_s is not None)


def measure_sound_s(path: Path) -> float:
    """Return how long the sound track is, by its packets to the end of the file, without decoding them.

    Raises NotAMedium, Damaged.
    """
    with _opened(path) as container:
        stream = _sound_stream(container)
        if stream is None:
            return 0.0
        assert stream.time_base is not None
        ticks = sum(packet.duration or 0 for packet in _demuxed(container, [stream]) if packet is not None)
        return float(ticks * stream.time_base)


def read_frames(
    path: Path, most_pixels: int, findings: Findings | None = None, audio_track: int | None = None
) -> Iterator[TimedFrame | Lost]:
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
        origin_s, next_s = _origin_s(container, audio_track), None
        usual_s = _usual_s(stream)
        damage = Damage(usual_s + SHORTEST_GAP_S)
        packets = _packets(path, container, stream, findings or Findings(), audio_track)
        for frame in _decode_frames(container, stream, packets, origin_s, damage):
            if frame.width * frame.height > most_pixels:
                raise TooLarge(
                    f"{path.name} holds a frame of {frame.width} x {frame.height}; at most {most_pixels} "
                    "pixels are accepted. Send it scaled down."
                )
            start_s = frame.time - origin_s if frame.time is not None else next_s or 0.0
            lasts_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
            next_s = start_s + lasts_s
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
        _forget_odd_layouts(container)
        try:
            yield container
        except (av.error.FFmpegError, ValueError, MemoryError, LookupError) as error:  # a track that appears midway
            raise Damaged(
                f"{path.name} was recognised, but its data cannot be decoded to the end ({_reason(error)}). "
                "Copy or export the file again."
            ) from error


def _forget_odd_layouts(container: InputContainer) -> None:
    """Keep of a layout that has no name (right, left, left, right) only how many channels there are.

    PyAV frees the list of such a layout's channels each time that it is looked at, which crashes at the second.
    """
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            layout = stream.codec_context.layout
            if " channels (" in layout.name:
                stream.codec_context.layout = f"{layout.nb_channels} channels"


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


def _sound_tracks(container: InputContainer) -> list[SoundTrack]:
    best = container.streams.best  # PyAV tells no programmes, but FFmpeg's best track is of that of the related one
    picture = _picture_stream(container)
    programme = best("audio", related=picture)
    return [
        SoundTrack(
            index=stream.index,
            number=number,
            decodable=stream.codec_context is not None,
            with_picture=best("audio", related=stream) == programme,
            default=bool(stream.disposition & Disposition.default),
            aside=bool(stream.disposition & ASIDE),
            channels=stream.codec_context.channels if stream.codec_context else 0,
        )
        for number, stream in enumerate(container.streams.audio, start=1)
    ]


def _picture_tracks(container: InputContainer) -> list[PictureTrack]:
    return [
        PictureTrack(
            index=stream.index,
            decodable=stream.codec_context is not None,
            cover=bool(stream.disposition & COVER),
            default=bool(stream.disposition & Disposition.default),
            width=stream.codec_context.width if stream.codec_context else 0,
            height=stream.codec_context.height if stream.codec_context else 0,
        )
        for stream in container.streams.video
    ]


def _sound_stream(container: InputContainer, audio_track: int | None = None) -> AudioStream | None:
    track = choose_sound(Path(container.name).name, _sound_tracks(container), audio_track)
    return next((stream for stream in container.streams.audio if track and stream.index == track.index), None)


def _picture_stream(container: InputContainer) -> VideoStream | None:
    track = choose_picture(_picture_tracks(container))
    return next((stream for stream in container.streams.video if track and stream.index == track.index), None)


def _notes(container: InputContainer, sound: AudioStream | None, picture: VideoStream | None) -> tuple[str, ...]:
    """Say which tracks were taken where there were others."""
    sounds, pictures = _sound_tracks(container), _picture_tracks(container)
    return note_sounds(sounds, next((track for track in sounds if sound and track.index == sound.index), None)) + (
        note_pictures(pictures, next((track for track in pictures if picture and track.index == picture.index), None))
    )


def _packets(
    path: Path,
    container: InputContainer,
    stream: AudioStream | VideoStream,
    findings: Findings,
    audio_track: int | None,
) -> Iterator[av.Packet | None]:
    """Yield a track's packets on the recording's clock; None where the container passed over something."""
    if not container.format.name.startswith("mov"):
        yield from _clocked(container, stream, findings, audio_track)
        return
    # One index lists all packets of an MP4, in order: the other track is left out, unless the clock leaps.
    last_s, count = _origin_s(container, audio_track), 0
    for packet in _demuxed(container, [stream]):
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
        for packet in _clocked(again, same, findings, audio_track):
            count -= packet is not None
            if count < 0:
                yield packet


def _clocked(
    container: InputContainer, stream: AudioStream | VideoStream, findings: Findings, audio_track: int | None
) -> Iterator[av.Packet | None]:
    """Yield a track's packets with their stamps moved to the recording's clock, which needs those of both tracks."""
    sound, picture = _sound_stream(container, audio_track), _picture_stream(container)
    breaks = bool(container.format.flags & BROKEN_CLOCKS)
    clock = Clock(_origin_s(container, audio_track), picture.index if picture else None, breaks)
    packets = _demuxed(container, [track for track in (sound, picture) if track is not None])
    waiting: deque[av.Packet | None] = deque()
    usual_s = _usual_s(picture) if picture else 0.0

    def ahead() -> list[Stamp]:
        waiting.extend(islice(packets, max(0, MOST_AHEAD - len(waiting))))
        return [stamp for packet in waiting if packet is not None and (stamp := _stamp(packet, usual_s)) is not None]

    while waiting or (more := next(packets, END)) is not END:
        packet = waiting.popleft() if waiting else more
        if packet is None:
            yield None
            continue
        stamp = _stamp(packet, usual_s)
        shift_s = clock.shift_s(stamp, ahead) if stamp is not None else 0.0
        if packet.stream_index == stream.index:
            if shift_s:
                _move(packet, round(shift_s / packet.time_base))
            yield packet
        findings.cuts, findings.skipped_s = clock.cuts, clock.skipped_s


def _demuxed(container: InputContainer, streams: list[AudioStream | VideoStream]) -> Iterator[av.Packet | None]:
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
                if in_a_row and packet.pos is not None:
                    if 0 < next_byte < packet.pos - MOST_BYTES_BETWEEN:
                        yield None
                    next_byte = max(next_byte, packet.pos + packet.size)
                if packet.stream_index in chosen:
                    yield packet
            return
        except DECODING_ERRORS:
            failures += 1
            yield None


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


def _decode(stream: Stream, packets: Iterator[av.Packet | None], origin_s: float, damage: Damage) -> Iterator[Frame]:
    """Yield a track's frames, and tell `damage` what each packet came to."""
    picture, begun = stream.type == "video", stream.type != "video"
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
            end_s = shown_s + (packet.duration or 0) * unit_s
            time_s = shown_s if packet.dts is None else packet.dts * unit_s - origin_s
            if frames is None:
                damage.failed(time_s, end_s)
            elif packet.is_corrupt:
                damage.suspected(time_s, shown_s, end_s)
            elif picture:
                damage.passed(end_s)
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
    return float(1 / stream.average_rate) if stream.average_rate else FALLBACK_FRAME_S


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


def _declared_s(container: InputContainer, audio_track: int | None) -> float | None:
    if not container.duration or container.duration < 0:
        return None
    declared_s: float = container.duration / av.time_base
    # A Matroska segment declares the time of its end, and a recorder's clock may go on from file to file.
    counted_s = _origin_s(container, audio_track) if container.format.name.startswith("matroska") else 0.0
    return declared_s - counted_s if 0 < counted_s < declared_s else declared_s


def _origin_s(container: InputContainer, audio_track: int | None) -> float:
    """Return where the chosen tracks begin; other tracks and programmes have no say in it."""
    tracks = (_sound_stream(container, audio_track), _picture_stream(container))
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


def _mono(frames: list[av.AudioFrame], mixer: Mixer) -> Float32[np.ndarray, "samples"]:
    samples = np.concatenate([_samples(frame) for frame in frames], axis=1)
    return mixer.mix(samples, [channel.name for channel in frames[0].layout.channels], frames[0].sample_rate)


def _samples(frame: av.AudioFrame) -> Shaped[np.ndarray, "channels samples"]:
    """Return a frame's samples. PyAV's own `to_ndarray` reads past the end of eight or more planes and crashes."""
    count, kind = frame.layout.nb_channels, SAMPLE_TYPES[frame.format.name.removesuffix("p")]
    if not frame.format.is_planar:
        packed = np.frombuffer(memoryview(AudioPlane(frame, 0)), kind, frame.samples * count)
        return np.asarray(packed.reshape(-1, count).T)
    return np.stack(
        [np.frombuffer(memoryview(AudioPlane(frame, number)), kind, frame.samples) for number in range(count)]
    )


def _upright_rgb(frame: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
    if frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components):
        rgba = frame.to_ndarray(format="rgba").astype(np.uint16)
        pixels = (rgba[..., :3] * rgba[..., 3:] // 255).astype(np.uint8)
    else:
        pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
