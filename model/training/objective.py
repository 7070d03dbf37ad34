"""The loss: the weighted sum of the terms of model/training/terms.py.

L = reconstruction + kl * KL + wasserstein * W + contrast * N + grouping * T + correlation * C + in_video * I
    + centre * Z + adversarial * A.
Reconstruction and KL are summed over the two directions (from audio, from visual). T, the cross-entropy of the
teacher's groups, replaces N where there is a teacher. Sources: Zhu et al., ICASSP 2021 (the first three);
van den Oord et al., 2018 (N and I, InfoNCE); model/training/pair_losses.py (other N); model/training/teacher.py (T);
Zbontar et al., "Barlow Twins", ICML 2021 (C); Wen et al., ECCV 2016 (Z, of the teacher's groups);
model/training/discriminator.py (A). C, I, Z and A are off by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from model.modality import MODALITIES, Modality
from model.network.msvae import MSVAE, Architecture, Posterior
from model.training import pair_losses
from model.training.discriminator import Discriminator
from model.training.teacher import Teacher
from model.training.terms import (
    centre_distance,
    cross_contrast,
    decorrelation,
    in_video_contrast,
    kl_divergence,
    reconstruction,
    released_reconstruction,
    sample_distance,
    wasserstein2_squared,
)

Negatives = Literal["all", "other_videos", "other_groups"]
PairLoss = Literal["info_nce", "hinge", "masked_margin", "triplet", "lifted_structure", "n_pair"]


@runtime_checkable
class Network(Protocol):
    """Encode and decode a batch, as `MSVAE` does."""

    @property
    def architecture(self) -> Architecture: ...  # noqa: D102

    def encode(self, modality: Modality, features: Tensor) -> Posterior:
        """Return the posterior of normalized features of one modality."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Return the pair that each latent generates."""
        ...


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
    in_video: Tensor
    centre: Tensor
    adversarial: Tensor


