"""Read the packets of a recording's two tracks in the order of the file, on one clock; decode them around damage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import islice
from math import floor
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard
from av.video.stream import VideoStream

from model.media.clock import LEAP_S, STEP_BACK_S, Clock, Stamp, least_start_s
from model.media.damage import Damage
from model.media.segments import TIE_S

if TYPE_CHECKING:
    Packet: TypeAlias = av.Packet[Any]
else:
    Packet = av.Packet
Track: TypeAlias = AudioStream | VideoStream

DECODING_ERRORS = (av.error.FFmpegError, ValueError, MemoryError, LookupError)
LONGEST_PES_S = 1.0  # the sound that one lost packet of MPEG-TS takes with it at most
PREROLL_S = 1.0  # a decoder that is entered midway is right after less than that
PACKETS_AHEAD = 30
MOST_AHEAD = 200  # packets that are looked at behind a cut of the clock
MOST_FAILURES = 100  # reads in a row that fail before a container counts as ended
MOST_BYTES_BETWEEN = 512  # the heads and indexes that stand between two packets; more is something passed over
# The share of a file that may lie behind the last packet: an index; of Ogg, whose packets tell only their page, a page.
LONGEST_INDEX = {"avi": 0.25, "asf": 0.25, "ogg": 1.0}
BROKEN_CLOCKS = 0x200  # FFmpeg's AVFMT_TS_DISCONT: formats made of pieces, each with a clock of its own
ONE_FRAME_A_PACKET = ("h264", "hevc")  # wherever packets have stamps for display
LONGEST_FRAME_S = 1.0  # the duration of a frame that declares none, where the mean is longer: a slide show
FALLBACK_FRAME_S = 0.04  # the duration of a frame whose container declares neither duration nor rate


@dataclass
class Findings:
    """Collect what reading a recording brings to light, of both of its tracks.

    `cuts` of its clock, and the seconds that its leaps left out; `undecodable` tracks; `unread`: the share of the
    file that lies behind the last packet, where this should be nothing but an index, 1 until that is known;
    `first_cut_s`: where the first cut lies, in seconds of the recording.
    """

    cuts: int = 0
    first_cut_s: float = float("inf")
    skipped_s: float = 0.0
    unread: float = 1.0
    undecodable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """Hold an open container and the two tracks that were chosen from it."""

    container: InputContainer
    sound: AudioStream | None
    picture: VideoStream | None

    @property
    def format_name(self) -> str:
        """Return FFmpeg's name of the format, or names, such as "mov,mp4,m4a"."""
        return str(self.container.format.name)

    @cached_property
    def origin_s(self) -> float:
        """Return where the chosen tracks begin; other tracks and programmes have no say in it."""
        tracks = (self.sound, self.picture)
        known = [(track.start_time, track.time_base) for track in tracks if track is not None]
        return least_start_s((start, base) for start, base in known if start is not None and base is not None)

    @property
    def tracks(self) -> list[Track]:
        """Return the chosen tracks."""
        return [track for track in (self.sound, self.picture) if track is not None]

    def like(self, track: Track) -> Track:
        """Return the track that is the same one in another opening of the file."""
        (same,) = [other for other in self.tracks if other.index == track.index]
        return same


Again: TypeAlias = Callable[[], AbstractContextManager[Source]]


def track_packets(
    source: Source, track: Track, findings: Findings, again: Again, from_s: int = 0
) -> Iterator[Packet | None]:
    """Yield a track's packets on the recording's clock; None where the container passed over something.

    `again` opens the same file a second time. `from_s`: begin early enough to have all that is shown from there on.
    """
    if from_s > 0:
        packets = _entered(source, track, findings, again, from_s)
        first = next(packets, None)
        # A seek may fail, or come out too late: then the file is read from its beginning.
        if first is not None and _stamp_s(first) - source.origin_s <= from_s:
            yield first
            yield from packets
            return
        with again() as whole:
            yield from track_packets(whole, whole.like(track), findings, again)
        return
    if source.format_name.startswith("mov"):
        yield from _indexed(source, track, findings, again)
    else:
        yield from _clocked(source, track, findings)


def _entered(source: Source, track: Track, findings: Findings, again: Again, from_s: int) -> Iterator[Packet | None]:
    in_mov = source.format_name.startswith("mov")
    guide = track if in_mov else source.picture or track
    assert guide.time_base is not None
    begin_s = source.origin_s + from_s
    try:
        source.container.seek(floor((begin_s - PREROLL_S) / guide.time_base), stream=guide)
    except DECODING_ERRORS:
        return
    if in_mov:
        yield from _indexed(source, track, findings, again, begin_s)
    else:
        yield from _clocked(source, track, findings, begin_s)


