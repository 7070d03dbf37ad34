"""What training minimizes.

L = reconstruction + kl * KL + wasserstein * W + contrast * N + grouping * T + correlation * C. Reconstruction and KL
are summed over the two directions (from audio, from visual). T, the cross-entropy of the teacher's groups, takes the
place of N where there is a teacher. Sources: Zhu et al., ICASSP 2021 (the first three); van den Oord et al., 2018 (N,
InfoNCE); model/teacher.py (T); Zbontar et al., "Barlow Twins", ICML 2021 (C, off by default).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from model.msvae import MODALITIES, MSVAE, Modality, Posterior
from model.teacher import Teacher


class Terms(NamedTuple):
    """The loss and its unweighted parts, scalars."""

    loss: Tensor
    reconstruction: Tensor
    kl_audio: Tensor
    kl_visual: Tensor
    wasserstein: Tensor
    correlation: Tensor
    contrast: Tensor
    grouping: Tensor


@dataclass(frozen=True)
class Objective:
    """Weigh the terms.

    Sound training takes means over dimensions, so that no weight depends on a feature's size; `published`
    sums KL over latent dimensions and takes the norm between independent samples, as the released code does.
    """

    kl: float = 1e-3
    wasserstein: float = 0.3
    correlation: float = 0.0
    redundancy: float = 0.02  # weight of the off-diagonal within the correlation term
    contrast: float = 4.0
    contrast_temperature: float = 0.1  # in units of cosine
    grouping: float = 4.0
    published: bool = False

    def __call__(
        self, model: MSVAE, audio: Tensor, visual: Tensor, video: Tensor, teacher: Teacher | None = None
    ) -> Terms:
        """Return the terms of a batch of normalized pairs, (batch, *A) and (batch, *V), of the videos (batch,)."""
        posteriors = {"audio": model.encode("audio", audio), "visual": model.encode("visual", visual)}
        samples = {m: posteriors[m].sample() for m in MODALITIES}
        reconstruction = sum(
            (_pair_error(model, samples[m], audio, visual, self.published) for m in MODALITIES),
            start=audio.new_zeros(()),
        )
        kl = {m: kl_divergence(posteriors[m]) for m in MODALITIES}
        if self.published:
            wasserstein = sample_distance(samples["audio"], samples["visual"])
        else:
            kl = {m: kl[m] / model.architecture.latent for m in MODALITIES}
            squared = wasserstein2_squared(posteriors["audio"], posteriors["visual"])
            wasserstein = squared.mean() / model.architecture.latent
        correlation = audio.new_zeros(())
        if self.correlation:
            correlation = decorrelation(posteriors["audio"].mu, posteriors["visual"].mu, self.redundancy)
        contrast, grouping = audio.new_zeros(()), audio.new_zeros(())
        if teacher is not None:
            grouping = teacher(posteriors["audio"].mu, video) + teacher(posteriors["visual"].mu, video)
        elif self.contrast:
            means = posteriors["audio"].mu, posteriors["visual"].mu
            contrast = cross_contrast(*means, video, self.contrast_temperature)
        loss = (
            reconstruction
            + self.kl * (kl["audio"] + kl["visual"])
            + self.wasserstein * wasserstein
            + self.correlation * correlation
            + self.contrast * contrast
            + self.grouping * grouping
        )
        return Terms(loss, reconstruction, kl["audio"], kl["visual"], wasserstein, correlation, contrast, grouping)


def direction_loss(
    model: MSVAE, source: Modality, audio: Tensor, visual: Tensor, kl: float, wasserstein: float
) -> Float[Tensor, ""]:
    """Return the released loss of one direction: the pair generated from `source`, its KL, and W, all `published`.

    Both directions pay W; of the other modality only a sample is taken, nothing flows back into its encoder.
    """
    features = {"audio": audio, "visual": visual}
    other: Modality = "visual" if source == "audio" else "audio"
    posterior = model.encode(source, features[source])
    sample = posterior.sample()
    with torch.no_grad():
        aim = model.encode(other, features[other]).sample()
    error = _pair_error(model, sample, audio, visual, published=True)
    return error + kl * kl_divergence(posterior) + wasserstein * sample_distance(sample, aim)


def sample_distance(one: Float[Tensor, "batch latent"], other: Float[Tensor, "batch latent"]) -> Float[Tensor, ""]:
    """Return the released stand-in for W2: the Euclidean norm between samples, averaged over the batch."""
    distance: Tensor = (one - other).norm(dim=1).mean()
    return distance


def kl_divergence(posterior: Posterior) -> Float[Tensor, ""]:
    """Return KL(q || N(0, I)) in nats, summed over dimensions, averaged over the batch."""
    mu, log_variance = posterior
    return 0.5 * (mu.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()


def wasserstein2_squared(one: Posterior, other: Posterior) -> Float[Tensor, "batch"]:
    """Return W2^2 = ||mu1 - mu2||^2 + ||sigma1 - sigma2||^2, the closed form for diagonal Gaussians."""
    return (one.mu - other.mu).square().sum(1) + (one.sigma - other.sigma).square().sum(1)


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
    video: Int64[Tensor, "batch"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Return InfoNCE over the batch, both ways, in nats: each mean should be nearest to its own pair's.

    Other seconds of the same video are no negatives: they often show the same.
    Source: van den Oord et al., "Representation learning with contrastive predictive coding", 2018.
    """
    cosine = nn.functional.normalize(one, dim=1) @ nn.functional.normalize(other, dim=1).T
    own = torch.arange(len(one), device=one.device)
    siblings = (video[:, None] == video) & (own[:, None] != own)
    logits = (cosine / temperature).masked_fill(siblings, -torch.inf)
    return 0.5 * (nn.functional.cross_entropy(logits, own) + nn.functional.cross_entropy(logits.T, own))


def _standardized(values: Tensor) -> Tensor:
    centred = values - values.mean(0)
    return centred / (centred.square().mean(0) + 1e-6).sqrt()


def _pair_error(model: MSVAE, latent: Tensor, audio: Tensor, visual: Tensor, published: bool) -> Tensor:
    """Return the mean squared error of the pair; each modality counts the same, whatever its size.

    `published` takes one mean over the concatenated pair instead.
    """
    target = torch.cat([visual.flatten(1), audio.flatten(1)], dim=1)
    error = (model.decode(latent) - target).square()
    if published:
        return error.mean()
    width = visual[0].numel()
    return 0.5 * (error[:, :width].mean() + error[:, width:].mean())
