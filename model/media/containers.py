"""The door to FFmpeg (PyAV): read the tracks of a container, write an MP4, and turn its errors into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer

from model.errors import Damaged, MediaError, NotAMedium, TooLarge
from model.media import flv
from model.media.channels import Mixer, Mixing
from model.media.clock import LONGEST_HOLD_S
from model.media.damage import SHORTEST_GAP_S, Damage
from model.media.decoding import WITHOUT_STAMPS, decoded, decoded_frames
from model.media.frames import HD_HEIGHT, HD_WIDTH, Presentation
from model.media.packets import demuxed, first_cut_s, from_key_before, track_packets
from model.media.part import opened
from model.media.segments import Lost, SoundBlock, TimedFrame
from model.media.source import DECODING_ERRORS, Findings, Source, usual_frame_s
from model.media.streams import forget_odd_layouts, has_unseen, mixed, notes, picture_stream, sound_stream
from model.media.timecode import FrameTiming, exact_rate

# Only demuxers that read one local file: a playlist (HLS, concat) must never make the service open another.
DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dhav,dsf,dts,dtshd,dv,eac3,flac,flv,gif,gxf,h264,hevc,iff,ircam,"
    "ivf,loas,m4v,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mlp,mp3,mpc,mpc8,mpeg,mpegts,mpegvideo,mxf,nistsphere,nsv,nut,"
    "nuv,obu,ogg,oma,pva,qcp,rm,sox,tak,truehd,tta,ty,vc1,voc,vvc,w64,wav,wtv,wv,yuv4mpegpipe"
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
SOUND_BLOCK_S = 0.5
LONGEST_SEARCH = {"analyzeduration": "600000000", "probesize": "64000000"}  # microseconds, bytes; for late pictures
LONGEST_WANDER_S = 0.01  # within a block, stamps may be this far from where the samples are


@dataclass(frozen=True)
class Tracks:
    """Hold what a container declares about itself; None where it does not say.

    `sound_format`: FFmpeg's name of how the decoder gives samples. `indexed`: its duration is written down, not guessed
    from the bit rate.
    """

    format_name: str
    sound_codec: str | None
    sound_format: str | None
    picture_codec: str | None
    width: int
    height: int
    duration_s: float | None
    indexed: bool
    notes: tuple[str, ...] = ()


def probe(path: Path, audio_track: int | None = None) -> Tracks:
    """Read the head of a container. Raises NotAMedium, Damaged, NoSoundTrack."""
    with _source(path, audio_track) as source:
        sound, picture = source.sound, source.picture
        return Tracks(
            format_name=source.format_name,
            sound_codec=sound.codec_context.name if sound else None,
            sound_format=_sample_format(sound),
            picture_codec=picture.codec_context.name if picture else None,
            width=picture.codec_context.width if picture else 0,
            height=picture.codec_context.height if picture else 0,
            duration_s=_declared_s(source),
            indexed=_is_indexed(source),
            notes=notes(source.container, None if audio_track else sound, picture),
        )


def first_cut_of(path: Path, until_s: int, audio_track: int | None = None) -> float:
    """Return where a recording's clock has its first cut, or infinity if it has none up to `until_s`."""
    with _source(path, audio_track) as source:
        return first_cut_s(source, until_s)


def read_sound(
    path: Path,
    findings: Findings | None = None,
    audio_track: int | None = None,
    from_s: int = 0,
    part: range | None = None,
    mixing: Mixing | None = None,
    heard_from_s: float = 0.0,
) -> Iterator[SoundBlock | Lost]:
    """Yield a sound track, mixed to one channel or by `mixing`, at its native rate, timed from the recording's start.

    What cannot be decoded is passed over and told as Lost. `from_s`: where to enter; blocks from before it may come, to
    be left aside. `heard_from_s`: what ends long before is not decoded. `part`: the bytes to read, all without it.
    Raises NotAMedium, Damaged, NoSoundTrack.
    """
    findings = findings or Findings()
    with _source(path, audio_track, part) as source:
        stream = source.sound
        if stream is None:
            return
        origin_s, damage, mixing = source.origin_s, Damage(), mixing or Mixer()
        block_s, whole = 0.0, True
        next_s: float | None = None
        frames: list[av.AudioFrame] = []
        packets = track_packets(source, stream, findings, partial(_source, path, audio_track, part), from_s)
        packets = from_key_before(packets, origin_s + heard_from_s) if heard_from_s > from_s else packets
        for frame in decoded(source, stream, packets, damage):
            start_s = frame.time - origin_s if frame.time is not None else next_s or 0.0
            end_s = start_s + frame.samples / frame.sample_rate
            lost, frame_whole = damage.lost_before(start_s, end_s), damage.is_whole(start_s, True, frame.is_corrupt)
            if frames and (lost or frame_whole != whole or not _continues(frames, frame, start_s - (next_s or 0.0))):
                yield SoundBlock(block_s, frames[0].sample_rate, mixed(frames, mixing), whole)
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
            yield SoundBlock(block_s, frames[0].sample_rate, mixed(frames, mixing), whole)
        yield from _rest(damage, findings, "sound", next_s is not None, from_s)


