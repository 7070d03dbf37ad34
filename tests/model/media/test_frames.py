"""From a decoded frame to RGB: upright, square pixels, the right colours, and bounded."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import VIDEO_CODECS, gradient, write_video

from model.errors import Damaged
from model.media import frames
from model.media.frames import square_size, upright_rgb
from model.media.medium import open_medium

FEW = 30  # frames that may be held at a time: packets and frames are read some way ahead

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 30), (40, 60, 220)
ONE = 1 << 16
ORIENTATIONS = {  # the matrix (a, b, c, d) of ISO 14496-12, and what it does to the stored picture
    "as stored": ((1, 0, 0, 1), lambda p: p),
    "half a turn": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "a turn to the right": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "a turn to the left": ((0, -1, 1, 0), np.rot90),
    "left and right": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "top and bottom": ((1, 0, 0, -1), lambda p: p[::-1]),
    "along the diagonal": ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    "along the other diagonal": ((0, -1, -1, 0), lambda p: np.rot90(p, 2).swapaxes(0, 1)),
}


def frame_of(
    pixels: np.ndarray, pixel_format: str = "yuv420p", *, matrix: int = 2, made_with: int = 5, full: bool = False
) -> av.VideoFrame:
    """Return a frame tagged `matrix`, whose pixels were made with the matrix `made_with`."""
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format=pixel_format, dst_colorspace=made_with, dst_color_range=2 if full else 1
    )
    frame.colorspace = matrix
    return frame


def only_frame(path: Path) -> np.ndarray:
    (segment,) = open_medium(path).segments()
    assert segment.frame is not None
    return segment.frame.astype(int)


def plain(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_display_matrix_is_obeyed(orientation: str, suffix: str, tmp_path: Path) -> None:
    """Four rotations, each mirrored or not: the shown picture is the stored one, moved as the matrix says."""
    (a, b, c, d), moved = ORIENTATIONS[orientation]
    matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30]
    path = write_video(tmp_path / f"v.{suffix}", 1.0, False, display_matrix=matrix, frame_at=lambda _: gradient())
    shown, expected = only_frame(path), moved(gradient())
    assert shown.shape == expected.shape
    assert np.abs(shown - expected.astype(int)).mean() < 8


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_the_pose_of_a_matroska_is_obeyed(degrees: int, turns: int, tmp_path: Path) -> None:
    """Matroska tells the rotation as the roll of a projection."""
    path = write_video(tmp_path / "v.mkv", 1.0, False, rotation_degrees=degrees, frame_at=lambda _: gradient())
    assert np.abs(only_frame(path) - np.rot90(gradient(), turns).astype(int)).mean() < 8


@pytest.mark.parametrize(
    ("size", "matrix"), [((64, 48), 5), ((1278, 64), 5), ((1280, 64), 1), ((64, 718), 5), ((64, 720), 1)]
)
@pytest.mark.parametrize("colour", [RED, GREEN, BLUE])
def test_the_size_tells_the_matrix_where_no_tag_does(
    colour: tuple[int, int, int], size: tuple[int, int], matrix: int
) -> None:
    """Untagged footage is BT.601 up to 719 lines of 1279 pixels, BT.709 beyond."""
    shown = upright_rgb(frame_of(plain(colour, *size), made_with=matrix))
    assert np.abs(shown.astype(int) - colour).max() <= 3


@pytest.mark.parametrize("tag", [1, 4, 5, 6, 7, 9])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p12le"])
@pytest.mark.parametrize("width", [64, 1280])
def test_a_declared_matrix_is_taken_whatever_the_size(tag: int, full: bool, pixel_format: str, width: int) -> None:
    """BT.709, FCC, BT.601, SMPTE 240M and BT.2020, of both ranges and of 8 to 12 bits."""
    made_with = 5 if tag == 6 else tag
    frame = frame_of(plain(RED, width), pixel_format, matrix=tag, made_with=made_with, full=full)
    frame.color_range = 2 if full else 1
    assert np.abs(upright_rgb(frame).astype(int) - RED).max() <= 4


@pytest.mark.parametrize("full", [False, True])
def test_ycgco_is_converted(full: bool) -> None:
    """Y = R/4 + G/2 + B/4, Cg = -R/4 + G/2 - B/4, Co = R/2 - B/2 (H.273), which FFmpeg's scaler refuses."""
    red, green, blue = (value / 255 for value in RED)
    parts = (red / 4 + green / 2 + blue / 4, -red / 4 + green / 2 - blue / 4, red / 2 - blue / 2)
    luma, chroma = (255, 255) if full else (219, 224)
    codes = [round(parts[0] * luma + (0 if full else 16)), *(round(128 + part * chroma) for part in parts[1:])]
    planes = np.stack([np.full((48, 64), code, np.uint8) for code in codes])
    frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
    frame.colorspace, frame.color_range = 8, 2 if full else 1
    assert np.abs(upright_rgb(frame).astype(int) - RED).max() <= 3


