"""Where an MS-VAE begins that knows a front-end's prior: linear maps, before any gradient.

The prior's concepts that share classes are partly the same: its axes are the principal axes of the concepts, each a
vector over the classes of both modalities. Log evidence less the usual one, along these axes, is the mean of either
posterior: sound and picture meet in it without any footage. Pairs of footage add dimensions of regularized linear CCA
of the embeddings. Little evidence gives a wide posterior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.linalg import solve, svd

from model.data.corpus import Corpus
from model.frontends.prior import Prior
from model.modality import MODALITIES, Modality
from model.network.checkpoint import Checkpoint
from model.network.correlation import Projection, correlate
from model.network.msvae import MSVAE, Architecture, PairDecoder, VectorEncoder
from model.network.normalization import Normalization

PRIOR_AXES = 128
FOOTAGE_AXES = 32
LATENT = PRIOR_AXES + FOOTAGE_AXES
HIDDEN = 2 * LATENT  # gelu(x) - gelu(-x) = x: with two hidden units for each latent one, the decoder can be linear
ANCHOR_SECONDS = 100  # of footage count as much as the prior in the decoder
# log sigma^2 = WIDEST - NARROWING * (mean absolute evidence along an axis, in units of what is usual)
WIDEST, NARROWING = 0.0, 4.0


@dataclass(frozen=True, eq=False)
class Start:
    """Hold the linear maps that a model may begin at, by modality, each of native features.

    `known`: to evidence along the prior's axes; `learnt`: to the CCA of footage, None without footage. The footage's
    features have the length 1 in both, by root mean square; without footage, usual ones have.
    """

    prior: Prior
    known: dict[Modality, Projection]
    learnt: dict[Modality, Projection] | None

    @staticmethod
    def of(prior: Prior, shapes: dict[Modality, int], footage: Corpus | None = None) -> Start:
        """Begin at the prior, and with footage at the CCA of its pairs; `shapes`: numbers of features by modality."""
        axes = prior_axes(prior)
        known = {m: _of_prior(prior, m, shapes[m], axes) for m in MODALITIES}
        if footage is None:
            return Start(prior, known, None)
        rows = {m: getattr(footage, m)[footage.paired] for m in MODALITIES}
        concepts = len(axes)
        found = correlate(rows["audio"][:, :-concepts], rows["visual"][:, :-concepts], FOOTAGE_AXES)
        learnt = {m: _of_embedding(p, concepts) for m, p in zip(MODALITIES, found, strict=True)}
        return Start(prior, *({m: _shortened(maps[m], rows[m]) for m in MODALITIES} for maps in (known, learnt)))

    def checkpoint(self, footage: Corpus, share: float, seed: int) -> Checkpoint:
        """Return a model at this start, its decoder not corrected by footage: enough to judge means by."""
        torch.manual_seed(seed)
        shapes = {m: getattr(footage, m).shape[1:] for m in MODALITIES}
        model = MSVAE(Architecture(shapes["audio"], shapes["visual"], LATENT, HIDDEN)).eval()
        normalization = Normalization.fit(footage)
        self.apply(model, normalization, share)
        return Checkpoint(model, normalization, "", "")

    def apply(self, model: MSVAE, normalization: Normalization, share: float, footage: Corpus | None = None) -> None:
        """Set the weights of a model of LATENT dimensions and HIDDEN units.

        `share`, 0..1: of what the footage taught in the means. With `footage` the decoder is corrected by it.
        """
        for m in MODALITIES:
            encoder = model.encoders[m]
            assert isinstance(encoder, VectorEncoder), "a prior is known of vectors alone"
            both = _beside(self.known[m], None if self.learnt is None else self.learnt[m], share)
            encoder.start(_standardized(both, normalization, m))
            _start_sigma(encoder, _standardized(self.known[m], normalization, m))
        matrix, constant = _prior_decoder(self.prior, normalization)
        if footage is not None:
            matrix, constant = _corrected(matrix, constant, model, normalization, footage)
        _start_decoder(model.decoder, matrix, constant)


def prior_axes(prior: Prior) -> Float64[np.ndarray, "C axes"]:
    """Return the principal axes, orthonormal, of the concepts as vectors over the classes of both modalities."""
    members = [prior.concepts.classes(m) for m in MODALITIES]
    vectors = np.concatenate([m / np.sqrt(np.maximum(m.sum(1, keepdims=True), 1)) for m in members], axis=1)
    left, _, _ = svd(vectors, full_matrices=False)
    largest = left[np.abs(left).argmax(0), np.arange(left.shape[1])]
    return np.asarray((left * np.sign(largest))[:, :PRIOR_AXES])  # the sign of an axis is free: its largest part is > 0


def _prior_decoder(
    prior: Prior, normalization: Normalization
) -> tuple[Float64[np.ndarray, "latent pair"], Float64[np.ndarray, "pair"]]:
    """Return the linear decoder, matrix and constant: the usual evidence of the concepts that a latent stands for."""
    axes = prior_axes(prior)
    concepts, count = axes.shape
    parts, constants = [], []
    for m in ("visual", "audio"):
        mean, scale = normalization.statistics(m)
        matrix, constant = np.zeros((LATENT, len(mean))), np.zeros(len(mean))
        length = prior.spread[m] * math.sqrt(concepts / LATENT)  # of a latent it is sqrt(LATENT)
        matrix[:count, -concepts:] = length * axes.T / scale
        constant[-concepts:] = (prior.usual[m] - mean[-concepts:]) / scale
        parts.append(matrix)
        constants.append(constant)
    return np.concatenate(parts, axis=1), np.concatenate(constants)


def _corrected(
    matrix: Float64[np.ndarray, "latent pair"],
    constant: Float64[np.ndarray, "pair"],
    model: MSVAE,
    normalization: Normalization,
    footage: Corpus,
) -> tuple[Float64[np.ndarray, "latent pair"], Float64[np.ndarray, "pair"]]:
    """Return a linear decoder plus the ridge regression of what it misses of the footage's pairs."""
    device = normalization.get_buffer("audio_mean").device
    with torch.no_grad():
        rows = {m: torch.from_numpy(getattr(footage, m)[footage.paired]).to(device) for m in MODALITIES}
        standard = {m: normalization(m, rows[m]) for m in MODALITIES}
        latents = torch.cat([model.eval().encode(m, standard[m]).mu for m in MODALITIES]).double().cpu().numpy()
        pair = torch.cat([standard["visual"], standard["audio"]], dim=1).double().cpu().numpy()
    missing = np.concatenate([pair, pair]) - latents @ matrix - constant
    mean, error = latents.mean(0), missing.mean(0)
    squares = (latents - mean).T @ (latents - mean) + ANCHOR_SECONDS * np.eye(LATENT)
    correction = solve(squares, (latents - mean).T @ (missing - error), assume_a="pos")
    return matrix + correction, constant + error - mean @ correction


