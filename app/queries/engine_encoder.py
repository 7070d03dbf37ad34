"""An encoder of footage that computes in the engine's process where a GPU is, so that no other process holds one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float32

from app.library.session import Session
from app.queries.engine_process import EngineProcess
from model.data.latents import Latents
from model.errors import DeviceError, WorkerFailure
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

log = logging.getLogger("echolens")
T = TypeVar("T")
CPU = torch.device("cpu")
MOST_BYTES = 8 * 1024**2  # of one call: questions wait for it


class EngineEncoder(Encoder):
    """Encode by a checkpoint of the library: on the engine's GPU, or here on the CPU while it has none."""

    def __init__(self, checkpoint: Checkpoint, engine: EngineProcess) -> None:
        super().__init__(checkpoint, CPU)
        self._engine = engine

    def heads(self, modality: Modality, features: Float32[np.ndarray, "n *shape"]) -> Float32[np.ndarray, "n d"]:
        """Return what `Encoder.heads` returns."""
        found = self._on_gpu(features, partial(_heads, fingerprint=self.fingerprint, modality=modality))
        return super().heads(modality, features) if found is None else np.concatenate(found)

    def posterior(self, heads: Float32[np.ndarray, "n d"]) -> Latents:
        """Return what `Encoder.posterior` returns."""
        found = self._on_gpu(heads, partial(_posterior, fingerprint=self.fingerprint))
        return super().posterior(heads) if found is None else Latents.concatenate(found)

    def _on_gpu(
        self, rows: Float32[np.ndarray, "n *shape"], encode: Callable[[Session, np.ndarray], T]
    ) -> list[T] | None:
        """Have rows encoded in the engine, some at a time; None where it has no GPU, or loses it."""
        if not self._engine.on_gpu or not len(rows):
            return None
        some = max(1, MOST_BYTES * len(rows) // rows.nbytes)
        try:
            parts = (rows[at : at + some] for at in range(0, len(rows), some))
            return [self._engine.submit(encode, part).result() for part in parts]
        except (DeviceError, WorkerFailure) as error:
            log.warning("the GPU cannot encode footage now (%s): the CPU does", error)
            return None


def _heads(session: Session, features: np.ndarray, fingerprint: str, modality: Modality) -> np.ndarray:
    return _loaded(session.library.checkpoints / fingerprint, session.device).heads(modality, features)


def _posterior(session: Session, heads: np.ndarray, fingerprint: str) -> Latents:
    return _loaded(session.library.checkpoints / fingerprint, session.device).posterior(heads)


@lru_cache(maxsize=1)
def _loaded(checkpoint: Path, device: torch.device) -> Encoder:
    """Return an encoder in the engine's process, the last one again: its checkpoint need not be the one that serves."""
    return Encoder(Checkpoint.load(checkpoint), device)
