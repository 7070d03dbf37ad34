"""Decode the packets of a track into its frames, around damage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from math import floor
from typing import Any

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from model.media.damage import Damage
from model.media.segments import TIE_S
from model.media.source import DECODING_ERRORS, Packet, Source, Track, usual_frame_s

LONGEST_PES_S = 1.0  # the sound that one lost packet of MPEG-TS takes with it at most
PACKETS_AHEAD = 30
ONE_FRAME_A_PACKET = ("h264", "hevc")  # wherever packets have stamps for display
WITHOUT_STAMPS = ("avi", "asf")  # packets are stamped for decoding alone; what FFmpeg makes of that falls back


def decoded_frames(
    source: Source,
    track: VideoStream,
    packets: Iterator[Packet | None],
    damage: Damage,
    midway: bool = False,
    every: bool = False,
) -> Iterator[av.VideoFrame]:
    """Yield every frame that `pick_frames` may choose, and more; with `every` all.

    H.264 marks the frames that no other frame refers to. Skipping those of them that no second picks saves a third of
    the decoding and changes no pixel of the rest (`test_leaving_frames_out_changes_no_choice`). This works only where
    a packet is a whole frame, which MPEG-TS and AVI do not guarantee for interlaced footage.
    """
    if not every and track.codec_context.name == "h264" and source.format_name.startswith(("mov", "matroska")):
        packets = _unwanted_skipped(track, packets, source.origin_s, damage)
    in_avi, modern = source.format_name == "avi", track.codec_context.name in ONE_FRAME_A_PACKET
    if in_avi or (modern and source.format_name in WITHOUT_STAMPS):
        frames = decoded(source, track, _as_they_lie(packets), damage, midway)
        # A muxer delays the sound of ASF by as much as a decoder holds pictures back; AVI's has no stamps to do so.
        # Of MPEG-4 part 2 it holds back one, as all players do.
        yield from _as_they_come(frames, held=None if in_avi and modern else 0)
    else:
        yield from decoded(source, track, packets, damage, midway)


def _as_they_lie(packets: Iterator[Packet | None]) -> Iterator[Packet | None]:
    for packet in packets:
        if packet is not None:
            packet.pts = packet.dts
        yield packet


def _as_they_come(frames: Iterator[av.VideoFrame], held: int | None) -> Iterator[av.VideoFrame]:
    """Give each frame the time of the packet behind which it came, less `held`; None: what the first was held back."""
    for frame in frames:
        if frame.dts is None:  # one of the last: each follows the one before
            frame.pts = None
        elif frame.pts is not None:
            held = max(0, frame.dts - frame.pts) if held is None else held
            frame.pts = frame.dts - held
        yield frame


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


def decoded(
    source: Source, track: Track, packets: Iterator[Packet | None], damage: Damage, midway: bool = False
) -> Iterator[Any]:
    """Yield a track's frames, and tell `damage` what each packet came to; `midway`: others went before."""
    # Whatever a picture track holds before its first key frame was never meant to be seen.
    begun = isinstance(track, AudioStream) or midway
    for packet in packets:
        if packet is None:
            _tell_passed_over(damage, source, track)
            continue
        if packet.size == 0:  # the picture before it stands; to a decoder it would mean the end
            _tell(damage, source, track, packet, came=True)
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


def _tell_passed_over(damage: Damage, source: Source, track: Track) -> None:
    in_ts, is_sound = source.format_name == "mpegts", isinstance(track, AudioStream)
    # Between packets of MPEG-TS stand those of other tracks; only a short gap in the sound tells of a loss. Of H.264 in
    # a programme stream few pictures have stamps, so that there are gaps without loss.
    sparse = source.format_name == "mpeg" and track.codec_context.name in ONE_FRAME_A_PACKET
    if is_sound or not (in_ts or sparse):
        damage.skipped(LONGEST_PES_S if in_ts else float("inf"))


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
        each = picture.codec_context.name in ONE_FRAME_A_PACKET and source.format_name not in WITHOUT_STAMPS
        if each and packet.size and picture.codec_context.skip_frame != "NONREF" and not packet.is_discard:
            damage.owes(time_s, stamp)
