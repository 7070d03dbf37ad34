"""Frames of a library's video side by side, all of one width, for the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from model.errors import MediaError, NotFound
from model.frontends.frontend import FrontEnd
from model.media.encoding import decode_jpeg, encode_strip
from model.media.medium import FOOTAGE, Medium, open_medium
from model.media.stretch import Stretch

MOST_SIDE = 480  # of a preview


def draw_filmstrip(
    _: FrontEnd,
    directory: Path,
    seconds: Sequence[int | None],
    height: int,
    original: Path | None,
) -> bytes:
    """Return the frames of the seconds as one JPEG, grey where a second is None or its frame cannot be had.

    Previews that are gone are taken from the original, if it is there. Raises NotFound where no frame can be had.
    """
    frames = [None if second is None else _preview(directory, second) for second in seconds]
    gone = [n for n, frame in enumerate(frames) if frame is None and seconds[n] is not None]
    if gone and original is not None:
        try:
            medium = open_medium(original, FOOTAGE)
            for number in gone:
                frames[number] = _frame_at(medium, seconds[number] or 0)
        except MediaError:  # the frames that are there are shown
            pass
    if not any(frame is not None for frame in frames):
        raise NotFound("the previews of these seconds are gone, and so is the file that they were made from")
    return encode_strip(frames, height)


def _preview(directory: Path, second: int) -> UInt8[np.ndarray, "height width 3"] | None:
    try:
        return decode_jpeg((directory / f"{second}.jpg").read_bytes())
    except OSError:  # gone, or cut short
        return None


def _frame_at(medium: Medium, second: int) -> UInt8[np.ndarray, "height width 3"] | None:
    """Return what is on show in the middle of a second."""
    if medium.kind == "picture":
        segment = next(iter(medium.segments()), None)
        return segment.frame if segment else None
    middle_s = second + 0.5
    found = Stretch(medium, middle_s, middle_s + 0.5, most_channels=1, most_side=MOST_SIDE).frames()
    return next((pixels for _, pixels in found), None)
