"""Stamps and rates that no recorder writes: they must not cost memory or make footage without end."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import write_video

from model.media.medium import FOOTAGE, open_medium
from model.media.segments import SoundBlock, fill_gaps


@pytest.mark.parametrize("wild", [50, 99])
def test_a_picture_that_waits_for_days_is_shown_when_it_is_decoded(wild: int, tmp_path: Path) -> None:
    """One MP4 packet is to be shown a million seconds after it is decoded: four seconds remain four."""
    one = write_video(tmp_path / "one.mp4", 4.0, sound=False, codec="mpeg4")
    path = tmp_path / "v.mp4"
    with av.open(str(one)) as source, av.open(str(path), "w", options={"video_track_timescale": "1000"}) as copy:
        track = copy.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(packet for packet in source.demux() if packet.dts is not None):
            if number == wild:
                packet.pts = packet.dts + round(1_000_000 / packet.time_base)
            packet.stream = track
            copy.mux_one(packet)
    assert len(list(islice(open_medium(path, FOOTAGE).segments(), 100))) == 4


def test_silence_before_sound_of_an_absurd_rate_comes_in_small_blocks() -> None:
    """A file may declare 2 GHz: a second of that would be 8 GiB."""
    late = SoundBlock(3.0, 2**31 - 1, np.ones(10, np.float32))
    block, _ = next(fill_gaps([late]))
    assert len(block.samples) <= 1_000_000
