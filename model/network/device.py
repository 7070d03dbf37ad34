"""Where tensors live: the CPU, or a CUDA device that was tried before it is used.

A failure of a CUDA device ends what its process can do with it: every later call fails too, until a new process starts.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from model.errors import DeviceError, DeviceMemoryShort

if TYPE_CHECKING:
    import torch

log = logging.getLogger("echolens")
DeviceName = Literal["auto", "cpu", "cuda"]
# What PyTorch, cuBLAS, cuDNN and FAISS write in errors of the device that have no class of their own.
MARKS = (
    "CUDA error",
    "CUDA driver",
    "cudaError",
    "cudaSuccess",
    "CUBLAS_STATUS",
    "CUDNN_STATUS",
    "cuDNN error",
    "unable to find an engine",  # of cuDNN, for a convolution: it has no kernel, or no memory for one
    "NVML",
)
MARKS_OF_MEMORY = ("out of memory", "cudaErrorMemoryAllocation", "ALLOC_FAILED", "alloc fail")


def choose_device(name: DeviceName) -> torch.device:
    """Return the device, ready for exact and repeatable computing: `auto` takes CUDA where a convolution works there.

    Trying it makes a CUDA context: call this only in a process that is to compute.

    Raises:
        DeviceError: `cuda` was given, and cannot be used.
    """
    import torch  # not at the top: the command line needs the names above before it needs torch

    if name == "cpu":
        return torch.device("cpu")
    why = _why_unusable()
    if why is None:
        return torch.device("cuda")
    if name == "cuda":
        raise DeviceError(f"the device cuda was given, but {why}; use auto or cpu")
    if torch.cuda.is_available():
        log.warning("the GPU is not used: %s", why)
    return torch.device("cpu")


def name_of(device: torch.device) -> str:
    """Return what a device is called: `cpu`, or `cuda` and the name of the card."""
    import torch

    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def free_bytes(device: torch.device) -> int | None:
    """Return how much memory of a GPU nobody holds; None for the CPU. Raises what CUDA raises."""
    import torch

    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def device_failure(error: BaseException) -> DeviceError | None:
    """Return the named error of what a CUDA device failed with; None if it is no failure of a device."""
    import torch

    if isinstance(error, DeviceError):
        return error
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError) or (_is_marked(error) and any(m in text for m in MARKS_OF_MEMORY)):
        return DeviceMemoryShort(f"the GPU has too little free memory ({_first_line(text)})")
    if isinstance(error, torch.AcceleratorError) or _is_marked(error):
        return DeviceError(f"the GPU failed ({_first_line(text)})")
    return None


def _is_marked(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in MARKS)


def _first_line(text: str) -> str:
    return text.partition("\n")[0].strip()


def _why_unusable() -> str | None:
    """Return why CUDA cannot be used, None if it can: `is_available` is true for cards that PyTorch has dropped."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats its sums only with this
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    _make_kernel_cache()
    _compute_exactly()
    try:
        with torch.inference_mode():
            ones = torch.ones(1, 1, 4, 4, device="cuda")
            found = float(torch.nn.functional.conv2d(ones, ones).cpu())
    except (RuntimeError, AssertionError) as error:  # the latter: a PyTorch built without CUDA
        return f"a convolution does not work there ({_first_line(str(error))})"
    return None if found == 16.0 else f"a convolution of ones gives {found} there, 16 expected"


def _make_kernel_cache() -> None:
    """Make the folder in which CUDA keeps what it compiles for a card, where CUDA_CACHE_PATH names one."""
    if folder := os.environ.get("CUDA_CACHE_PATH"):
        with suppress(OSError):
            Path(folder).mkdir(parents=True, exist_ok=True)


def _compute_exactly() -> None:
    """Compute in whole float32, and in the same order each time."""
    import torch

    backends: Any = torch.backends
    kinds = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)
    for kind in kinds:
        kind.fp32_precision = "ieee"  # no TF32, which keeps 10 of 23 bits: distances would be off by a thousandth
    backends.cudnn.deterministic, backends.cudnn.benchmark = True, False
    torch.use_deterministic_algorithms(True, warn_only=True)
    deterministic: Any = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = False  # a help in debugging that writes all new memory
