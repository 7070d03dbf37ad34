"""From features to latents with a checkpoint: the same lines for ingest, queries and evaluation."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from model.data.corpus import Corpus
from model.data.latents import Latents
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.network.device import name_of

BATCH = 256  # rows that are encoded at a time on the CPU, and at least on CUDA
CUDA_BATCH_BYTES = 2**26  # of a batch's pairs and hidden units there
FLOAT_BYTES = 4
VIDEO_APART_S = 2**32  # longer than any video


class Encoder:
    """Run a checkpoint on a device; safe to share between threads, since nothing of it changes."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.checkpoint = checkpoint
        self.device, self.device_name = device, name_of(device)
        self.batch = BATCH if device.type == "cpu" else max(BATCH, CUDA_BATCH_BYTES // _row_bytes(checkpoint))
        self._model = checkpoint.model.to(device).eval()
        self._normalization = checkpoint.normalization.to(device)

    @cached_property
    def fingerprint(self) -> str:
        """Return the fingerprint of the checkpoint."""
        return self.checkpoint.fingerprint

    @torch.inference_mode()
    def latents(self, modality: Modality, features: Float32[np.ndarray, "n *shape"]) -> Latents:
        """Return the posterior and the pair generated from its mean (z = mu) for each row."""
        return self.posterior(self.heads(modality, features))

    @torch.inference_mode()
    def means(self, modality: Modality, features: Float32[np.ndarray, "n *shape"]) -> Float32[np.ndarray, "n latent"]:
        """Return the mean of each row's posterior alone."""
        batches = self._batches(self.heads(modality, features))
        return np.concatenate([_host(self._model.posterior(self._sent(batch)).mu) for batch in batches])

    def usual(self, modality: Modality) -> Float32[np.ndarray, "..."]:
        """Return the mean by which features are normalized: the embedding of a second of which nothing is known."""
        mean: Float32[np.ndarray, "..."] = self._normalization.get_buffer(f"{modality}_mean").cpu().numpy()
        return mean

    @torch.inference_mode()
    def heads(self, modality: Modality, features: Float32[np.ndarray, "n *shape"]) -> Float32[np.ndarray, "n d"]:
        """Return what the encoder says of each row; a mean of such rows has a posterior like any of them."""
        batches = self._batches(features)
        return np.concatenate([_host(self._model.heads(modality, self._standard(modality, b))) for b in batches])

    @torch.inference_mode()
    def posterior(self, heads: Float32[np.ndarray, "n d"]) -> Latents:
        """Return the posterior of each row that `heads` gave, or of means of them, and the pair generated from it."""
        return Latents.concatenate(self._posterior(batch) for batch in self._batches(heads))

    def in_context(
        self,
        modality: Modality,
        features: Float32[np.ndarray, "n *shape"],
        start_s: Int64[np.ndarray, "n"],
        scene: Int64[np.ndarray, "n"],
    ) -> Latents:
        """Return the latents of one recording's seconds, each in its context: means of what is said of neighbours."""
        heads = self.heads(modality, features)
        context = self.checkpoint.context
        return self.posterior(context.average(start_s, scene, heads) if context.width_s else heads)

    def of_corpus(self, modality: Modality, corpus: Corpus, rows: Int64[np.ndarray, "n"] | None = None) -> Latents:
        """Return the latents of some seconds of a corpus, or of all, in context; zeros where they lack the modality."""
        rows = np.arange(len(corpus.video)) if rows is None else rows
        at_s = corpus.video * VIDEO_APART_S + corpus.start_s  # one clock for all videos, with gaps between them
        width_s = self.checkpoint.context.width_s
        near = np.flatnonzero(np.isin(at_s, at_s[rows] + np.arange(-width_s, width_s + 1)[:, None]))
        scene = self.scenes(at_s[near], corpus.visual[near], corpus.seen[near])
        has = (corpus.heard if modality == "audio" else corpus.seen)[near]
        found = self.in_context(modality, getattr(corpus, modality)[near[has]], at_s[near[has]], scene[has])
        place = np.full(len(at_s), -1)
        place[near[has]] = np.arange(len(found))
        known = place[rows] >= 0

        def aligned(part: Float32[np.ndarray, "m d"]) -> Float32[np.ndarray, "n d"]:
            whole = np.zeros((len(rows), part.shape[1]), np.float32)
            whole[known] = part[place[rows][known]]
            return whole

        return Latents(aligned(found.mu), aligned(found.sigma), aligned(found.generated))

    def scenes(
        self, start_s: Int64[np.ndarray, "n"], visual: Float32[np.ndarray, "n *shape"], seen: Bool[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "n"]:
        """Number the scenes of one recording by the features of its pictures."""
        if not self.checkpoint.context.width_s:
            return np.zeros(len(start_s), np.int64)
        standard = np.concatenate([_host(self._standard("visual", batch)) for batch in self._batches(visual)])
        return self.checkpoint.context.scenes(start_s, standard, seen)

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
        return _host(self._normalization.inverse(modality, self._sent(standard)))

    def _batches(self, rows: Float32[np.ndarray, "n *shape"]) -> list[Float32[np.ndarray, "_ *shape"]]:
        """Return rows in batches, at least one."""
        return [rows[i : i + self.batch] for i in range(0, len(rows), self.batch)] or [rows]

    def _standard(self, modality: Modality, features: Float32[np.ndarray, "n *shape"]) -> Tensor:
        standard: Tensor = self._normalization(modality, self._sent(features))
        return standard

    def _posterior(self, heads: Float32[np.ndarray, "n d"]) -> Latents:
        """Return the latents of a batch; from CUDA they come in one copy."""
        posterior = self._model.posterior(self._sent(heads))
        parts = (posterior.mu, posterior.sigma, self._model.decode(posterior.mu))
        if self.device.type == "cpu":
            return Latents(*(part.numpy() for part in parts))
        widths = [part.shape[1] for part in parts]
        return Latents(*np.split(_host(torch.cat(parts, dim=1)), np.cumsum(widths)[:-1], axis=1))

    def _sent(self, rows: Float32[np.ndarray, "n *shape"]) -> Tensor:
        return torch.from_numpy(rows).to(self.device)


def _row_bytes(checkpoint: Checkpoint) -> int:
    architecture = checkpoint.model.architecture
    return FLOAT_BYTES * (architecture.pair + architecture.hidden)


def _host(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
