"""The `paper` front-end: VGGish and VGG19, as the features of AVE and of the published tables were made."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import h5py
import numpy as np
import torch
from jaxtyping import Float32, UInt8

from model.frontends.frontend import FrontEnd
from model.frontends.published import DIRECTORY, VGG19, VGGISH, read_published
from model.frontends.vgg19 import LAYERS, Vgg19
from model.frontends.vggish import VGGish


class PaperFrontEnd(FrontEnd):
    """VGGish's embedding (128) and the mean over VGG19's fifth pool (512) of a second's one frame.

    AVE averages the pool over 16 frames of each second; here a second has one.
    """

    name = DIRECTORY

    def __init__(self, directory: Path) -> None:
        """Read the published weights from `directory / "paper"`.

        Raises:
            FrontEndError: a file is absent or not the published one.
        """
        sound, picture = (read_published(directory / self.name, file) for file in (VGGISH, VGG19))
        self._vggish = VGGish(torch.load(io.BytesIO(sound), weights_only=True))
        self._vgg19 = Vgg19(_keras_layers(picture))
        self.audio_shape, self.visual_shape = (self._vggish.numbers,), (self._vgg19.numbers,)
        both = hashlib.sha256(hashlib.sha256(sound).digest() + hashlib.sha256(picture).digest())
        self.identity = f"{self.name}-1-{both.hexdigest()[:12]}"

    def audio(self, sound: Float32[np.ndarray, "16000"]) -> Float32[np.ndarray, "D"]:
        """Return VGGish's embedding."""
        return self._vggish(sound)

    def visual(self, frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "D"]:
        """Return the mean over VGG19's fifth pool."""
        return self._vgg19(frame)


def _keras_layers(content: bytes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return kernel and bias by layer."""
    layers = {}
    with h5py.File(io.BytesIO(content), "r") as stored:
        for name in LAYERS:
            found: dict[int, np.ndarray] = {}
            stored[name].visititems(lambda _, item, into=found: _take(item, into))
            layers[name] = found[4], found[1]
    return layers


def _take(item: object, into: dict[int, np.ndarray]) -> None:
    if isinstance(item, h5py.Dataset):
        into[item.ndim] = item[()]
