"""From features to latents with a checkpoint: the same lines for ingest, queries and evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32

from model.data.latents import Latents
from model.modality import Modality
from model.network.checkpoint import Checkpoint

BATCH = 256


class Encoder:
    """Run a checkpoint on a device; safe to share between threads, since nothing is written."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.checkpoint = checkpoint
        self.fingerprint = checkpoint.fingerprint
        self.device = device
        self._model = checkpoint.model.to(device).eval()
        self._normalization = checkpoint.normalization.to(device)

    @torch.inference_mode()
    def latents(self, modality: Modality, features: Float32[np.ndarray, "n *shape"]) -> Latents:
        """Return the posterior and the pair generated from its mean (z = mu) for each row."""
        batches = [features[i : i + BATCH] for i in range(0, len(features), BATCH)] or [features]
        return Latents.concatenate(self._batch(modality, batch) for batch in batches)

    def usual(self, modality: Modality) -> Float32[np.ndarray, "..."]:
        """Return the features of which nothing is known: their mean, by which they are normalized."""
        mean: Float32[np.ndarray, "..."] = self._normalization.get_buffer(f"{modality}_mean").cpu().numpy()
        return mean

    @torch.inference_mode()
    def averages(self, queries: Sequence[Latents]) -> Latents:
        """Return one row for each query of several seconds: mean mu, mean sigma, and the pair of that mean."""
        mu = np.stack([query.mu.mean(0) for query in queries])
        generated = self._model.decode(torch.from_numpy(mu).to(self.device))
        return Latents(mu, np.stack([query.sigma.mean(0) for query in queries]), generated.cpu().numpy())

    @torch.inference_mode()
    def pair(self, latents: Latents) -> dict[Modality, Float32[np.ndarray, "n ..."]]:
        """Return both halves of each generated pair in the front-end's own units and shapes."""
        a = self.checkpoint.model.architecture
        first = math.prod(a.visual_shape)
        return {
            "visual": self._native("visual", latents.generated[:, :first].reshape(-1, *a.visual_shape)),
            "audio": self._native("audio", latents.generated[:, first:].reshape(-1, *a.audio_shape)),
        }

    def _native(self, modality: Modality, standard: Float32[np.ndarray, "n *shape"]) -> np.ndarray:
        return self._normalization.inverse(modality, torch.from_numpy(standard).to(self.device)).cpu().numpy()

    def _batch(self, modality: Modality, features: Float32[np.ndarray, "n *shape"]) -> Latents:
        standard = self._normalization(modality, torch.from_numpy(features).to(self.device))
        posterior = self._model.encode(modality, standard)
        generated = self._model.decode(posterior.mu)
        return Latents(*(t.cpu().numpy() for t in (posterior.mu, posterior.sigma, generated)))