@dataclass(frozen=True)
class Objective:
    """Weigh the terms.

    KL and W are means over latent dimensions, so that no weight depends on their number. The released code differs:
    `sum_kl` sums KL over dimensions, `sampled_distance` takes the norm between independent samples in place of W2².
    `cross_generation`: the share of a generated pair's error that falls on the modality that it was not generated
    from; None takes one mean over the pair, so that the larger modality counts for more.
    `free_bits`: nats per latent dimension that KL does not punish.
    `negatives` of the contrast: all other seconds of the batch, those of other videos, or those of other groups by the
    teacher's finest grouping; only these last are used together with the teacher. `in_video` needs batches of whole
    videos. `pair_loss`: what the contrast is, InfoNCE or another loss of pairs. `margin`: of those that have one, in
    units of cosine; of the lifted structure, in units of the distance of directions. `centre` counts only where there
    is a teacher, `adversarial` only with a discriminator.
    """

    kl: float = 1e-3
    sum_kl: bool = False
    free_bits: float = 0.0
    wasserstein: float = 0.3
    sampled_distance: bool = False
    cross_generation: float | None = 0.5
    correlation: float = 0.0
    redundancy: float = 0.02  # weight of the off-diagonal within the correlation term
    contrast: float = 4.0
    contrast_temperature: float = 0.1  # in units of cosine
    negatives: Negatives = "other_videos"
    pair_loss: PairLoss = "info_nce"
    margin: float = 0.2
    in_video: float = 0.0
    grouping: float = 4.0
    centre: float = 0.0
    adversarial: float = 0.0

    def __call__(
        self,
        model: Network,
        audio: Tensor,
        visual: Tensor,
        video: Tensor,
        teacher: Teacher | None = None,
        discriminator: Discriminator | None = None,
    ) -> Terms:
        """Return the terms of a batch of normalized pairs, (batch, *A) and (batch, *V), of the videos (batch,)."""
        posteriors = {"audio": model.encode("audio", audio), "visual": model.encode("visual", visual)}
        samples = {m: posteriors[m].sample() for m in MODALITIES}
        error = sum(
            (self._error(m, model.decode(samples[m]), audio, visual) for m in MODALITIES),
            start=audio.new_zeros(()),
        )
        kl = {m: kl_divergence(posteriors[m], self.free_bits) for m in MODALITIES}
        if not self.sum_kl:
            kl = {m: kl[m] / model.architecture.latent for m in MODALITIES}
        if self.sampled_distance:
            wasserstein = sample_distance(samples["audio"], samples["visual"])
        else:
            squared = wasserstein2_squared(posteriors["audio"], posteriors["visual"])
            wasserstein = squared.mean() / model.architecture.latent
        means = posteriors["audio"].mu, posteriors["visual"].mu
        zero = audio.new_zeros(())
        correlation = decorrelation(*means, self.redundancy) if self.correlation else zero
        grouping = teacher(means[0], video) + teacher(means[1], video) if teacher is not None else zero
        contrast = self._contrast(means, video, teacher)
        in_video = in_video_contrast(*means, video, self.contrast_temperature) if self.in_video else zero
        centre = self._centre(means, video, teacher) if self.centre and teacher is not None else zero
        adversarial = discriminator(*means) if discriminator is not None else zero
        loss = (
            error
            + self.kl * (kl["audio"] + kl["visual"])
            + self.wasserstein * wasserstein
            + self.correlation * correlation
            + self.contrast * contrast
            + self.grouping * grouping
            + self.in_video * in_video
            + self.centre * centre
            + self.adversarial * adversarial
        )
        each = error, kl["audio"], kl["visual"], wasserstein, correlation, contrast, grouping, in_video
        return Terms(loss, *each, centre, adversarial)

    def _error(self, source: Modality, generated: Tensor, audio: Tensor, visual: Tensor) -> Tensor:
        """Return the error of the pair generated from `source`."""
        if self.cross_generation is None:
            return released_reconstruction(generated, audio, visual)
        errors, other = reconstruction(generated, audio, visual), _other(source)
        return (1 - self.cross_generation) * errors[source] + self.cross_generation * errors[other]

    def _contrast(self, means: tuple[Tensor, Tensor], video: Tensor, teacher: Teacher | None) -> Tensor:
        """Return the contrast; zero where it has no weight or the teacher replaces it."""
        beside = self.negatives == "other_groups"
        if not self.contrast or (teacher is not None and not beside):
            return means[0].new_zeros(())
        kin = teacher.get_buffer("group")[-1][video] if teacher is not None else video
        if self.negatives == "all":
            kin = torch.arange(len(video), device=video.device)
        return self._pair_loss(*means, kin)

    def _pair_loss(self, one: Tensor, other: Tensor, kin: Tensor) -> Tensor:
        """Return the loss of pairs; others of the same `kin` are no negatives."""
        rival = kin[:, None] != kin
        match self.pair_loss:
            case "info_nce":
                return cross_contrast(one, other, kin, self.contrast_temperature)
            case "hinge":
                return pair_losses.hinge(one, other, rival, self.margin)
            case "triplet":
                return pair_losses.triplet(one, other, rival, self.margin)
            case "masked_margin":
                return pair_losses.masked_margin(one, other, rival, self.margin, self.contrast_temperature)
            case "lifted_structure":
                return pair_losses.lifted_structure(one, other, rival, self.margin)
            case "n_pair":
                return pair_losses.n_pair(one, other, rival)

    def _centre(self, means: tuple[Tensor, Tensor], video: Tensor, teacher: Teacher) -> Tensor:
        """Return the distance to the centres of the teacher's groups, averaged over its granularities."""
        groups = teacher.get_buffer("group")[:, video]
        return torch.stack([centre_distance(*means, group) for group in groups]).mean()


def direction_loss(
    model: MSVAE, source: Modality, audio: Tensor, visual: Tensor, kl: float, wasserstein: float
) -> Float[Tensor, ""]:
    """Return the released loss of one direction: the pair generated from `source`, its KL, and W.

    Both directions have W. The other modality gives only a sample: no gradient flows into its encoder.
    """
    features = {"audio": audio, "visual": visual}
    other = _other(source)
    posterior = model.encode(source, features[source])
    sample = posterior.sample()
    with torch.no_grad():
        aim = model.encode(other, features[other]).sample()
    error = released_reconstruction(model.decode(sample), audio, visual)
    return error + kl * kl_divergence(posterior) + wasserstein * sample_distance(sample, aim)


def _other(modality: Modality) -> Modality:
    return "visual" if modality == "audio" else "audio"
