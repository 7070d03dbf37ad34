"""Films whose clock does not begin at 0, and whose tracks do not begin together."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.media_matrix.combination import Combination
from benchmarks.media_matrix.films import film

FILMS = {  # container: (picture, sound)
    "mp4": ("h264b", "aac"),
    "mov": ("h264b", "s16"),
    "mkv": ("h264b", "aac"),
    "webm": ("vp9", "opus"),
    "ts": ("h264b", "aac"),
    "m2ts": ("h264b", "ac3"),
    "mpg": ("mpeg2b", "mp2"),
    "avi": ("mpeg4", "mp3"),
    "flv": ("h264b", "aac"),
    "wmv": ("wmv2", "wmav2"),
    "nut": ("mpeg4b", "mp3"),
    "ogv": ("theora", "vorbis"),
}
BEGINNINGS_S = (10, 95_440)
LATE_S = (0.3, 1.0, 3.0)
SHIFTED_S = (0.3, 1.0)


def clocks() -> Iterator[Combination]:
    """Yield them all."""
    for suffix, (picture, sound) in FILMS.items():
        for begins_s in BEGINNINGS_S:
            muxer = f"-output_ts_offset {begins_s}"
            yield film("begins late", suffix, picture, sound, f"{suffix}-{begins_s}", muxer=muxer)
        for late_s in LATE_S:
            later = f"-ss {late_s} -itsoffset {late_s}"  # the track lacks its first seconds and is in step
            yield film("late track", suffix, picture, sound, f"{suffix}-sound-{late_s}", sound_input=later)
            yield film("late track", suffix, picture, sound, f"{suffix}-picture-{late_s}", picture_input=later)
            shorter = f"-t {5 - late_s}"
            yield film("short track", suffix, picture, sound, f"{suffix}-sound-{late_s}", sound_input=shorter)
            yield film("short track", suffix, picture, sound, f"{suffix}-picture-{late_s}", picture_input=shorter)
        for shift_s in SHIFTED_S:
            shift = f"-itsoffset {shift_s}"
            name = f"{suffix}-sound-{shift_s}"
            yield film("shifted", suffix, picture, sound, name, sound_input=shift, lag_s=shift_s)
            name = f"{suffix}-picture-{shift_s}"
            yield film("shifted", suffix, picture, sound, name, picture_input=shift, lag_s=-shift_s)
    for begins_s in (95_442, 95_443):
        for suffix in ("ts", "m2ts", "mpg"):
            picture, sound = FILMS[suffix]
            muxer = f"-output_ts_offset {begins_s}"
            yield film("begins late", suffix, picture, sound, f"{suffix}-{begins_s}", muxer=muxer)
