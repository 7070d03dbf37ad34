"""Which device computes, and what its failures are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model.errors import DeviceError, DeviceMemoryShort
from model.network.device import choose_device, device_failure, free_bytes

CPU = torch.device("cpu")
STICKY = "CUDA error: an illegal memory access was encountered\nSearch for `cudaErrorIllegalAddress' in the manual"


@pytest.fixture
def cuda_that_is_only_said(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let torch say that there is a CUDA device, where none computes: so a card that PyTorch has dropped looks."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", lambda *_, **__: no_kernel())
    yield
    torch.use_deterministic_algorithms(False)


def no_kernel() -> None:
    raise RuntimeError("CUDA error: no kernel image is available for execution on the device")


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CUDA, `auto` and `cpu` are the processor and `cuda` an error that says what to do."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(DeviceError, match=r"cuda was given.*finds no CUDA device.*use auto or cpu"):
        choose_device("cuda")


@pytest.mark.usefixtures("cuda_that_is_only_said")
def test_a_device_is_believed_only_once_it_computes() -> None:
    """Where a convolution fails, `auto` takes the processor in its place; `cuda` says what failed."""
    assert choose_device("auto") == CPU
    with pytest.raises(DeviceError, match=r"a convolution does not work there .*no kernel image"):
        choose_device("cuda")


@pytest.mark.usefixtures("cuda_that_is_only_said")
def test_the_folder_of_compiled_kernels_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before CUDA is first used, with the folders above it; one that cannot be made keeps nothing from computing."""
    monkeypatch.setenv("CUDA_CACHE_PATH", str(tmp_path / "cache" / "cuda"))
    choose_device("auto")
    assert (tmp_path / "cache" / "cuda").is_dir()
    (tmp_path / "file").touch()
    monkeypatch.setenv("CUDA_CACHE_PATH", str(tmp_path / "file" / "cuda"))
    assert choose_device("auto") == CPU


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (torch.AcceleratorError(STICKY), DeviceError),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), DeviceError),
        (RuntimeError("GET was unable to find an engine to execute this computation"), DeviceError),
        (RuntimeError("CUDA error: CUBLAS_STATUS_INTERNAL_ERROR when calling `cublasSgemm`"), DeviceError),
        (RuntimeError("Error: 'err == cudaSuccess' failed: CUDA error 46 all devices are busy"), DeviceError),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), DeviceMemoryShort),
        (torch.AcceleratorError("CUDA error: out of memory"), DeviceMemoryShort),
        (
            RuntimeError("'err == cudaSuccess' failed: StandardGpuResources: alloc fail type FlatData dev 0"),
            DeviceMemoryShort,
        ),
    ],
)
def test_a_failure_of_the_device_is_named(error: Exception, named: type[DeviceError]) -> None:
    """Whichever library met it; the message keeps its first line alone."""
    found = device_failure(error)
    assert type(found) is named
    assert str(error).partition("\n")[0] in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("CUDA error")])
def test_other_errors_are_none_of_the_device(error: Exception) -> None:
    """A mistake in the code is not hidden behind the GPU."""
    assert device_failure(error) is None


def test_free_memory_is_that_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA tells what is free and what there is; the CPU has none of it."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: {"cuda": (3, 8)}[device.type])
    assert free_bytes(torch.device("cuda")) == 3
    assert free_bytes(CPU) is None
