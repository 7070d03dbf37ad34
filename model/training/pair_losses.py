"""Losses of pairs that can take InfoNCE's place: what a second's sound and its picture should be to each other.

Each takes the means of sounds and of pictures, row by row of the same seconds, and says it both ways. `rival`[i, j]:
whether second j is a negative of second i, and so i of j; never its own. s(i, j) is the cosine of sound i and picture
j, s(i, i) that of a pair. Each loss is a mean over seconds; a second without rivals adds nothing. The losses are those
of a survey: Vilaça, Yu and Viana, "Recent advances and challenges in deep audio-visual correlation learning", 2022.
Tests compare values with slow loops, and gradients with finite differences: tests/model/training/test_pair_losses.py.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from model.training.terms import cosines, own_pair_entropy

Means = Float[Tensor, "batch latent"]
Rivals = Bool[Tensor, "batch batch"]
Loss = Float[Tensor, ""]
NEAREST = 1e-6  # squared distances count as no less: the gradient of the distance is infinite at zero


def hinge(one: Means, other: Means, rival: Rivals, margin: float) -> Loss:
    """Return the sum over all rivals j of max(0, margin - s(i, i) + s(i, j)).

    Source: Kiros, Salakhutdinov and Zemel, "Unifying visual-semantic embeddings with multimodal neural language
    models", 2014.
    """
    return _both_ways(_lacking(one, other, rival, margin).sum(1), _lacking(other, one, rival, margin).sum(1))


def triplet(one: Means, other: Means, rival: Rivals, margin: float) -> Loss:
    """Return the largest max(0, margin - s(i, i) + s(i, j)), that of the hardest rival j in the batch.

    Of directions, the squared distance is 2 - 2 s: FaceNet's triplet, with half its margin.
    Sources: Schroff, Kalenichenko and Philbin, "FaceNet", CVPR 2015; Faghri et al., "VSE++", BMVC 2018 (the hardest).
    """
    return _both_ways(_lacking(one, other, rival, margin).amax(1), _lacking(other, one, rival, margin).amax(1))


def masked_margin(one: Means, other: Means, rival: Rivals, margin: float, temperature: float) -> Loss:
    """Return -log of the pair's share of exp(s / temperature) among its rivals, `margin` taken from its own s first.

    Without a margin it is InfoNCE.
    Source: Ilharco, Zhang and Baldridge, "Large-scale representation learning from visually grounded untranscribed
    speech", CoNLL 2019, with a temperature, and a margin that does not grow.
    """
    own = torch.eye(len(one), dtype=one.dtype, device=one.device)
    return own_pair_entropy((cosines(one, other) - margin * own) / temperature, ~rival)


def n_pair(one: Means, other: Means, rival: Rivals) -> Loss:
    """Return log(1 + sum over rivals j of exp(p(i, j) - p(i, i))), p the inner products of the means themselves.

    The published penalty of the means' lengths is left out: on the sphere these are sqrt(latent), so that this is
    InfoNCE with a temperature of 1 / latent.
    Source: Sohn, "Improved deep metric learning with multi-class N-pair loss objective", NeurIPS 2016.
    """
    return own_pair_entropy(one @ other.T, ~rival)


def lifted_structure(one: Means, other: Means, rival: Rivals, margin: float) -> Loss:
    """Return half of max(0, d(i, i) + log(sum over rivals of exp(margin - d)))^2, d the distance of directions.

    The sum is over the rivals j of the sound, d(i, j), and those of the picture, d(j, i).
    Source: Song et al., "Deep metric learning via lifted structured feature embedding", CVPR 2016.
    """
    distance = (2 - 2 * cosines(one, other)).clamp(min=NEAREST).sqrt()
    near = (margin - torch.cat([distance, distance.T], dim=1)).masked_fill(~rival.repeat(1, 2), -torch.inf)
    return 0.5 * nn.functional.relu(distance.diagonal() + near.logsumexp(1)).square().mean()


def _lacking(query: Means, item: Means, rival: Rivals, margin: float) -> Float[Tensor, "batch batch"]:
    """Return how much each rival item lacks to be less close than the query's own, by the margin; else 0."""
    cosine = cosines(query, item)
    return nn.functional.relu(margin - cosine.diagonal()[:, None] + cosine).masked_fill(~rival, 0.0)


def _both_ways(one: Float[Tensor, "batch"], other: Float[Tensor, "batch"]) -> Loss:
    return 0.5 * (one.mean() + other.mean())
