"""From packets to frames: containers that say when a picture is decoded, and not when it is shown."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_samples import grey_at, grey_frame, loudest_hz, second_hz, stepped_tone
from track_samples import PictureTrack, SoundTrack, write_tracks

from model.media.containers import read_frames
from model.media.medium import open_medium
from model.media.segments import TimedFrame

MUXERS = {"avi": "avi", "wmv": "asf", "mpg": "mpeg"}
DELAY_S = 0.05  # of MP3 and MP2, which none of these containers tells


def textured_frame(time_s: float) -> np.ndarray:
    """Return a frame whose brightness codes its time, with a bar that moves: B-frames pay."""
    frame = grey_frame(time_s, 128, 96)
    at = round(time_s * 25) % 96
    frame[at : at + 8] = 255 - grey_at(time_s)
    return frame


def film(path: Path, b_frames: int) -> Path:
    suffix = path.suffix[1:]
    picture = PictureTrack("libx264", textured_frame, rate_hz=Fraction(25), options={"bf": str(b_frames), "g": "25"})
    sound = SoundTrack("mp2", stepped_tone(4, 48_000)[:, np.newaxis], 48_000, sample_format="s16")
    return write_tracks(path, MUXERS[suffix], 4, picture, sound)


@pytest.mark.parametrize("b_frames", [0, 2, 3])
@pytest.mark.parametrize("suffix", MUXERS)
def test_frames_come_in_order_when_they_are_shown(suffix: str, b_frames: int, tmp_path: Path) -> None:
    """H.264, with and without B-frames: each frame has its time, and none counts as lost."""
    path = film(tmp_path / f"v.{suffix}", b_frames)
    frames = list(read_frames(path, 10**6))
    assert all(isinstance(frame, TimedFrame) and frame.whole for frame in frames)
    starts_s = [frame.start_s for frame in frames]
    assert len(starts_s) == 100
    slack_s = 0.041 if suffix == "mpg" else 0.002  # there few pictures have stamps
    assert starts_s == pytest.approx([starts_s[0] + number / 25 for number in range(100)], abs=slack_s)
    assert 0 <= starts_s[0] <= 0.04
    reading = open_medium(path).segments()
    for segment in reading:
        assert segment.sound is not None
        assert segment.frame is not None
        assert loudest_hz(segment.sound[2000:-2000]) == pytest.approx(second_hz(segment.start_s), abs=3)
        assert np.median(segment.frame) == pytest.approx(grey_at(segment.start_s + 0.48), abs=25 * DELAY_S + 2)
    assert (reading.loss_s, reading.notes) == (0, ())
