"""The copy bound: bytes read and written, by the time that the copy took."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
import torch

from benchmarks.search import copy_bound


def test_a_copy_counts_each_byte_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """One MiB in half a second is 4 MiB a second, read and written; the best copy is told beside the median."""
    started = itertools.count()
    spent_s = iter([9.0] * copy_bound.WARM_UP + [0.5, 0.25, 0.5])
    clock = itertools.chain.from_iterable((at, at + spent) for at, spent in zip(started, spent_s, strict=False))
    monkeypatch.setattr(copy_bound, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    report = copy_bound.copy_bound(torch.device("cpu"), 1, 3)
    assert report["gb_per_s"] == pytest.approx(4 * 2**20 / 1e9)
    assert report["best_gb_per_s"] == pytest.approx(8 * 2**20 / 1e9)
    assert (report["device"], report["mib"]) == ("cpu", 1)
