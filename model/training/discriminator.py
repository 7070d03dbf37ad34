"""The discriminator: it learns to tell the means of sounds from those of pictures; encoders learn that it cannot.

Sources: Ganin and Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015 (the reversed gradient);
Wang et al., "Adversarial cross-modal retrieval", ACM Multimedia 2017 (modalities in the place of domains).
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

HIDDEN = 64


class Discriminator(nn.Module):
    """Judge by a perceptron with one hidden layer whether a mean is that of a sound."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.judge = nn.Sequential(nn.Linear(latent, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, audio: Float[Tensor, "batch latent"], visual: Float[Tensor, "batch latent"]) -> Float[Tensor, ""]:
        """Return the binary cross-entropy of the modality, in nats; log 2 where it cannot be told.

        Its gradient is reversed on the way to the means: what lets the discriminator err less lets encoders make it err
        more.
        """
        logit = self.logit(torch.cat([reversed_gradient(audio), reversed_gradient(visual)]))
        is_audio = torch.cat([logit.new_ones(len(audio)), logit.new_zeros(len(visual))])
        return nn.functional.binary_cross_entropy_with_logits(logit, is_audio)

    def logit(self, mu: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch"]:
        """Return the log-odds that a mean is that of a sound."""
        logit: Tensor = self.judge(mu)
        return logit.squeeze(1)


def reversed_gradient(values: Tensor) -> Tensor:
    """Return the values, whose gradient changes its sign on the way back."""
    reversed_: Tensor = _ReversedGradient.apply(values)  # type: ignore[no-untyped-call]
    return reversed_


class _ReversedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient
