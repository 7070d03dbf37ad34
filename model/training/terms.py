"""The terms of the loss, one function each: of posteriors, means, samples and generated pairs; unweighted scalars.

Tests compare values and gradients with independent computations: tests/model/training/test_objective.py.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from model.modality import Modality
from model.network.msvae import Posterior


def reconstruction(
    generated: Float[Tensor, "batch pair"], audio: Float[Tensor, "batch *A"], visual: Float[Tensor, "batch *V"]
) -> dict[Modality, Float[Tensor, ""]]:
    """Return the mean squared error of each modality, whatever its size."""
    error, width = _squared_errors(generated, audio, visual), visual[0].numel()
    return {"audio": error[:, width:].mean(), "visual": error[:, :width].mean()}


def released_reconstruction(
    generated: Float[Tensor, "batch pair"], audio: Float[Tensor, "batch *A"], visual: Float[Tensor, "batch *V"]
) -> Float[Tensor, ""]:
    """Return the released error: one mean over the pair, so that the larger modality counts for more."""
    return _squared_errors(generated, audio, visual).mean()


def kl_divergence(posterior: Posterior, free_bits: float = 0.0) -> Float[Tensor, ""]:
    """Return KL(q || N(0, I)) in nats, summed over dimensions, averaged over the batch.

    Each dimension, averaged over the batch, counts at least `free_bits` nats; below that it has no gradient.
    Source: Kingma et al., "Improved variational inference with inverse autoregressive flow", 2016.
    """
    mu, log_variance = posterior
    each = mu.square() + log_variance.exp() - 1 - log_variance
    if free_bits:
        return (0.5 * each).mean(0).clamp(min=free_bits).sum()
    return 0.5 * each.sum(1).mean()


def wasserstein2_squared(one: Posterior, other: Posterior) -> Float[Tensor, "batch"]:
    """Return W2^2 = ||mu1 - mu2||^2 + ||sigma1 - sigma2||^2, the closed form for diagonal Gaussians."""
    return (one.mu - other.mu).square().sum(1) + (one.sigma - other.sigma).square().sum(1)


def sample_distance(one: Float[Tensor, "batch latent"], other: Float[Tensor, "batch latent"]) -> Float[Tensor, ""]:
    """Return the released stand-in for W2: the Euclidean norm between samples, averaged over the batch."""
    distance: Tensor = (one - other).norm(dim=1).mean()
    return distance


def decorrelation(
    one: Float[Tensor, "batch latent"], other: Float[Tensor, "batch latent"], redundancy: float
) -> Float[Tensor, ""]:
    """Return how far the cross-correlation of two views is from the identity, per latent dimension."""
    batch, latent = one.shape
    correlation = (_standardized(one).T @ _standardized(other)) / batch
    diagonal = correlation.diagonal()
    off_diagonal = correlation.square().sum() - diagonal.square().sum()
    return ((1 - diagonal).square().sum() + redundancy * off_diagonal) / latent


def cross_contrast(
    one: Float[Tensor, "batch latent"],
    other: Float[Tensor, "batch latent"],
    kin: Int64[Tensor, "batch"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Return InfoNCE over the batch, both ways, in nats: each mean should be nearest to its own pair's.

    Others of the same `kin` (seconds of a video, videos of a group) are no negatives: they often show the same.
    Source: van den Oord et al., "Representation learning with contrastive predictive coding", 2018.
    """
    return own_pair_entropy(cosines(one, other) / temperature, kin[:, None] == kin)


def in_video_contrast(
    one: Float[Tensor, "batch latent"],
    other: Float[Tensor, "batch latent"],
    video: Int64[Tensor, "batch"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Return InfoNCE within each video, both ways, in nats: a second should be nearest to its own among its video's.

    A video with a single second in the batch counts as zero.
    """
    return own_pair_entropy(cosines(one, other) / temperature, video[:, None] != video)


def centre_distance(
    one: Float[Tensor, "batch latent"], other: Float[Tensor, "batch latent"], group: Int64[Tensor, "batch"]
) -> Float[Tensor, ""]:
    """Return half the squared distance of each mean's direction to the centre of its group, averaged.

    The centre is that of the group's directions in the batch, of both modalities, in place of a running one.
    Source: Wen et al., "A discriminative feature learning approach for deep face recognition", ECCV 2016.
    """
    direction = nn.functional.normalize(torch.cat([one, other]), dim=1)
    both = group.repeat(2)
    share = nn.functional.normalize((both[:, None] == both).to(direction.dtype), p=1.0, dim=1)
    return 0.5 * (direction - share @ direction).square().sum(1).mean()


def own_pair_entropy(logits: Float[Tensor, "batch batch"], ignored: Bool[Tensor, "batch batch"]) -> Float[Tensor, ""]:
    """Return the cross-entropy, in nats, of the own pair, on the diagonal, among the items that are not ignored.

    It is the mean over seconds and both ways. The own pair is never ignored.
    """
    own = torch.arange(len(logits), device=logits.device)
    logits = logits.masked_fill(ignored & (own[:, None] != own), -torch.inf)
    return 0.5 * (nn.functional.cross_entropy(logits, own) + nn.functional.cross_entropy(logits.T, own))


def cosines(one: Float[Tensor, "n latent"], other: Float[Tensor, "m latent"]) -> Float[Tensor, "n m"]:
    """Return the cosine of each of one with each of the other."""
    return nn.functional.normalize(one, dim=1) @ nn.functional.normalize(other, dim=1).T


def _standardized(values: Tensor) -> Tensor:
    centred = values - values.mean(0)
    return centred / (centred.square().mean(0) + 1e-6).sqrt()


def _squared_errors(generated: Tensor, audio: Tensor, visual: Tensor) -> Float[Tensor, "batch pair"]:
    target = torch.cat([visual.flatten(1), audio.flatten(1)], dim=1)
    return (generated - target).square()
