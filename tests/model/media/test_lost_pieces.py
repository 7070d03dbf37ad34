"""A recording read in pieces: what is lost in whole pieces is told as it is in an uncut reading."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import write_video

from model.media.medium import FOOTAGE, open_medium


def noisy(time_s: float) -> np.ndarray:
    return np.random.default_rng(round(time_s * 1000)).integers(0, 255, (48, 64, 3)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_track_lost_from_four_seconds_on_is_lost_in_each_piece(kind: str, tmp_path: Path) -> None:
    """Of 12 s the last 8 of one track are overwritten: in pieces of 3 s they are told once, and no track is dropped."""
    path = write_video(tmp_path / "v.mp4", 12.0, frame_at=noisy)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.stream.type == kind and packet.pos and float(packet.pts * packet.time_base) >= 4:
                data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    medium = replace(open_medium(path, replace(FOOTAGE, most_loss=1.0)), piece_s=3)
    reading = medium.segments()
    segments = list(reading)
    assert len(segments) == 12
    assert reading.loss_s == pytest.approx(8, abs=0.3)
    assert not any("taken without" in note for note in reading.notes)