def measure_sound_s(path: Path) -> float:
    """Return how long the sound track is, by its packets to the end of the file, without decoding them.

    Raises NotAMedium, Damaged.
    """
    with _source(path) as source:
        track = source.sound
        if track is None or track.time_base is None:
            return 0.0
        packets = demuxed(source.container, [track], Findings())
        return float(sum(packet.duration or 0 for packet in packets if packet is not None) * track.time_base)


def read_frames(
    path: Path,
    most_pixels: int,
    findings: Findings | None = None,
    audio_track: int | None = None,
    from_s: int = 0,
    every_from_s: float | None = None,
    most_side: int | None = None,
) -> Iterator[TimedFrame | Lost]:
    """Yield the picture track's frames, timed from the recording's beginning, not converted yet.

    What cannot be decoded is passed over and told as Lost. `from_s`: where to enter; frames from before it may come.
    `every_from_s`: yield every frame from here on, not only those that may be picked, and decode little of what lies
    before. `most_side`: frames are scaled down to it. Raises NotAMedium, Damaged, TooLarge.
    """
    findings = findings or Findings()
    with _source(path, audio_track) as source:
        stream = source.picture
        if stream is None:
            return
        # One thread: a second one takes 5 to 30 % more processor time, which slows concurrent requests down, and
        # makes a single request faster only at 720p and above. There, where every frame is wanted, one may decode while
        # the other converts and encodes.
        in_two = every_from_s is not None and stream.width * stream.height > HD_WIDTH * HD_HEIGHT
        in_two = in_two and source.format_name not in WITHOUT_STAMPS  # frames are timed by when they come
        stream.thread_type, stream.thread_count = ("FRAME", 2) if in_two else ("NONE", 1)
        stream.codec_context.options = {"max_pixels": str(most_pixels)}
        presentation = Presentation(stream, most_pixels, most_side)
        origin_s, usual_s = source.origin_s, usual_frame_s(stream)
        next_s: float | None = None
        damage = Damage(usual_s + SHORTEST_GAP_S)
        packets = track_packets(source, stream, findings, partial(_source, path, audio_track), from_s)
        if every_from_s is not None:
            packets = from_key_before(packets, origin_s + every_from_s) if every_from_s > from_s else packets
        midway = from_s > 0
        for frame in decoded_frames(source, stream, packets, damage, midway, every=every_from_s is not None):
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
            damage.passed(next_s)  # in MPEG programme streams few packets have stamps
            whole = damage.is_whole(start_s, frame.key_frame, frame.is_corrupt)
            yield TimedFrame(start_s, next_s, presentation.of(frame), whole)
        yield from _rest(damage, findings, "picture", next_s is not None, from_s)


def frame_timing(path: Path) -> FrameTiming | None:
    """Return the frame rate and the first timecode of a recording; None where it has no moving picture.

    Raises MediaError.
    """
    with _source(path) as source:
        if source.picture is None or not source.picture.average_rate:
            return None
        said = (source.picture.metadata, source.container.metadata, *(s.metadata for s in source.container.streams))
        first = next((data["timecode"] for data in said if "timecode" in data), None)
        return FrameTiming(exact_rate(Fraction(source.picture.average_rate).limit_denominator(1001)), first)


@contextmanager
def _source(path: Path, audio_track: int | None = None, part: range | None = None) -> Iterator[Source]:
    with _opened(path, part) as container:
        yield Source(container, sound_stream(container, audio_track), picture_stream(container))


@contextmanager
def _opened(path: Path, part: range | None) -> Iterator[InputContainer]:
    options = {"format_whitelist": DEMUXERS}
    with flv.opened(path) if part is None else opened(path, part) as file:
        try:
            container = av.open(file, "r", options=options)
            if isinstance(file, str) and has_unseen(container):
                container.close()
                container = av.open(file, "r", options=options | LONGEST_SEARCH)
        except (av.error.FFmpegError, ValueError) as error:
            raise _not_opened(path, error) from error
        with container:
            forget_odd_layouts(container)
            try:
                yield container
            except DECODING_ERRORS as error:  # a track that appears midway
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


def _sample_format(sound: AudioStream | None) -> str | None:
    known = sound.codec_context.format if sound else None
    return known.name if known else None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)  # without the path, which is no client's business


def _rest(damage: Damage, findings: Findings, track: str, decoded: bool, from_s: int) -> Iterator[Lost]:
    """Yield what was lost at the end; a track of which nothing was decoded is left aside, with a note.

    Entered midway, it is left aside only if it was so at the beginning.
    """
    lost = damage.rest()
    decoded = decoded or (from_s > 0 and track not in findings.undecodable)
    if lost is not None and decoded:
        yield lost
    elif damage.asked and not decoded and track not in findings.undecodable:
        findings.undecodable.append(track)


def _declared_s(source: Source) -> float | None:
    container = source.container
    if not container.duration or container.duration < 0:
        return None
    declared_s: float = container.duration / av.time_base
    # A Matroska segment declares the time of its end, and a recorder's clock may go on from file to file.
    counted_s = source.origin_s if source.format_name.startswith("matroska") else 0.0
    return declared_s - counted_s if 0 < counted_s < declared_s else declared_s


def _is_indexed(source: Source) -> bool:
    if source.format_name.startswith("matroska"):
        return True
    # Of a fragmented MP4 only the fragments know how long it is.
    return source.format_name.startswith("mov") and any(track.frames for track in source.tracks)


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
