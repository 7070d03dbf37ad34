"""Whole files that look odd: nothing of them is told as lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import grey_frame, stepped_tone, write_video
from track_samples import PictureTrack, SoundTrack, write_tracks

from model.media.damage import Damage
from model.media.decoding import decoded
from model.media.medium import open_medium
from model.media.source import Source


@pytest.mark.parametrize(
    ("suffix", "codecs", "moved"),
    [
        ("avi", ("mpeg4", "libmp3lame"), lambda kind, t: t + 3 * (kind == "video" and t > 0.02)),
        ("wmv", ("wmv2", "wmav2"), lambda kind, t: t + 0.08 * (kind == "video" and t > 0.5) + 0.08 * (t > 1.5)),
        ("wmv", ("wmv2", "wmav2"), lambda kind, t: t + 95_000),
    ],
)
def test_a_whole_file_with_odd_times_has_no_loss(
    suffix: str, codecs: tuple[str, str], moved: Callable[[str, float], float], tmp_path: Path
) -> None:
    """A picture that stands, frames at a varying rate, a clock that is a day old: whole, not damaged."""
    rate_hz = 44_100
    picture = PictureTrack(codecs[0], grey_frame, options={"g": "12"})
    sound = SoundTrack(codecs[1], stepped_tone(5, rate_hz)[:, np.newaxis], rate_hz, options={"b": "128000"})
    muxer = {"wmv": "asf"}.get(suffix, suffix)
    path = tmp_path / f"v.{suffix}"
    one = write_tracks(tmp_path / f"one.{suffix}", muxer, 5, picture, sound)
    repacked(one, path, muxer, moved)
    reading = open_medium(path).segments()
    segments = list(reading)
    assert (reading.loss_s, all(s.frame_whole and s.sound_whole for s in segments)) == (0, True)
    assert 4 <= len(segments) <= 9


def repacked(path: Path, target: Path, muxer: str, moved: Callable[[str, float], float]) -> None:
    """Copy packets with other stamps."""
    with av.open(str(path)) as source, av.open(str(target), "w", format=muxer) as copy:
        tracks = {track.index: copy.add_stream_from_template(track) for track in source.streams}
        packets = [packet for packet in source.demux() if packet.dts is not None]
        for packet in packets:
            time_s = float(packet.dts * packet.time_base)
            ticks = round((moved(packet.stream.type, time_s) - time_s) / packet.time_base)
            packet.pts = packet.dts = packet.dts + ticks
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            packet.stream = tracks[packet.stream.index]
            copy.mux_one(packet)


def test_an_empty_packet_says_that_the_picture_stands(tmp_path: Path) -> None:
    """Ogg and others repeat a picture so: it is neither damage nor the end."""
    damage = Damage(0.042)
    with av.open(str(write_video(tmp_path / "v.avi", 2.0, sound=False))) as container:
        track = container.streams.video[0]
        packets = [packet for packet in container.demux(track) if packet.dts is not None]
        assert track.time_base is not None
        empty = av.Packet()
        empty.pts, empty.dts, empty.time_base = 25, 25, track.time_base
        packets = [*packets[:25], empty, *packets[26:]]
        frames = list(decoded(Source(container, None, track), track, iter(packets), damage))
    assert len(frames) == len(packets) - 1
    assert damage.lost_before(2.0, 2.04) is None
    assert not damage.is_open
