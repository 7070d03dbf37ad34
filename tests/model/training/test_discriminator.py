"""The discriminator learns, and what it asks of the encoders is the reverse."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from model.training.discriminator import Discriminator, reversed_gradient

LATENT = 6


def means(seconds: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return means of sounds and of pictures that differ a little in two dimensions."""
    draw = torch.Generator().manual_seed(seed)
    audio, visual = (torch.randn(seconds, LATENT, generator=draw) for _ in range(2))
    shift = torch.tensor([0.8, -0.8, 0.0, 0.0, 0.0, 0.0])
    return audio + shift, visual - shift


def trained(audio: Tensor, visual: Tensor, steps: int = 300) -> Discriminator:
    """Return a discriminator that learnt from means that do not move."""
    torch.manual_seed(0)
    discriminator = Discriminator(LATENT)
    optimizer = torch.optim.AdamW(discriminator.parameters(), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        discriminator(audio, visual).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return discriminator


def accuracy(discriminator: Discriminator, audio: Tensor, visual: Tensor) -> float:
    right = torch.cat([discriminator.logit(audio) > 0, discriminator.logit(visual) < 0])
    return float(right.float().mean())


def test_it_tells_modalities_of_frozen_encoders_apart() -> None:
    """On new seconds it is right far more often than chance; where nothing differs it is at chance."""
    discriminator = trained(*means(400, seed=1))
    assert accuracy(discriminator, *means(400, seed=2)) > 0.8
    assert float(discriminator(*means(400, seed=2)).detach()) < 0.8 * math.log(2)
    same = means(400, seed=3)[0]
    assert accuracy(discriminator, same, same) == pytest.approx(0.5)
    assert float(discriminator(same, same).detach()) > math.log(2)


def test_the_loss_is_the_cross_entropy_of_the_modality() -> None:
    """-log of the probability of the right modality, by hand."""
    discriminator, (audio, visual) = Discriminator(LATENT), means(5, seed=4)
    p_audio, p_visual = (1 / (1 + (-discriminator.logit(x).detach().double()).exp()) for x in (audio, visual))
    expected = -(p_audio.log().sum() + (1 - p_visual).log().sum()) / 10
    assert float(discriminator(audio, visual).detach()) == pytest.approx(float(expected), rel=1e-5)


def test_the_gradient_of_the_means_is_reversed_that_of_the_discriminator_is_not() -> None:
    """Against cross-entropy without the reversal, in float64; the discriminator's own is a finite difference."""
    discriminator = Discriminator(LATENT).double()
    audio, visual = (x.double().requires_grad_() for x in means(5, seed=5))
    weights = list(discriminator.parameters())
    logit = discriminator.logit(torch.cat([audio, visual]))
    plain = nn.functional.softplus(torch.cat([-logit[:5], logit[5:]])).mean()
    expected = torch.autograd.grad(plain, [audio, visual, *weights])
    found = torch.autograd.grad(discriminator(audio, visual), [audio, visual, *weights])
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert other.any()
        torch.testing.assert_close(one, -other if number < 2 else other)

    def loss(bias: Tensor) -> Tensor:
        parameters = dict(discriminator.named_parameters()) | {"judge.0.bias": bias}
        return torch.func.functional_call(discriminator, parameters, (audio.detach(), visual.detach()))

    assert gradcheck(loss, (discriminator.judge[0].bias.detach().clone().requires_grad_(),))


def test_a_reversed_gradient_leaves_values_alone() -> None:
    """The values are the same, the slope is -1."""
    values = torch.tensor([1.0, -2.0], requires_grad=True)
    assert torch.equal(reversed_gradient(values), values)
    assert torch.autograd.grad(reversed_gradient(values).sum(), values)[0].tolist() == [-1, -1]


def test_encoders_that_follow_it_can_no_longer_be_told_apart() -> None:
    """Means that move along with a learning discriminator become alike: a fresh one is near chance on them."""
    audio, visual = means(300, seed=6)
    shift = nn.Parameter(torch.zeros(LATENT))
    torch.manual_seed(1)
    discriminator = Discriminator(LATENT)
    slowly = {"params": [shift], "lr": 1e-2}  # as fast as the discriminator it would run in circles
    optimizer = torch.optim.SGD([slowly, {"params": discriminator.parameters()}], lr=0.1)
    for _ in range(1000):
        optimizer.zero_grad()
        discriminator(audio + shift, visual).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    moved = (audio + shift).detach()
    assert (moved.mean(0) - visual.mean(0)).norm() < 0.3 * (audio.mean(0) - visual.mean(0)).norm()
    new_audio, new_visual = means(300, seed=7)
    fresh = accuracy(trained(moved, visual), new_audio + shift.detach(), new_visual)
    assert fresh < accuracy(trained(audio, visual), new_audio, new_visual) - 0.2