def _indexed(
    source: Source, track: Track, findings: Findings, again: Again, begin_s: float | None = None
) -> Iterator[Packet | None]:
    """Yield a track's packets without a look at the other track, unless the clock leaps.

    One index lists all packets of an MP4, in order: there is no other kind of cut.
    """
    last_s = source.origin_s if begin_s is None else begin_s
    last: int | None = None
    for packet in demuxed(source.container, [track], findings):
        if packet is not None and packet.dts is not None:
            time_s = float(packet.dts * packet.time_base)
            if time_s - last_s > LEAP_S:
                break
            last_s = time_s + min(LEAP_S, float((packet.duration or 0) * packet.time_base))
            last = packet.dts
        yield packet
    else:
        return
    with again() as whole:
        passed = last is None
        for packet in _clocked(whole, whole.like(track), findings):
            # Up to the first leap there is no cut, so these stamps are the container's own.
            passed = passed or (packet is not None and packet.dts is not None and packet.dts > (last or 0))
            if passed:
                yield packet


def first_cut_s(source: Source, until_s: int) -> float:
    """Return where a recording's clock has its first cut, or infinity if it has none up to `until_s`."""
    in_mov, findings = source.format_name.startswith("mov"), Findings()
    if in_mov and not any(_leaps(track, source.origin_s + until_s) for track in source.tracks):
        return findings.first_cut_s
    for packet in _clocked(source, source.tracks[-1], findings):
        reached_s = _stamp_s(packet) - source.origin_s
        if findings.first_cut_s < float("inf") or float("inf") > reached_s > until_s + LEAP_S:
            break
    return findings.first_cut_s


def _leaps(track: Track, until_s: float) -> bool:
    assert track.time_base is not None
    unit_s = float(track.time_base)
    last, leap, until = None, LEAP_S / unit_s, until_s / unit_s
    for entry in track.index_entries:
        if last is not None and entry.timestamp - last > leap:
            return True
        last = entry.timestamp
        if last > until:
            return False
    return False


def _stamp_s(packet: Packet | None) -> float:
    stamp = None if packet is None else packet.pts if packet.dts is None else packet.dts
    return float("inf") if packet is None or stamp is None else float(stamp * packet.time_base)


def _clocked(source: Source, track: Track, findings: Findings, begin_s: float | None = None) -> Iterator[Packet | None]:
    """Yield a track's packets with their stamps moved to the recording's clock, which needs those of both tracks."""
    breaks = bool(source.container.format.flags & BROKEN_CLOCKS)
    picture = source.picture.index if source.picture else None
    clock = Clock(source.origin_s if begin_s is None else begin_s, picture, breaks)
    packets = demuxed(source.container, source.tracks, findings)
    waiting: deque[Packet | None] = deque()
    usual_s = usual_frame_s(source.picture) if source.picture else 0.0

    def ahead() -> list[Stamp]:
        waiting.extend(islice(packets, max(0, MOST_AHEAD - len(waiting))))
        stamps = [_stamp(packet, usual_s) for packet in waiting if packet is not None]
        return [stamp for stamp in stamps if stamp is not None]

    shifts_s: dict[int, float] = {}
    passed_over = False
    while waiting or (more := list(islice(packets, 1))):
        packet = waiting.popleft() if waiting else more[0]
        if packet is None:
            passed_over = True
            continue
        cuts, stamp = clock.cuts, _stamp(packet, usual_s)
        if stamp is not None:
            shifts_s[packet.stream_index] = clock.shift_s(stamp, ahead)
        if clock.cuts != cuts:
            passed_over = False  # between two recordings stand only heads
            findings.cuts, findings.skipped_s = clock.cuts, clock.skipped_s
            findings.first_cut_s = min(findings.first_cut_s, clock.cut_at_s - source.origin_s)
        if packet.stream_index == track.index:
            if passed_over:
                yield None
            passed_over = False
            _move(packet, shifts_s.get(track.index, 0.0))
            yield packet


def demuxed(container: InputContainer, tracks: list[Track], findings: Findings) -> Iterator[Packet | None]:
    """Yield the packets of the tracks; None where bytes were passed over, because they cannot be read or understood."""
    chosen = {track.index for track in tracks}
    # MP4 has its packets anywhere.
    in_a_row = not container.format.name.startswith("mov")
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
            findings.unread = min(findings.unread, _unread(container, next_byte))  # one track may end before the other
            return
        except DECODING_ERRORS:
            failures += 1
            yield None
    # What follows is no index, or it would have been read.
    findings.unread = min(findings.unread, _share_behind(container, next_byte))


def _unread(container: InputContainer, next_byte: int) -> float:
    unread = _share_behind(container, next_byte)
    return unread if unread > LONGEST_INDEX.get(container.format.name, 0.0) else 0.0


def _share_behind(container: InputContainer, next_byte: int) -> float:
    return max(0, container.size - next_byte) / container.size if container.size > 0 and next_byte else 0.0


