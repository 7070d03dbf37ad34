"""Gauges of the machine's GPUs, read through NVML at every scrape, which makes no CUDA context in this process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from app.telemetry.metrics import Labels, Metrics


def watch_gpus(metrics: Metrics) -> None:
    """Add the gauges of the GPUs' memory and utilisation; none without the extra `gpu`, a driver or a GPU."""
    if (nvml := _begun_nvml()) is not None:
        Gpus(nvml).watch(metrics)


class Gpus:
    """Read all GPUs that the driver shows, numbered as nvidia-smi does; CUDA_VISIBLE_DEVICES hides none of them here.

    A GPU that does not tell something, or is lost, has no series for it.
    """

    def __init__(self, nvml: Any) -> None:
        """`nvml`: the module pynvml, begun."""
        self._nvml = nvml

    def watch(self, metrics: Metrics) -> None:
        """Add their gauges."""
        metrics.watch_series(
            "echolens_gpu_memory_bytes", "Memory of a GPU: used, by any process, and total", self.memory
        )
        metrics.watch_series(
            "echolens_gpu_utilisation_ratio", "Share of the time just past in which a GPU computed", self.utilisation
        )

    def memory(self) -> dict[Labels, float]:
        """Return bytes by `gpu` and `kind`: used, by any process, and total."""

        def read(gpu: Any) -> dict[Labels, float]:
            found = self._nvml.nvmlDeviceGetMemoryInfo(gpu)
            return {(("kind", "used"),): found.used, (("kind", "total"),): found.total}

        return self._each(read)

    def utilisation(self) -> dict[Labels, float]:
        """Return by `gpu` the share, 0 to 1, of NVML's last sample (1 s at most) in which it ran anything."""
        return self._each(lambda gpu: {(): self._nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100})

    def _each(self, read: Callable[[Any], dict[Labels, float]]) -> dict[Labels, float]:
        found: dict[Labels, float] = {}
        with suppress(self._nvml.NVMLError):
            for number in range(self._nvml.nvmlDeviceGetCount()):
                with suppress(self._nvml.NVMLError):
                    values = read(self._nvml.nvmlDeviceGetHandleByIndex(number))
                    found |= {(("gpu", str(number)), *labels): float(value) for labels, value in values.items()}
        return found


def _begun_nvml() -> Any | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
