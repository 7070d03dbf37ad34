"""Augmentation: random changes of a picture that keep its content."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

SHIFT_PX = 3


def mirror_and_shift(
    pictures: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels height width"]:
    """Mirror each picture with probability 1/2; shift the batch by up to three pixels and repeat the border."""
    mirrored = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < 0.5
    views = torch.where(mirrored, pictures.flip(-1), pictures)
    height, width = pictures.shape[-2:]
    down, right = torch.randint(0, 2 * SHIFT_PX + 1, (2,)).tolist()
    padded = nn.functional.pad(views, (SHIFT_PX,) * 4, mode="replicate")
    return padded[..., down : down + height, right : right + width]