def _stamp(packet: Packet, usual_s: float) -> Stamp | None:
    shown, decoded = packet.pts, packet.dts
    shown = decoded if shown is None else shown
    decoded = shown if decoded is None else decoded
    if shown is None or decoded is None:
        return None
    unit_s = float(packet.time_base)
    lasts_s = packet.duration * unit_s if packet.duration else usual_s
    # Matroska has no stamps for decoding; FFmpeg takes them from packets before, which is wrong at a cut.
    if not -STEP_BACK_S <= (shown - decoded) * unit_s <= LEAP_S / 2:
        decoded = shown
    return Stamp(packet.stream_index, decoded * unit_s, shown * unit_s, lasts_s)


def _move(packet: Packet, shift_s: float) -> None:
    ticks = round(shift_s / packet.time_base) if shift_s else 0
    if ticks and packet.pts is not None:
        packet.pts += ticks
    if ticks and packet.dts is not None:
        packet.dts += ticks


def decoded_frames(
    source: Source, track: VideoStream, packets: Iterator[Packet | None], damage: Damage
) -> Iterator[av.VideoFrame]:
    """Yield every frame that `pick_frames` may choose, and more.

    H.264 marks the frames that no other frame refers to. Skipping those of them that no second picks saves a third of
    the decoding and changes no pixel of the rest (`test_leaving_frames_out_changes_no_choice`). This works only where
    a packet is a whole frame, which MPEG-TS and AVI do not guarantee for interlaced footage.
    """
    if track.codec_context.name == "h264" and source.format_name.startswith(("mov", "matroska")):
        packets = _unwanted_skipped(track, packets, source.origin_s, damage)
    yield from decoded(source, track, packets, damage)


def _unwanted_skipped(
    track: VideoStream, packets: Iterator[Packet | None], origin_s: float, damage: Damage
) -> Iterator[Packet | None]:
    assert track.time_base is not None
    while batch := list(islice(packets, PACKETS_AHEAD)):
        stamps = [packet.pts for packet in batch if packet is not None and packet.pts is not None]
        wanted = {None} | _wanted(stamps, track.time_base, origin_s)
        for packet in batch:
            if packet is not None:
                # Behind damage all are decoded: the chosen one may fail, and gaps between frames tell what is lost.
                every = damage.is_open or packet.pts in wanted
                track.codec_context.skip_frame = "DEFAULT" if every else "NONREF"
            yield packet
    track.codec_context.skip_frame = "DEFAULT"


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


def decoded(source: Source, track: Track, packets: Iterator[Packet | None], damage: Damage) -> Iterator[Any]:
    """Yield a track's frames, and tell `damage` what each packet came to."""
    # Whatever a picture track holds before its first key frame was never meant to be seen.
    begun = isinstance(track, AudioStream)
    for packet in packets:
        if packet is None:
            # Between packets of MPEG-TS stand those of other tracks; only a short gap in the sound tells of a loss.
            if source.format_name != "mpegts":
                damage.skipped()
            elif isinstance(track, AudioStream):
                damage.skipped(LONGEST_PES_S)
            continue
        begun = begun or packet.is_keyframe
        damage.asked, frames = True, _frames_of(track, packet)
        if begun:
            _tell(damage, source, track, packet, frames is not None)
        yield from frames or ()
    end: Packet = av.Packet()  # it holds nothing, which asks the decoder for its last frames
    if track.time_base is not None:
        end.time_base = track.time_base
    yield from _frames_of(track, end) or ()


def _frames_of(track: Track, packet: Packet) -> list[Any] | None:
    try:
        return list(track.decode(packet))
    except DECODING_ERRORS:
        return None


def _tell(damage: Damage, source: Source, track: Track, packet: Packet, came: bool) -> None:
    stamp = packet.pts if packet.pts is not None else packet.dts
    picture = track if isinstance(track, VideoStream) else None
    if stamp is None or (came and picture is None and not packet.is_corrupt):
        return
    unit_s, origin_s = float(packet.time_base), source.origin_s
    shown_s = stamp * unit_s - origin_s
    lasts_s = packet.duration * unit_s if packet.duration else usual_frame_s(picture) if picture else 0.0
    time_s = shown_s if packet.dts is None else packet.dts * unit_s - origin_s
    if not came:
        damage.failed(time_s, shown_s + lasts_s)
    elif packet.is_corrupt:
        damage.suspected(time_s, shown_s, shown_s + lasts_s)
    elif picture is not None:
        damage.passed(shown_s + lasts_s)
        each = picture.codec_context.name in ONE_FRAME_A_PACKET and source.format_name != "avi"
        if each and picture.codec_context.skip_frame != "NONREF" and not packet.is_discard:
            damage.owes(time_s, stamp)


def usual_frame_s(picture: VideoStream) -> float:
    """Return how long a frame lasts that does not say so."""
    rate = picture.average_rate
    return min(LONGEST_FRAME_S, float(1 / rate)) if rate else FALLBACK_FRAME_S
