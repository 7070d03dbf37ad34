"""VGG19 up to its fifth pool: what a picture is like, as 512 numbers.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, configuration
E, with the weights of the authors in the form of Keras. The 7 x 7 places of the pool are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch.nn.functional import conv2d, max_pool2d, relu

from model.frontends.one_thread import one_thread

SIDE_PX = 224
MEAN_BLUE_GREEN_RED = (103.939, 116.779, 123.68)  # levels; the network takes them in this order
BLOCKS = (2, 2, 4, 4, 4)  # convolutions before each pool
LAYERS = tuple(f"block{block}_conv{number}" for block, many in enumerate(BLOCKS, 1) for number in range(1, many + 1))


class Vgg19:
    """Hold the weights; equal pictures get equal bits, whatever the number of threads."""

    def __init__(self, weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """Take the kernel, (height, width, in, out) as in Keras, and the bias of each of LAYERS."""
        self._layers = [
            (torch.from_numpy(kernel.transpose(3, 2, 0, 1)).float().contiguous(), torch.from_numpy(bias).float())
            for kernel, bias in (weights[name] for name in LAYERS)
        ]

    @property
    def numbers(self) -> int:
        """Return how many numbers a picture has."""
        return len(self._layers[-1][1])

    def __call__(self, frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "D"]:
        """Return the mean over the fifth pool, 0 or more, of the whole frame, squeezed to a square."""
        with torch.inference_mode(), one_thread():
            found, layers = torch.from_numpy(prepared(frame))[None], iter(self._layers)
            for many in BLOCKS:
                for _ in range(many):
                    weight, bias = next(layers)
                    found = relu(conv2d(found, weight, bias, padding=1))
                found = max_pool2d(found, 2)
            return found[0].mean((1, 2)).numpy()


def prepared(frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "3 224 224"]:
    """Return the frame's levels less their mean over ImageNet, blue first."""
    square = Image.fromarray(frame).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    levels = np.asarray(square, np.float32)[..., ::-1] - np.array(MEAN_BLUE_GREEN_RED, np.float32)
    return np.ascontiguousarray(levels.transpose(2, 0, 1))