@pytest.mark.parametrize("tag", [0, 3, 11, 14, 15])
def test_a_matrix_that_nobody_can_convert_is_taken_for_none(tag: int) -> None:
    """A reserved or exotic code point in the file is no reason to refuse it, nor to leave by a foreign error."""
    assert np.abs(upright_rgb(frame_of(plain(RED), matrix=tag)).astype(int) - RED).max() <= 3


def test_a_frame_that_cannot_be_converted_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg's own error does not pass the door."""

    def refuse(*_: object) -> np.ndarray:
        raise av.error.InvalidDataError(1, "no")

    monkeypatch.setattr(frames, "_rgb", refuse)
    with pytest.raises(Damaged, match="cannot be converted"):
        upright_rgb(frame_of(plain(RED)))


def test_an_orientation_holds_until_the_next(tmp_path: Path) -> None:
    """H.264 tells the orientation of its key frames alone; the frames between are shown alike."""
    path = write_video(tmp_path / "v.mp4", 1.0, False, rotation_degrees=90)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        presentation = frames.Presentation(stream, 10**6)
        key_frame = next(iter(container.decode(stream)))
        shapes = [presentation.of(frame)().shape for frame in (key_frame, frame_of(plain(RED)))]
    assert shapes == [(64, 48, 3), (64, 48, 3)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize(("ratio", "width"), [("4/3", 85), ("8/9", 57), ("1/1", 64), ("448/447", 64)])
def test_pixels_become_square(ratio: str, width: int, suffix: str, tmp_path: Path) -> None:
    """The height stays, the width is that of a player; a rounding error of under 1 % changes nothing."""
    path = write_video(tmp_path / f"v.{suffix}", 1.0, False, pixel_ratio=Fraction(ratio), frame_at=lambda _: gradient())
    shown = only_frame(path)
    assert shown.shape == (48, width, 3)
    assert np.abs(shown - gradient(width).astype(int)).mean() < 8


def test_a_turned_picture_is_made_square_first(tmp_path: Path) -> None:
    """The ratio is that of the stored pixels: turned, the picture grows in height."""
    path = write_video(tmp_path / "v.mp4", 1.0, False, pixel_ratio=Fraction(4, 3), rotation_degrees=90)
    assert only_frame(path).shape == (85, 48, 3)


def test_square_pixels_keep_to_the_limit() -> None:
    """Where the wider picture had too many pixels, its height shrinks; absurd ratios are ignored."""
    assert square_size(720, 576, Fraction(16, 11), None) == (1047, 576)
    assert square_size(8000, 8000, Fraction(4, 3), 64_000_000) == (8000, 6000)
    assert square_size(720, 576, Fraction(1, 1000), None) == square_size(720, 576, Fraction(255), None) == (720, 576)


@pytest.mark.parametrize("suffix", VIDEO_CODECS)
def test_ordinary_footage_keeps_the_bits_of_ffmpegs_conversion(suffix: str, tmp_path: Path) -> None:
    """Where nothing has to be mended, a frame is what the scaler makes of it, bit for bit."""
    path = write_video(tmp_path / f"v.{suffix}", 1.0, False, frame_at=lambda _: gradient())
    with av.open(str(path)) as container:
        frame = next(iter(container.decode(video=0)))
    np.testing.assert_array_equal(upright_rgb(frame), frame.to_ndarray(format="rgb24"))


def frames_in_memory() -> int:
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_frames_go_without_a_garbage_collection(tmp_path: Path) -> None:
    """The command line collects rarely: a frame that waited for it would keep its picture, and its scaler's threads."""
    path, held = write_video(tmp_path / "v.mp4", 8.0), list[int]()
    gc.collect()
    before = frames_in_memory()  # that other tests hold
    gc.disable()
    try:
        for _ in open_medium(path).segments():
            held.append(frames_in_memory() - before)
    finally:
        gc.enable()
    assert max(held) <= FEW
