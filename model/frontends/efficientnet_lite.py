"""EfficientNet-Lite2: what a picture shows, as 1,280 numbers and 1,000 classes of ImageNet.

Tan and Le, EfficientNet (ICML 2019), table 1, in the Lite variant of 2020: no squeeze and excitation, ReLU6, and a stem
and a head that are not scaled. Lite2 is 1.1 times as wide and 1.2 times as deep as Lite0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate, linear, pad

from model.frontends.one_thread import one_thread

SIDE_PX = 260
EMBEDDING = 1280
CLASSES = 1000
MIDDLE_LEVEL, LEVELS = 127, 128  # a pixel's level becomes (level - 127) / 128
BATCH_NORM_EPSILON = 1e-3

# Blocks, kernel, stride of the first block, expansion, channels; Lite0's depths and widths are already scaled.
STAGES = (
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 48),
    (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120),
    (5, 5, 2, 6, 208),
    (1, 3, 1, 6, 352),
)


class EfficientNetLite2:
    """Hold the folded weights; equal pictures get equal bits, whatever the number of threads."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """Fold each batch norm into the convolution before it. `weights`: the published state, by name."""
        self._stem = _Convolution.folded(weights, "_conv_stem", "_bn0", stride=2)
        self._blocks: list[_Block] = []
        for repeats, kernel, first_stride, expansion, channels in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                made = _Block.of(weights, f"_blocks.{len(self._blocks)}", stride, expansion > 1, repeat > 0)
                assert made.depthwise.weight.shape[-1] == kernel
                assert len(made.project.weight) == channels
                self._blocks.append(made)
        self._head = _Convolution.folded(weights, "_conv_head", "_bn1")
        self._classes = weights["_fc.weight"], weights["_fc.bias"]

    def __call__(
        self, frame: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float32[np.ndarray, "1280"], Float32[np.ndarray, "1000"]]:
        """Return the pooled numbers (0 to 6) and the logits of an RGB frame, squeezed to a square."""
        with torch.inference_mode(), one_thread():
            found = self._stem(_pixels(frame))
            for block in self._blocks:
                found = block(found)
            pooled = adaptive_avg_pool2d(self._head(found), 1).flatten(1)
            logits = linear(pooled, *self._classes)
        return pooled[0].numpy(), logits[0].numpy()


def _pixels(frame: UInt8[np.ndarray, "height width 3"]) -> Float32[Tensor, "1 3 260 260"]:
    """Return the frame at the network's size, channels last; reducing it takes the mean over areas (antialiasing).

    Pillow's result, to one level, in a tenth of its time.
    """
    writable = np.require(frame, requirements=["C", "W"])  # torch warns of an array that it must not write to
    levels = torch.from_numpy(writable).permute(2, 0, 1)[None]
    small = interpolate(levels, (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True)
    return ((small.float() - MIDDLE_LEVEL) / LEVELS).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class _Convolution:
    """Hold a convolution with its batch norm inside; ReLU6 follows if `capped`."""

    weight: Float32[Tensor, "out in kernel kernel"]
    bias: Float32[Tensor, "out"]
    stride: int
    groups: int
    capped: bool

    @staticmethod
    def folded(
        weights: Mapping[str, Tensor],
        name: str,
        norm: str,
        stride: int = 1,
        depthwise: bool = False,
        capped: bool = True,
    ) -> _Convolution:
        weight = weights[f"{name}.weight"]
        scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + BATCH_NORM_EPSILON).sqrt()
        bias = weights[f"{norm}.bias"] - scale * weights[f"{norm}.running_mean"]
        folded = (weight * scale[:, None, None, None]).contiguous(memory_format=torch.channels_last)
        return _Convolution(folded, bias, stride, len(weight) if depthwise else 1, capped)

    def __call__(self, given: Float32[Tensor, "1 in height width"]) -> Float32[Tensor, "1 out height2 width2"]:
        """Convolve with TensorFlow's padding: ceil(side / stride) comes out, and the odd zero goes right and below."""
        kernel, side = self.weight.shape[-1], given.shape[-1]
        zeros = max((-(-side // self.stride) - 1) * self.stride + kernel - side, 0)
        around = zeros // 2
        if zeros % 2:
            given = pad(given, (around, around + 1, around, around + 1))
            around = 0
        found = conv2d(given, self.weight, self.bias, self.stride, around, groups=self.groups)
        return found.clamp_(0, 6) if self.capped else found


@dataclass(frozen=True)
class _Block:
    """An inverted residual: widen, filter each channel, narrow; added to what came in where the shape stays."""

    expand: _Convolution | None
    depthwise: _Convolution
    project: _Convolution
    residual: bool

    @staticmethod
    def of(weights: Mapping[str, Tensor], name: str, stride: int, expands: bool, residual: bool) -> _Block:
        folded = partial(_Convolution.folded, weights)
        return _Block(
            folded(f"{name}._expand_conv", f"{name}._bn0") if expands else None,
            folded(f"{name}._depthwise_conv", f"{name}._bn1", stride, depthwise=True),
            folded(f"{name}._project_conv", f"{name}._bn2", capped=False),
            residual,
        )

    def __call__(self, given: Float32[Tensor, "1 in height width"]) -> Float32[Tensor, "1 out height2 width2"]:
        wide = self.expand(given) if self.expand else given
        found = self.project(self.depthwise(wide))
        return found.add_(given) if self.residual else found
