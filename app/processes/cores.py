"""The cores that this process may use, and the threads that it computes with."""

from __future__ import annotations

import os

import torch
from threadpoolctl import threadpool_limits

MOST_DECODERS = 8


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spare_cores() -> int:
    """Return how many decoding processes a service should have: one per core, less one for itself; 1 to 8."""
    return max(1, min(MOST_DECODERS, usable_cores() - 1))


def use_threads(count: int) -> None:
    """Set the threads of PyTorch, BLAS and OpenMP in this process; one if calls run side by side."""
    torch.set_num_threads(count)
    threadpool_limits(count)
