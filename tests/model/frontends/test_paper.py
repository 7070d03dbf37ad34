"""`paper`: the published definitions of VGGish and VGG19, computed another way, with few channels."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from media_samples import gradient, tone

from model.errors import FrontEndError
from model.frontends import paper, published
from model.frontends.registry import has_weights, make_front_end
from model.frontends.vgg19 import LAYERS, Vgg19, prepared
from model.frontends.vggish import VGGish, log_mel

RANDOM = np.random.default_rng(0)
# Table 1 of the VGGish release: convolutions and pools, then layers that see all.
VGGISH_PLAN = ("features.0", "pool", "features.3", "pool", "features.6", "features.8", "pool", "features.11")
VGGISH_PLAN += ("features.13", "pool")
VGGISH_WIDTHS = (1, 2, 3, 4, 4, 5, 6)
EMBEDDING = 7


def drawn(*shape: int) -> np.ndarray:
    """Return random weights that keep the size of what passes."""
    return (RANDOM.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def vggish_weights() -> dict[str, torch.Tensor]:
    """Return weights of VGGish's form with 2 to 6 channels in place of 64 to 512."""
    names = [name for name in VGGISH_PLAN if name != "pool"]
    shapes = {
        name: (after, before, 3, 3)
        for name, before, after in zip(names, VGGISH_WIDTHS, VGGISH_WIDTHS[1:], strict=False)
    }
    shapes |= {"embeddings.0": (9, 6 * 4 * 6), "embeddings.2": (8, 9), "embeddings.4": (EMBEDDING, 8)}
    weights = {f"{name}.weight": torch.from_numpy(drawn(*shape)) for name, shape in shapes.items()}
    return weights | {f"{name}.bias": torch.from_numpy(0.2 * np.abs(drawn(shape[0]))) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def vgg19_weights() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return kernels and biases of VGG19's form with 2 to 4 channels in place of 64 to 512."""
    width = {"1": 2, "2": 2, "3": 3, "4": 3, "5": 4}
    weights, before = {}, 3
    for name in LAYERS:
        after = width[name[5]]
        weights[name] = drawn(after, before, 3, 3).transpose(2, 3, 1, 0).copy(), 0.1 * drawn(after)
        before = after
    return weights


def convolved(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve (height, width, in) by (3, 3, in, out), zeros around, and cut below 0: nine shifted products."""
    padded = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    height, width = image.shape[:2]
    places = [(y, x) for y in range(3) for x in range(3)]
    return np.maximum(0, sum(padded[y : y + height, x : x + width] @ kernel[y, x] for y, x in places) + bias)


def pooled(image: np.ndarray) -> np.ndarray:
    """Return the largest of each 2 x 2 places."""
    return np.max([image[y::2, x::2] for y in (0, 1) for x in (0, 1)], axis=0)


def test_log_mel_follows_the_published_definition() -> None:
    """25 ms of a periodic Hann window each 10 ms, 512 points, magnitudes, 64 triangles in mel from 125 to 7500 Hz."""
    sound = (RANDOM.standard_normal(16_000) * 0.1).astype(np.float32)
    found = log_mel(sound)
    assert (found.shape, found.dtype) == ((96, 64), np.float32)
    mel = lambda hz: 1127 * np.log(1 + hz / 700)  # noqa: E731
    step = (mel(7500) - mel(125)) / 65
    for spectrum, band in ((0, 0), (17, 5), (50, 30), (95, 63)):
        stretch = sound[160 * spectrum : 160 * spectrum + 400].astype(float)
        window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / 400) for n in range(400)])
        power = 0.0
        for k in range(1, 257):
            weight = 1 - abs(mel(k * 16_000 / 512) - (mel(125) + (band + 1) * step)) / step
            if weight > 0:
                power += weight * abs(np.sum(stretch * window * np.exp(-2j * np.pi * k * np.arange(400) / 512)))
        np.testing.assert_allclose(found[spectrum, band], np.log(power + 0.01), atol=1e-5)


def test_vggish_has_the_published_layers(vggish_weights: dict[str, torch.Tensor]) -> None:
    """Channels last, as in the publication, with loops over the kernel: the same embedding."""
    image = log_mel(tone(1.0))[..., None]
    for name in VGGISH_PLAN:
        if name == "pool":
            image = pooled(image)
        else:
            kernel = vggish_weights[f"{name}.weight"].numpy().transpose(2, 3, 1, 0)
            image = convolved(image, kernel, vggish_weights[f"{name}.bias"].numpy())
    assert image.shape == (6, 4, 6)
    row = image.reshape(-1)
    for number in (0, 2, 4):
        weight, bias = (vggish_weights[f"embeddings.{number}.{kind}"].numpy() for kind in ("weight", "bias"))
        row = np.maximum(0, weight @ row + bias)
    found = VGGish(vggish_weights)(tone(1.0))
    assert np.ptp(row) > 0.01
    np.testing.assert_allclose(found, row, rtol=1e-3, atol=1e-4)


def test_vgg19_has_the_published_layers(vgg19_weights: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Configuration E: 2, 2, 4, 4, 4 convolutions, a pool after each, then the mean of 7 x 7 places."""
    assert len(LAYERS) == 16
    image = prepared(gradient()).transpose(1, 2, 0)
    for name in LAYERS:
        image = convolved(image, *vgg19_weights[name])
        if name in ("block1_conv2", "block2_conv2", "block3_conv4", "block4_conv4", "block5_conv4"):
            image = pooled(image)
    assert image.shape == (7, 7, 4)
    expected = image.mean((0, 1))
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(Vgg19(vgg19_weights)(gradient()), expected, rtol=1e-3, atol=1e-4)


def test_pictures_are_blue_first_less_the_mean() -> None:
    """Levels of 0 to 255, not scaled."""
    found = prepared(np.full((30, 50, 3), (255, 100, 0), np.uint8))
    assert (found.shape, found.dtype) == ((3, 224, 224), np.float32)
    expected = [0 - 103.939, 100 - 116.779, 255 - 123.68]
    np.testing.assert_allclose(found[:, 7, 9], expected, rtol=1e-6)
    np.testing.assert_allclose(found.std((1, 2)), 0, atol=1e-3)


@pytest.fixture
def files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vggish_weights: dict[str, torch.Tensor],
    vgg19_weights: dict[str, tuple[np.ndarray, np.ndarray]],
) -> Path:
    """Write both files as they are published, pin them, and return their directory."""
    directory = tmp_path / "paper"
    directory.mkdir()
    torch.save(vggish_weights, directory / published.VGGISH.file_name)
    with h5py.File(directory / published.VGG19.file_name, "w") as stored:
        for name, (kernel, bias) in vgg19_weights.items():
            stored[f"{name}/{name}_W_1:0"], stored[f"{name}/{name}_b_1:0"] = kernel, bias
    for constant in ("VGGISH", "VGG19"):
        pin = getattr(published, constant)
        content = (directory / pin.file_name).read_bytes()
        checksum = hashlib.new(pin.algorithm, content).hexdigest()[: len(pin.checksum)]
        for module in (paper, published):
            monkeypatch.setattr(module, constant, replace(pin, checksum=checksum))
    return directory


def test_the_front_end_is_made_of_both_files(
    files: Path, vggish_weights: dict[str, torch.Tensor], vgg19_weights: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Each modality is its own network's, and the identity is of the bytes."""
    front_end = make_front_end("paper", files.parent)
    assert (front_end.audio_shape, front_end.visual_shape) == ((EMBEDDING,), (4,))
    assert front_end.audio(tone(1.0)).tobytes() == VGGish(vggish_weights)(tone(1.0)).tobytes()
    assert front_end.visual(gradient()).tobytes() == Vgg19(vgg19_weights)(gradient()).tobytes()
    digests = [hashlib.sha256((files / file.file_name).read_bytes()).digest() for file in (paper.VGGISH, paper.VGG19)]
    assert front_end.identity == f"paper-1-{hashlib.sha256(b''.join(digests)).hexdigest()[:12]}"


@pytest.mark.parametrize("file", [published.VGGISH, published.VGG19])
def test_files_that_are_absent_or_others_are_named(files: Path, file: published.PublishedFile) -> None:
    """The error says where the published one is."""
    assert has_weights("paper", files.parent)
    with (files / file.file_name).open("ab") as out:
        out.write(b"x")
    with pytest.raises(FrontEndError, match=rf"expected: it is not the published one; fetch it again from {file.url}"):
        make_front_end("paper", files.parent)
    (files / file.file_name).unlink()
    assert not has_weights("paper", files.parent)
    with pytest.raises(FrontEndError, match=rf"the weights {file.file_name} are not in .*; fetch them from {file.url}"):
        make_front_end("paper", files.parent)
