"""Where an MS-VAE begins that knows a front-end's prior: what its encoders and its decoder are before any gradient.

The prior's concepts that share classes are partly the same: its axes are the principal axes of the concepts, each a
vector over the classes of both modalities. Log evidence less the usual one, along these axes, is the mean of either
posterior: sound and picture meet in it without any footage. What is not evident counts half of what is. Pairs of
footage add dimensions of regularized linear CCA of the embeddings. Little evidence gives a wide posterior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.linalg import solve, svd

from model.concepts.concepts import Concepts
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
LACKING = 0.5  # how much evidence below the usual counts, against evidence above it
STEEPNESS = 4.0  # gelu(STEEPNESS * x) / STEEPNESS is nearly max(x, 0)
# log sigma^2 = WIDEST - NARROWING * (mean over concepts of the evidence above the usual, in units of its spread)
WIDEST, NARROWING = -1.0, 2.0


@dataclass(frozen=True, eq=False)
class Start:
    """Hold where a model may begin, by modality.

    `lengths`: root mean square of the footage's evidence along the axes, 1 without footage. `learnt`: maps of features
    to the CCA of the footage, whose features have the length 1 in it; None without footage.
    """

    prior: Prior
    lengths: dict[Modality, float]
    learnt: dict[Modality, Projection] | None

    @staticmethod
    def of(prior: Prior, footage: Corpus | None = None) -> Start:
        """Begin at the prior, and with footage at the CCA of its pairs too."""
        if footage is None:
            return Start(prior, dict.fromkeys(MODALITIES, 1.0), None)
        rows = {m: getattr(footage, m)[footage.paired] for m in MODALITIES}
        concepts = len(prior.concepts.names)
        found = correlate(rows["audio"][:, :-concepts], rows["visual"][:, :-concepts], FOOTAGE_AXES)
        learnt = {m: _shortened(_of_features(p, concepts), rows[m]) for m, p in zip(MODALITIES, found, strict=True)}
        return Start(prior, {m: _length(evidence_along_axes(prior, m, rows[m])) for m in MODALITIES}, learnt)

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
        axes = axes_of(self.prior.concepts)
        for m in MODALITIES:
            encoder = model.encoders[m]
            assert isinstance(encoder, VectorEncoder), "a prior is known of vectors alone"
            known = (1 - share) / self.lengths[m] * axes / math.sqrt(len(axes))  # of evidence in units of its spread
            linear = self._linear(m, LACKING * known, share, normalization)
            encoder.start(_standardized(linear, normalization, m))
            self._start_perceptron(encoder, m, (1 - LACKING) * known, normalization)
        matrix, constant = _prior_decoder(self.prior, normalization)
        if footage is not None:
            matrix, constant = _corrected(matrix, constant, model, normalization, footage)
        start_decoder(model.decoder, matrix, constant)

    def _linear(
        self, modality: Modality, known: Float64[np.ndarray, "C axes"], share: float, normalization: Normalization
    ) -> Projection:
        """Return the linear part of the mean as a map of native features: evidence beside the footage's CCA."""
        concepts, count = known.shape
        features = len(normalization.statistics(modality)[0])
        mean, matrix = np.zeros(features), np.zeros((features, LATENT))
        mean[-concepts:] = self.prior.usual[modality]
        matrix[-concepts:, :count] = known / self.prior.spread[modality]
        if self.learnt is not None:
            learnt = self.learnt[modality]
            matrix[:, PRIOR_AXES : PRIOR_AXES + learnt.matrix.shape[1]] = share * learnt.matrix
            mean = mean + learnt.mean  # one is zero where the other is not
        return Projection(mean, matrix)

    def _start_perceptron(
        self, encoder: VectorEncoder, modality: Modality, known: Float64[np.ndarray, "C axes"], n: Normalization
    ) -> None:
        """Let a hidden unit hold each concept's evidence above the usual; mean and log-variance are read from them."""
        concepts, count = known.shape
        assert concepts <= HIDDEN, f"{concepts} concepts have no unit each among {HIDDEN}"
        mean, scale = n.statistics(modality)
        spread = self.prior.spread[modality]
        hidden = encoder.body[1]
        assert isinstance(hidden, torch.nn.Linear)
        with torch.no_grad():
            hidden.weight[:concepts] = 0.0
            hidden.weight[:concepts, -concepts:] = STEEPNESS * scale / spread * torch.eye(concepts)
            above = STEEPNESS / spread * (mean[-concepts:] - self.prior.usual[modality])
            hidden.bias[:concepts] = torch.from_numpy(above)
            encoder.correction.weight[:count, :concepts] = torch.from_numpy(known.T / STEEPNESS)
            encoder.log_variance.weight.zero_()
            encoder.log_variance.weight[:, :concepts] = -NARROWING / (STEEPNESS * concepts)
            encoder.log_variance.bias.fill_(WIDEST)


def evidence_along_axes(
    prior: Prior, modality: Modality, features: Float[np.ndarray, "n D"]
) -> Float64[np.ndarray, "n axes"]:
    """Return the evidence in features along the prior's axes; evidence as large as its spread has a length near 1."""
    axes = axes_of(prior.concepts)
    evidence = prior.evidence(modality, features).astype(np.float64) / prior.spread[modality]
    return np.asarray(np.where(evidence < 0, LACKING * evidence, evidence) @ axes / math.sqrt(len(axes)))


@cache
def axes_of(concepts: Concepts) -> Float64[np.ndarray, "C axes"]:
    """Return the principal axes, orthonormal, of the concepts as vectors over the classes of both modalities."""
    members = [concepts.classes(m) for m in MODALITIES]
    vectors = np.concatenate([m / np.sqrt(np.maximum(m.sum(1, keepdims=True), 1)) for m in members], axis=1)
    left, _, _ = svd(vectors, full_matrices=False)
    largest = left[np.abs(left).argmax(0), np.arange(left.shape[1])]
    return np.asarray((left * np.sign(largest))[:, :PRIOR_AXES])  # the sign of an axis is free: its largest part is > 0


def _prior_decoder(
    prior: Prior, normalization: Normalization
) -> tuple[Float64[np.ndarray, "latent pair"], Float64[np.ndarray, "pair"]]:
    """Return the linear decoder, matrix and constant: the usual evidence of the concepts that a latent stands for."""
    axes = axes_of(prior.concepts)
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


def _of_features(projection: Projection, concepts: int) -> Projection:
    """Return a projection of embeddings as one of features, which the concepts follow."""
    columns = projection.matrix.shape[1]
    return Projection(
        np.concatenate([projection.mean, np.zeros(concepts)]),
        np.concatenate([projection.matrix, np.zeros((concepts, columns))]),
    )


def _shortened(projection: Projection, rows: Float[np.ndarray, "n D"]) -> Projection:
    """Return a map that gives these rows the length 1, by root mean square."""
    return Projection(projection.mean, projection.matrix / _length(projection(rows)))


def _length(rows: Float[np.ndarray, "n d"]) -> float:
    return max(float(np.sqrt(np.square(rows).sum(1).mean())), 1e-9)


def _standardized(projection: Projection, normalization: Normalization, modality: Modality) -> Projection:
    """Return a map of native features as one of features in standard units."""
    mean, scale = normalization.statistics(modality)
    return Projection((projection.mean - mean) / scale, projection.matrix * scale)


def start_decoder(
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
