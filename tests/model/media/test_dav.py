"""Recorders of cameras write .dav: frames of H.264 between the marks DHAV and dhav."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import numpy as np

from model.media.medium import open_medium

FPS = 25


def write_dav(path: Path, seconds: int) -> Path:
    """Write a grey picture that becomes lighter from frame to frame."""
    with av.open(io.BytesIO(), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": str(FPS), "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frames = [np.full((48, 64, 3), 4 * i, np.uint8) for i in range(FPS * seconds)]
        packets = [p for f in frames for p in stream.encode(av.VideoFrame.from_ndarray(f))] + stream.encode(None)
    path.write_bytes(b"".join(_framed(number, bytes(p), p.is_keyframe) for number, p in enumerate(packets)))
    return path


def _framed(number: int, packet: bytes, is_key: bool) -> bytes:
    size = bytes([0x80, 0, 64 // 8, 48 // 8, 0x81, 0, 2, FPS])  # of the picture; H.264
    length = 24 + len(size) + len(packet) + 8
    date = (26 << 26) | (11 << 22) | (29 << 17) | (1 << 12) | (number // FPS)
    head = b"DHAV" + bytes([0xFD if is_key else 0xFC, 0, 0, 0])
    head += struct.pack("<IIIHB", number, length, date, number * 1000 // FPS % 65536, len(size))
    return head + bytes([sum(head) & 255]) + size + packet + b"dhav" + struct.pack("<I", length)


def test_a_recording_of_a_camera_recorder_is_read(tmp_path: Path) -> None:
    """Second by second, each with a frame of it."""
    medium = open_medium(write_dav(tmp_path / "camera.dav", 2))
    found = [(s.start_s, s.frame) for s in medium.segments()]
    assert (medium.kind, [start_s for start_s, _ in found]) == ("video", [0, 1])
    for start_s, frame in found:
        assert frame is not None
        assert 100 * start_s < frame.mean() < 100 * (start_s + 1)
