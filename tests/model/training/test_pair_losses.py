"""Each loss of pairs against a slow loop over its formula, its gradient, and what it is zero for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from model.training.pair_losses import hinge, lifted_structure, masked_margin, n_pair, triplet
from model.training.terms import cross_contrast

BATCH, LATENT = 7, 4
VIDEO = torch.tensor([0, 0, 1, 1, 2, 3, 4])
RIVAL = VIDEO[:, None] != VIDEO
MARGIN, TEMPERATURE = 0.3, 0.5
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "hinge": partial(hinge, margin=MARGIN),
    "triplet": partial(triplet, margin=MARGIN),
    "masked_margin": partial(masked_margin, margin=MARGIN, temperature=TEMPERATURE),
    "n_pair": n_pair,
    "lifted_structure": partial(lifted_structure, margin=MARGIN),
}
WITH_A_FLOOR = ("hinge", "triplet", "lifted_structure")


def means(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return means of sounds and, not far from them, of pictures."""
    draw = torch.Generator().manual_seed(seed)
    one, noise = (torch.randn(BATCH, LATENT, generator=draw, dtype=torch.float64) for _ in range(2))
    return one.requires_grad_(), (one.detach() + 0.7 * noise).requires_grad_()


def apart() -> tuple[Tensor, Tensor]:
    """Return pairs that are all alike within, and at right angles to all others."""
    one = torch.eye(BATCH, dtype=torch.float64)
    return (2 * one).requires_grad_(), (3 * one).requires_grad_()


def value(tensor: Tensor) -> float:
    return float(tensor.detach())


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def both_ways(one: Tensor, other: Tensor) -> Iterator[tuple[np.ndarray, np.ndarray, list[np.ndarray]]]:
    """Yield each second's query, own item and rival items, of either way."""
    views = one.detach().numpy(), other.detach().numpy()
    for queries, items in (views, views[::-1]):
        for i in range(BATCH):
            yield queries[i], items[i], [items[j] for j in range(BATCH) if VIDEO[j] != VIDEO[i]]


def slow_hinge(one: Tensor, other: Tensor) -> float:
    return float(
        np.mean(
            [
                sum(max(0.0, MARGIN - cosine(query, own) + cosine(query, rival)) for rival in rivals)
                for query, own, rivals in both_ways(one, other)
            ]
        )
    )


def slow_triplet(one: Tensor, other: Tensor) -> float:
    """Return half of FaceNet's with twice the margin, in squared distances of directions."""
    found = []
    for query, own, rivals in both_ways(one, other):
        to = [np.sum((query / np.linalg.norm(query) - x / np.linalg.norm(x)) ** 2) for x in (own, *rivals)]
        found.append(0.5 * max(0.0, to[0] - min(to[1:]) + 2 * MARGIN))
    return float(np.mean(found))


def slow_masked_margin(one: Tensor, other: Tensor) -> float:
    found = []
    for query, own, rivals in both_ways(one, other):
        mine = np.exp((cosine(query, own) - MARGIN) / TEMPERATURE)
        found.append(-np.log(mine / (mine + sum(np.exp(cosine(query, r) / TEMPERATURE) for r in rivals))))
    return float(np.mean(found))


def slow_n_pair(one: Tensor, other: Tensor) -> float:
    return float(
        np.mean(
            [
                np.log(1 + sum(np.exp(query @ rival - query @ own) for rival in rivals))
                for query, own, rivals in both_ways(one, other)
            ]
        )
    )


def slow_lifted_structure(one: Tensor, other: Tensor) -> float:
    """Return the loss with both members' negatives in one sum."""
    audio, visual = ((x / x.norm(dim=1, keepdim=True)).detach().numpy() for x in (one, other))
    found = []
    for i in range(BATCH):
        near = sum(
            np.exp(MARGIN - np.linalg.norm(audio[i] - visual[j]))
            + np.exp(MARGIN - np.linalg.norm(visual[i] - audio[j]))
            for j in range(BATCH)
            if VIDEO[j] != VIDEO[i]
        )
        found.append(0.5 * max(0.0, np.linalg.norm(audio[i] - visual[i]) + np.log(near)) ** 2)
    return float(np.mean(found))


