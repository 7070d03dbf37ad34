"""How many cores there are to use, and how many of them one process uses."""

from __future__ import annotations

import os

import torch
from threadpoolctl import threadpool_limits

MOST_DECODERS = 8


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spare_cores() -> int:
    """Return how many decoders a service should have: a core each, but one for itself; at least 1, at most 8."""
    return max(1, min(MOST_DECODERS, usable_cores() - 1))


def use_threads(count: int) -> None:
    """Let PyTorch, BLAS and OpenMP compute with so many threads in this process; one where calls run side by side."""
    torch.set_num_threads(count)
    threadpool_limits(count)
