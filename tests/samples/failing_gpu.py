"""A GPU that is only said to be there, and its failures: functions to be called in an engine's process."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

import app.queries.engine as engine
from app.library.session import Session
from model.network.encoder import Encoder

NAME = "cuda (said to be there)"
STICKY = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
OF_FAISS = RuntimeError("Error: 'err == cudaSuccess' failed: CUDA error 719 unspecified launch failure")
encoded: list[int] = []  # rows, in this process


def say_gpu(session: Session) -> None:
    """Let this process, though not the next one, say that it computes on a GPU."""
    engine.name_device = lambda _: NAME
    session.encoder.device_name = NAME


def fail(session: Session, step: str, error: Exception) -> None:
    """Let `encode_many`, `search_many` or the session's `gallery` raise an error from now on."""

    def raised(*_: Any) -> NoReturn:
        raise error

    setattr(session if step == "gallery" else engine, step, raised)


def fail_footage(session: Session, error: Exception) -> None:
    """Let the encoding of footage raise an error from now on."""

    def raised(*_: Any) -> NoReturn:
        raise error

    Encoder.heads = raised  # type: ignore[method-assign]


def count_encoded(session: Session) -> None:
    """Count the rows that are encoded from now on."""
    heads = Encoder.heads

    def counted(self: Encoder, modality: Any, features: Any) -> Any:
        encoded.append(len(features))
        return heads(self, modality, features)

    Encoder.heads = counted  # type: ignore[method-assign]


def encoded_rows(session: Session) -> int:
    """Return how many rows were encoded since `count_encoded`."""
    return sum(encoded)