def _of_prior(prior: Prior, modality: Modality, features: int, axes: Float64[np.ndarray, "C axes"]) -> Projection:
    """Return the map of features to evidence along the axes, such that usual evidence has the length 1."""
    concepts = len(axes)
    mean, matrix = np.zeros(features), np.zeros((features, axes.shape[1]))
    mean[-concepts:] = prior.usual[modality]
    matrix[-concepts:] = axes / (prior.spread[modality] * math.sqrt(concepts))
    return Projection(mean, matrix)


def _of_embedding(projection: Projection, concepts: int) -> Projection:
    """Return a projection of embeddings as one of features, which the concepts follow."""
    columns = projection.matrix.shape[1]
    return Projection(
        np.concatenate([projection.mean, np.zeros(concepts)]),
        np.concatenate([projection.matrix, np.zeros((concepts, columns))]),
    )


def _beside(known: Projection, learnt: Projection | None, share: float) -> Projection:
    """Return both maps side by side, weighed (1 - share) to share."""
    matrix, mean = np.zeros((len(known.mean), LATENT)), known.mean
    matrix[:, : known.matrix.shape[1]] = (1 - share) * known.matrix
    if learnt is not None:
        matrix[:, PRIOR_AXES : PRIOR_AXES + learnt.matrix.shape[1]] = share * learnt.matrix
        mean = mean + learnt.mean  # one is zero where the other is not
    return Projection(mean, matrix)


def _shortened(projection: Projection, rows: Float[np.ndarray, "n D"]) -> Projection:
    """Return a map that gives these rows the length 1, by root mean square."""
    length = float(np.sqrt(np.square(projection(rows)).sum(1).mean()))
    return Projection(projection.mean, projection.matrix / max(length, 1e-9))


def _standardized(projection: Projection, normalization: Normalization, modality: Modality) -> Projection:
    """Return a map of native features as one of features in standard units."""
    mean, scale = normalization.statistics(modality)
    return Projection((projection.mean - mean) / scale, projection.matrix * scale)


def _start_sigma(encoder: VectorEncoder, evidence: Projection) -> None:
    """Let the first hidden units hold the evidence, and log-variance fall with its mean absolute value."""
    axes = evidence.matrix.shape[1]
    matrix = torch.from_numpy(evidence.matrix * math.sqrt(axes)).float()  # an axis has usual evidence of about 1
    constant = torch.from_numpy(evidence.mean).float() @ matrix
    hidden = encoder.body[1]
    assert isinstance(hidden, torch.nn.Linear)
    with torch.no_grad():
        hidden.weight[: 2 * axes] = torch.cat([matrix.T, -matrix.T])
        hidden.bias[: 2 * axes] = torch.cat([-constant, constant])
        encoder.log_variance.weight.zero_()
        encoder.log_variance.weight[:, : 2 * axes] = -NARROWING / axes
        encoder.log_variance.bias.fill_(WIDEST)


def _start_decoder(
    decoder: PairDecoder, matrix: Float64[np.ndarray, "latent pair"], bias: Float64[np.ndarray, "pair"]
) -> None:
    """Let the decoder be linear: each latent unit has two hidden ones, of which the difference is taken."""
    latent = len(matrix)
    hidden = decoder.trunk[0]
    assert isinstance(hidden, torch.nn.Linear)
    eye = torch.eye(latent)
    with torch.no_grad():
        hidden.weight[: 2 * latent] = torch.cat([eye, -eye])
        hidden.bias[: 2 * latent] = 0.0
        done = 0
        for head in decoder.heads:
            assert isinstance(head, torch.nn.Linear)
            part = torch.from_numpy(matrix[:, done : done + head.out_features]).float().T
            head.weight.zero_()
            head.weight[:, : 2 * latent] = torch.cat([part, -part], dim=1)
            head.bias.copy_(torch.from_numpy(bias[done : done + head.out_features]))
            done += head.out_features
