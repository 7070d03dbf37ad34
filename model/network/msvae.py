"""MS-VAE: one encoder per modality, one shared decoder (Zhu et al., ICASSP 2021).

x_audio --encoders.audio--> q(z | x_audio) --+
                                             +--> z --decoder--> pair [visual | audio]
x_visual -encoders.visual-> q(z | x_visual) -+
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from model.modality import Modality
from model.network.correlation import Projection

LOG_VARIANCE_RANGE = (-12.0, 6.0)


@dataclass(frozen=True)
class Architecture:
    """Size the network; vectors get perceptrons, (mels, spectra) and (3, height, width) small convolutions.

    `paper_widths` takes the paper's layer widths for vectors and no normalization layers.
    """

    audio_shape: tuple[int, ...]
    visual_shape: tuple[int, ...]
    latent: int = 64
    hidden: int = 256
    dropout: float = 0.0
    spherical: bool = True
    paper_widths: bool = False

    @property
    def pair(self) -> int:
        """Return how many numbers a generated pair has."""
        return math.prod(self.visual_shape) + math.prod(self.audio_shape)


class Posterior(NamedTuple):
    """A batch of diagonal Gaussians."""

    mu: Float[Tensor, "batch latent"]
    log_variance: Float[Tensor, "batch latent"]

    @property
    def sigma(self) -> Float[Tensor, "batch latent"]:
        """Return the standard deviations."""
        return torch.exp(0.5 * self.log_variance)

    def sample(self) -> Float[Tensor, "batch latent"]:
        """Draw one latent each, differentiably (reparameterization)."""
        return self.mu + self.sigma * torch.randn_like(self.mu)


class MSVAE(nn.Module):
    """Encode either modality; decode the whole pair from a latent of either."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoders = nn.ModuleDict(
            {
                "audio": _encoder(architecture.audio_shape, architecture, PAPER_AUDIO),
                "visual": _encoder(architecture.visual_shape, architecture, PAPER_VISUAL),
            }
        )
        self.decoder = PairDecoder(architecture)

    def encode(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Posterior:
        """Return the posterior of normalized features of one modality."""
        return self.posterior(self.heads(modality, features))

    def heads(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch twice_latent"]:
        """Return what an encoder says of normalized features: the mean before it is put on the sphere, log-variance."""
        said: Tensor = self.encoders[modality](features)
        return said

    def posterior(self, heads: Float[Tensor, "batch twice_latent"]) -> Posterior:
        """Return the posterior of an encoder's output, or of a mean of several of its outputs."""
        mu, log_variance = heads.chunk(2, dim=1)
        if self.architecture.spherical:
            mu = math.sqrt(self.architecture.latent) * nn.functional.normalize(mu, dim=1)
        return Posterior(mu, log_variance.clamp(*LOG_VARIANCE_RANGE))

    def decode(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch pair"]:
        """Return the pair that each latent generates, flat, [visual | audio], in normalized units."""
        pair: Tensor = self.decoder(latent)
        return pair

    def forward(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch pair"]:
        """Return the pair generated from the posterior mean, as at inference."""
        return self.decode(self.encode(modality, features).mu)


class PairDecoder(nn.Module):
    """Generate [visual | audio] from a latent."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        shapes = (architecture.visual_shape, architecture.audio_shape)
        if architecture.paper_widths:
            self.trunk = _perceptron([architecture.latent, *PAPER_DECODER])
            self.heads = nn.ModuleList(nn.Linear(PAPER_DECODER[-1], math.prod(s)) for s in shapes)
        else:
            self.trunk = nn.Sequential(nn.Linear(architecture.latent, architecture.hidden), nn.GELU())
            self.heads = nn.ModuleList(_generator(s, architecture.hidden) for s in shapes)

    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch pair"]:
        """Return the pair, flat."""
        shared = self.trunk(latent)
        return torch.cat([head(shared).flatten(1) for head in self.heads], dim=1)


class VectorEncoder(nn.Module):
    """Encode a vector: its mean by a linear map, which CCA can start, corrected by a perceptron."""

    def __init__(self, features: int, hidden: int, architecture: Architecture) -> None:
        super().__init__()
        dropout = nn.Dropout(architecture.dropout)
        self.linear = nn.Linear(features, architecture.latent)
        self.body = nn.Sequential(dropout, nn.Linear(features, hidden), nn.GELU(), dropout)
        self.correction = nn.Linear(hidden, architecture.latent)
        self.log_variance = nn.Linear(hidden, architecture.latent)

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch twice_latent"]:
        """Return mean and log-variance, side by side."""
        body = self.body(features)
        mean = self.linear(features) + self.correction(body)
        return torch.cat([mean, self.log_variance(body)], dim=1)

    def start(self, projection: Projection) -> None:
        """Begin at a linear projection: the perceptron corrects nothing yet."""
        dimensions = projection.matrix.shape[1]
        matrix = torch.from_numpy(projection.matrix)
        with torch.no_grad():
            for parameter in (*self.linear.parameters(), *self.correction.parameters()):
                parameter.zero_()
            self.linear.weight[:dimensions] = matrix.T
            self.linear.bias[:dimensions] = -torch.from_numpy(projection.mean) @ matrix

    def hold_mean(self, held: bool, with_body: bool = False) -> None:
        """Keep the mean as it is, while the rest is trained, or let it go; `with_body`: its hidden units too."""
        body = self.body.parameters() if with_body else ()
        for parameter in (*self.linear.parameters(), *self.correction.parameters(), *body):
            parameter.requires_grad_(not held)


# The paper's widths between features (visual 512, audio 128) and heads, and between latent and output.
PAPER_VISUAL = (512, 512, 128, 128)
PAPER_AUDIO = (128, 128)
PAPER_DECODER = (512, 512, 512, 640, 640)


def _encoder(shape: tuple[int, ...], architecture: Architecture, widths: tuple[int, ...]) -> nn.Module:
    out = 2 * architecture.latent
    if architecture.paper_widths:
        body = _perceptron([math.prod(shape), *widths])
        return nn.Sequential(nn.Flatten(), body, nn.Linear(widths[-1], out))
    hidden, dropout = architecture.hidden, nn.Dropout(architecture.dropout)
    if len(shape) == 1:
        return VectorEncoder(shape[0], hidden, architecture)
    body = _convolutions(shape)
    return nn.Sequential(
        body,
        dropout,
        nn.Linear(CHANNELS[-1] * _cells(shape), hidden),
        nn.GELU(),
        dropout,
        nn.Linear(hidden, out),
    )


CHANNELS = (16, 32, 64, 96)
GROUPS = 8
PATCH = 4  # a generator paints patches of 4 x 4, which overlap
PATCH_CHANNELS = 24


def _cells(shape: tuple[int, ...]) -> int:
    height, width = shape[-2:]
    cell: int = 2 ** len(CHANNELS)
    assert height % cell == width % cell == 0, f"{shape} cannot be halved {len(CHANNELS)} times"
    return (height // cell) * (width // cell)


def _convolutions(shape: tuple[int, ...]) -> nn.Sequential:
    """Halve height and width at each of four layers; (mels, spectra) counts as one channel."""
    channels = [shape[0] if len(shape) == 3 else 1, *CHANNELS]
    layers: list[nn.Module] = [nn.Unflatten(1, (1, shape[0]))] if len(shape) == 2 else []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.GroupNorm(GROUPS, after), nn.GELU()]
    return nn.Sequential(*layers, nn.Flatten())


def _generator(shape: tuple[int, ...], hidden: int) -> nn.Module:
    """Generate features of a shape: a linear map, or patches of a coarse grid painted by a convolution."""
    if len(shape) == 1:
        return nn.Linear(hidden, shape[0])
    grid = (PATCH_CHANNELS, shape[-2] // PATCH, shape[-1] // PATCH)
    channels = shape[0] if len(shape) == 3 else 1
    return nn.Sequential(
        nn.Linear(hidden, math.prod(grid)),
        nn.Unflatten(1, grid),
        nn.GELU(),
        nn.ConvTranspose2d(PATCH_CHANNELS, channels, 2 * PATCH, stride=PATCH, padding=PATCH // 2),
    )


def _perceptron(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers)
