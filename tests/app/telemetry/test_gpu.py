"""The gauges of GPUs: what NVML says now, and nothing where there is nothing to say."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest
from gpu_samples import Card, Nvml
from metric_samples import Scrape, samples_of, value

from app.telemetry.gpu import Gpus, watch_gpus
from app.telemetry.metrics import Metrics

GIB = 2**30


def gpu_series(metrics: Metrics) -> Scrape:
    scraped = samples_of(metrics.exposition("")[0].decode())
    return {key: number for key, number in scraped.items() if key[0].startswith("echolens_gpu_")}


def test_every_gpu_has_its_memory_and_utilisation_as_they_are_now() -> None:
    """In bytes and as a share of one, by the driver's numbers; a scrape asks anew."""
    nvml, metrics = Nvml([Card(GIB, 8 * GIB, 100), Card(0, 24 * GIB, 0)]), Metrics()
    Gpus(nvml).watch(metrics)
    scraped = gpu_series(metrics)
    assert value(scraped, "echolens_gpu_memory_bytes", gpu="0", kind="used") == GIB
    assert value(scraped, "echolens_gpu_memory_bytes", gpu="0", kind="total") == 8 * GIB
    assert value(scraped, "echolens_gpu_memory_bytes", gpu="1", kind="total") == 24 * GIB
    assert value(scraped, "echolens_gpu_utilisation_ratio", gpu="0") == 1
    assert value(scraped, "echolens_gpu_utilisation_ratio", gpu="1") == 0
    assert len(scraped) == 6
    nvml.cards[0] = Card(3 * GIB, 8 * GIB, 25)
    assert value(gpu_series(metrics), "echolens_gpu_memory_bytes", gpu="0", kind="used") == 3 * GIB
    assert value(gpu_series(metrics), "echolens_gpu_utilisation_ratio", gpu="0") == 0.25


def test_a_gpu_that_does_not_tell_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """One without utilisation has its memory, one that is lost has nothing, and no scrape writes to the log."""
    metrics = Metrics()
    Gpus(Nvml([Card(GIB, 8 * GIB, None), Card(0, GIB, 0, lost=True), Card(0, GIB, 50)])).watch(metrics)
    with caplog.at_level(logging.DEBUG):
        scraped = gpu_series(metrics)
    memory = {("echolens_gpu_memory_bytes", f"{gpu} {kind}") for gpu in "02" for kind in ("used", "total")}
    told = {(name, " ".join(text for _, text in sorted(labels))) for name, labels in scraped}
    assert told == {*memory, ("echolens_gpu_utilisation_ratio", "2")}
    assert caplog.records == []


class NoDriver(Exception):
    """Raised as pynvml's NVMLError is where libnvidia-ml is not found."""


def no_driver() -> None:
    raise NoDriver("NVML Shared Library Not Found")


@pytest.mark.parametrize("module", [None, SimpleNamespace(NVMLError=NoDriver, nvmlInit=no_driver)])
def test_without_a_gpu_there_is_no_series(
    module: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither without the extra `gpu` nor without a driver; the log is silent about it."""
    monkeypatch.setitem(sys.modules, "pynvml", module)
    metrics = Metrics()
    with caplog.at_level(logging.DEBUG):
        watch_gpus(metrics)
        assert gpu_series(metrics) == {}
    assert caplog.records == []


def test_nvml_is_asked_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is begun first."""
    nvml, metrics, begun = Nvml([Card(0, GIB, 0)]), Metrics(), []
    nvml.nvmlInit = lambda: begun.append(True)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    watch_gpus(metrics)
    assert begun == [True]
    assert len(gpu_series(metrics)) == 3
