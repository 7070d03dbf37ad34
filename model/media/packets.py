"""Read the packets of a recording's two tracks in the order of the file, on one clock."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from math import floor

from av.container import InputContainer
from av.stream import Discard

from model.media.clock import LEAP_S, LONGEST_HOLD_S, MICROSECONDS, STEP_BACK_S, Clock, Stamp
from model.media.source import DECODING_ERRORS, Again, Findings, Packet, Source, Track, usual_frame_s

PREROLL_S = 1.0  # a decoder that is entered midway is right after less than that
MOST_HELD_BYTES = 64 * 1024**2  # of packets since a key frame
MOST_AHEAD = 200  # packets that are looked at behind a cut of the clock
MOST_FAILURES = 100  # reads in a row that fail before a container counts as ended
MOST_BYTES_BETWEEN = 512  # the heads and indexes that stand between two packets; more is something passed over
# The share of a file that may lie behind the last packet: an index; of Ogg, whose packets tell only their page, a page.
LONGEST_INDEX = {"avi": 0.25, "asf": 0.25, "ogg": 1.0}
ASF_INDEX_BYTES_HZ = 6  # its index begins at time zero, wherever the clock does
# The most bytes that a packet has in formats without stamps. FFmpeg counts their packets, and what it passed over it
# leaves in front of the next one.
LARGEST_PACKET = {"mp3": 2881, "ac3": 3840, "eac3": 4096, "dts": 16384}
# In these, packets say when they are shown; when they are decoded FFmpeg guesses, which is wrong at a cut.
WITHOUT_DECODING_STAMPS = ("matroska,webm", "nut")
BROKEN_CLOCKS = 0x200  # FFmpeg's AVFMT_TS_DISCONT: formats made of pieces, each with a clock of its own


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
        if first is not None and _shown_s(first) - source.origin_s <= from_s:
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
            if packet.pts is not None and abs(packet.pts - packet.dts) * packet.time_base > LONGEST_HOLD_S:
                packet.pts = packet.dts  # no picture waits that long: the stamp is wild
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


def from_key_before(packets: Iterator[Packet | None], begin_s: float) -> Iterator[Packet | None]:
    """Leave out the packets before the last key frame that a decoder needs for what is shown at `begin_s`.

    Where packets have no stamps, or key frames lie far apart, nothing is left out, or less.
    """
    held: list[Packet | None] = []
    bytes_held = 0
    for packet in packets:
        at_s = _stamp_s(packet)
        if packet is not None and packet.is_keyframe and _shown_s(packet) <= begin_s - PREROLL_S:
            held, bytes_held = [], 0
        held.append(packet)
        bytes_held += 0 if packet is None else packet.size
        if begin_s < at_s < float("inf") or bytes_held > MOST_HELD_BYTES:
            break
    yield from held
    held.clear()
    yield from packets


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


def _shown_s(packet: Packet) -> float:
    return _stamp_s(packet) if packet.pts is None else float(packet.pts * packet.time_base)


def _clocked(source: Source, track: Track, findings: Findings, begin_s: float | None = None) -> Iterator[Packet | None]:
    """Yield a track's packets with their stamps moved to the recording's clock, which needs those of both tracks."""
    breaks = bool(source.container.format.flags & BROKEN_CLOCKS)
    picture = source.picture.index if source.picture else None
    guessed = source.format_name in WITHOUT_DECODING_STAMPS
    reorder = source.picture.codec_context.reorder_depth if source.picture and guessed else 0
    clock = Clock(source.origin_s if begin_s is None else begin_s, picture, breaks, reorder)
    packets = demuxed(source.container, source.tracks, findings)
    if source.format_name in LARGEST_PACKET:
        packets = _time_kept(packets, LARGEST_PACKET[source.format_name])
    waiting: deque[Packet | None] = deque()
    usual_s = usual_frame_s(source.picture) if source.picture else 0.0

    def ahead() -> Iterator[Stamp]:
        waiting.extend(islice(packets, max(0, MOST_AHEAD - len(waiting))))
        stamps = (_stamp(packet, usual_s, guessed) for packet in waiting if packet is not None)
        return (stamp for stamp in stamps if stamp is not None)

    shifts_s: dict[int, float] = {}
    passed_over = False
    while waiting or (more := list(islice(packets, 1))):
        packet = waiting.popleft() if waiting else more[0]
        if packet is None:
            passed_over = True
            continue
        cuts, stamp = clock.cuts, _stamp(packet, usual_s, guessed)
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
    # MP4 has its packets anywhere; AVI may have them apart, and empty ones between.
    in_a_row = not container.format.name.startswith(("mov", "avi"))
    for stream in container.streams:
        if stream.index not in chosen and not in_a_row:
            stream.discard = Discard.all
    next_byte, failures, bytes_passed = 0, 0, _BytesPassed(container.format.name)
    while failures < MOST_FAILURES:
        try:
            for packet in container.demux():
                failures = 0
                if packet.size == 0 and packet.dts is None:  # it marks the end
                    continue
                if packet.pos is not None:
                    if bytes_passed.before(packet.pos, packet.size) and in_a_row:
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


class _BytesPassed:
    """Tell where a container passed over bytes."""

    def __init__(self, format_name: str) -> None:
        self._at, self._next_byte = -1, 0
        # ASF has blocks of one size, filled up, of which FFmpeg tells only where they begin.
        self._in_blocks = format_name == "asf"
        self._most_bytes: int = sys.maxsize if self._in_blocks else MOST_BYTES_BETWEEN

    def before(self, at: int, size: int) -> bool:
        """Say whether bytes were passed over before a packet that lies at `at`."""
        if at == self._at:  # on the same page
            self._next_byte += size
            return False
        if self._in_blocks and 0 <= self._at < at:
            self._most_bytes = min(self._most_bytes, at - self._at)
        passed = 0 < self._next_byte < at - self._most_bytes
        self._at, self._next_byte = at, max(self._next_byte, at + size)
        return passed


def _time_kept(packets: Iterator[Packet | None], most_bytes: int) -> Iterator[Packet | None]:
    """Move the packets behind a damaged stretch by as long as its bytes would have lasted."""
    read, lasted, shift = 0, 0, 0
    for packet in packets:
        if packet is not None and packet.pts is not None and packet.dts is not None and packet.duration:
            if read and packet.size > most_bytes:
                yield None
                shift += max(0, round(packet.size * lasted / read) - packet.duration)
            else:
                read, lasted = read + packet.size, lasted + packet.duration
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        yield packet


def _unread(container: InputContainer, next_byte: int) -> float:
    counted_s = (container.start_time or 0) / MICROSECONDS if container.format.name == "asf" else 0.0
    index_bytes = max(0.0, counted_s) * ASF_INDEX_BYTES_HZ
    unread = _share_behind(container, next_byte and next_byte + round(index_bytes))
    return unread if unread > LONGEST_INDEX.get(container.format.name, 0.0) else 0.0


def _share_behind(container: InputContainer, next_byte: int) -> float:
    return max(0, container.size - next_byte) / container.size if container.size > 0 and next_byte else 0.0


def _stamp(packet: Packet, usual_s: float, guessed: bool) -> Stamp | None:
    shown, decoded = packet.pts, packet.dts
    shown = decoded if shown is None else shown
    if shown is None:
        return None
    unit_s = float(packet.time_base)
    lasts_s = packet.duration * unit_s if packet.duration else usual_s
    if guessed or decoded is None or (shown - decoded) * unit_s < -STEP_BACK_S:
        decoded = shown
    return Stamp(packet.stream_index, decoded * unit_s, shown * unit_s, lasts_s)


def _move(packet: Packet, shift_s: float) -> None:
    ticks = round(shift_s / packet.time_base) if shift_s else 0
    if ticks and packet.pts is not None:
        packet.pts += ticks
    if ticks and packet.dts is not None:
        packet.dts += ticks