SLOW = {
    "hinge": slow_hinge,
    "triplet": slow_triplet,
    "masked_margin": slow_masked_margin,
    "n_pair": slow_n_pair,
    "lifted_structure": slow_lifted_structure,
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_that_of_a_slow_loop(name: str) -> None:
    """Written out over the seconds of other videos, for three draws."""
    for seed in range(3):
        one, other = means(seed)
        found = value(LOSSES[name](one, other, RIVAL))
        assert found > 0
        assert found == pytest.approx(SLOW[name](one, other))


@pytest.mark.parametrize("name", LOSSES)
def test_its_gradient_is_a_finite_difference(name: str) -> None:
    """torch.autograd.gradcheck in float64."""
    assert gradcheck(lambda one, other: LOSSES[name](one, other, RIVAL), means())


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_against_the_gradient_brings_pairs_closer_than_rivals(name: str) -> None:
    """A hundred small steps from pairs of chance rank every own picture first."""
    draw = torch.Generator().manual_seed(4)
    one, other = (torch.randn(BATCH, 8, generator=draw, dtype=torch.float64).requires_grad_() for _ in range(2))
    optimizer = torch.optim.Adam([one, other], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        LOSSES[name](one, other, RIVAL).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found = torch.nn.functional.cosine_similarity(one[:, None], other, dim=2).detach()
    assert (found.diagonal()[:, None] > found.masked_fill(~RIVAL, -2)).all()


@pytest.mark.parametrize("name", WITH_A_FLOOR)
def test_kept_margins_cost_nothing(name: str) -> None:
    """Where all rivals are farther than the margin asks for, loss and gradient are zero."""
    margin = -2.0 if name == "lifted_structure" else 0.9  # distances of sqrt 2: log(12 e^(-2 - sqrt 2)) < 0
    loss = {"hinge": hinge, "triplet": triplet, "lifted_structure": lifted_structure}[name]
    pairs = apart()
    found = loss(*pairs, RIVAL, margin=margin)
    assert value(found) == 0
    assert not any(gradient.any() for gradient in torch.autograd.grad(found, pairs))
    wider = 2.0 if name == "lifted_structure" else 1.1
    assert value(loss(*pairs, RIVAL, margin=wider)) > 0


def test_the_triplet_is_the_largest_part_of_the_hinge() -> None:
    """It is no more than the sum, and the same where there is one rival."""
    one, other = means()
    assert 0 < value(triplet(one, other, RIVAL, MARGIN)) < value(hinge(one, other, RIVAL, MARGIN))
    two = torch.tensor([[False, True], [True, False]])
    few = one[[0, 2]], other[[0, 2]]
    assert value(triplet(*few, two, 1.5)) == pytest.approx(value(hinge(*few, two, 1.5)))


def test_masked_margin_and_n_pair_are_kinds_of_info_nce() -> None:
    """Without a margin the first is InfoNCE, with one it is more; the second is, on the sphere, at 1 / latent."""
    one, other = means()
    plain = value(cross_contrast(one, other, VIDEO, TEMPERATURE))
    assert value(masked_margin(one, other, RIVAL, 0.0, TEMPERATURE)) == pytest.approx(plain)
    assert value(masked_margin(one, other, RIVAL, 0.1, TEMPERATURE)) > plain
    sphere = [LATENT**0.5 * torch.nn.functional.normalize(x, dim=1) for x in (one, other)]
    assert value(n_pair(sphere[0], sphere[1], RIVAL)) == pytest.approx(
        value(cross_contrast(one, other, VIDEO, 1 / LATENT))
    )


@pytest.mark.parametrize("name", LOSSES)
def test_seconds_without_rivals_have_no_loss(name: str) -> None:
    """A batch of one video has a loss and a gradient of zero, and nothing that is not finite."""
    pairs = means()
    margin = {"margin": 0.0} if name == "masked_margin" else {}
    found = partial(LOSSES[name], **margin)(*pairs, torch.zeros(BATCH, BATCH, dtype=torch.bool))
    assert value(found) == 0
    assert not any(gradient.any() for gradient in torch.autograd.grad(found, pairs))


def test_equal_directions_have_a_finite_gradient() -> None:
    """The distance of the lifted structure has none at zero."""
    pairs = apart()
    gradients = torch.autograd.grad(lifted_structure(*pairs, RIVAL, 1.0), pairs)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
