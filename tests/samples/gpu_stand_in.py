"""FAISS's GPU classes on the CPU, as far as index/gpu_index.py uses them, within the limits of those of FAISS 1.15."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import faiss
import numpy as np
import pytest

from index import gpu_index

MOST = 2048
OUT_OF_MEMORY = (
    "Error in virtual void* faiss::gpu::StandardGpuResourcesImpl::allocMemory(const faiss::gpu::AllocRequest&) at "
    "/project/faiss/gpu/StandardGpuResources.cpp:536: Error: 'err == cudaSuccess' failed: StandardGpuResources: "
    "alloc fail type {} dev 0 space Device stream 0x5581 size {} bytes (cudaMalloc error out of memory [2])\n"
)
REFUSED = (
    "Error in void faiss::gpu::{0}(int, bool) at /project/faiss/gpu/impl/IndexUtils.cu:42: Error: '{1}' failed: {2}"
)


class Card:
    """Count the memory of a GPU, and let one thread in at a time, which holds the lock of index/gpu_index.py."""

    def __init__(self, bytes: int) -> None:
        self.bytes, self.used = bytes, 0
        self.refusal: str | None = None  # what the next call fails with
        self._entered = threading.RLock()

    @contextmanager
    def entered(self) -> Iterator[None]:
        assert gpu_index.ONE_AT_A_TIME._is_owned(), "FAISS on the GPU was called without the lock"  # type: ignore[attr-defined]
        assert self._entered.acquire(blocking=False), "two threads called FAISS on the GPU"
        try:
            refusal, self.refusal = self.refusal, None
            if refusal is not None:
                raise RuntimeError(refusal)
            yield
        finally:
            self._entered.release()

    def allocate(self, kind: str, bytes: int) -> None:
        if self.used + bytes > self.bytes:
            raise RuntimeError(OUT_OF_MEMORY.format(kind, bytes))
        self.used += bytes


class Resources:
    """StandardGpuResources: reserve temporary memory at the first use, and break where that fails."""

    def __init__(self, card: Card) -> None:
        self.card, self.temporary, self.state = card, 1536 << 20, "new"

    def setTempMemory(self, bytes: int) -> None:  # noqa: N802
        self.temporary = bytes

    def setPinnedMemory(self, bytes: int) -> None:  # noqa: N802
        assert self.state == "new", "FAISS would abort: the memory is pinned already"

    def use(self) -> None:
        assert self.state != "broken", "FAISS would crash: the first use of these resources failed"
        if self.state == "new":
            self.state = "broken"
            self.card.allocate("TemporaryMemoryBuffer", self.temporary)
            self.state = "used"

    def __del__(self) -> None:
        if self.state == "used":
            self.card.used -= self.temporary


class OnGpu:
    """What the two kinds of index have in common; `_cpu` does the work."""

    def __init__(self, resources: Resources, cpu: faiss.Index) -> None:
        self._card, self._cpu, self._bytes = resources.card, cpu, 0
        with self._card.entered():
            resources.use()

    def __del__(self) -> None:
        with self._card.entered():
            self._card.used -= self._bytes

    def _allocate(self, kind: str, bytes: int) -> None:
        self._card.allocate(kind, bytes)
        self._bytes += bytes

    def search(self, queries: np.ndarray, k: int, *, params: faiss.SearchParameters | None = None) -> object:
        with self._card.entered():
            if not 0 < k <= MOST:
                what = f"GPU index only supports min/max-K selection up to {MOST} (requested {k})"
                raise RuntimeError(REFUSED.format("validateKSelect", "k > 0 && k <= getMaxKSelection(use_cuvs)", what))
            assert params is None or params.sel is None, "the GPU ignores selectors"
            assert queries.dtype == np.float32
            faiss.omp_set_num_threads(1)
            return self._cpu.search(queries, k, params=params)


class FlatL2(OnGpu):
    """GpuIndexFlatL2."""

    def __init__(self, resources: Resources, width: int) -> None:
        super().__init__(resources, faiss.IndexFlatL2(width))

    def add(self, vectors: np.ndarray) -> None:
        with self._card.entered():
            assert self._cpu.ntotal == 0, "each further addition would copy all that is there"
            self._allocate("FlatData", vectors.nbytes + 4 * len(vectors))
            self._cpu.add(vectors)

    def search(self, queries: np.ndarray, k: int, *, params: faiss.SearchParameters | None = None) -> object:
        assert params is None, "a flat index takes no lists to search"
        return super().search(queries, k)


class IvfFlat(OnGpu):
    """GpuIndexIVFFlat."""

    def __init__(self, resources: Resources, width: int, lists: int, metric: int) -> None:
        assert metric == faiss.METRIC_L2
        super().__init__(resources, faiss.IndexIVFFlat(faiss.IndexFlatL2(width), width, lists))
        self.cp = self._cpu.cp

    def train(self, vectors: np.ndarray) -> None:
        with self._card.entered():
            self._allocate("FlatData", self._cpu.nlist * (vectors.shape[1] + 1) * 4)
            self._cpu.train(vectors)

    def add(self, vectors: np.ndarray) -> None:
        with self._card.entered():
            assert self._cpu.is_trained, "Index not trained"
            self._cpu.add(vectors)
            sizes = [self._cpu.invlists.list_size(one) for one in range(self._cpu.nlist)]
            groups = sum(-(-size // 32) for size in sizes)
            self._allocate("IVFLists", groups * 32 * vectors.shape[1] * 4 + 8 * len(vectors))

    def reserveMemory(self, rows: int) -> None:  # noqa: N802
        with self._card.entered():
            assert rows > 0

    def reclaimMemory(self) -> int:  # noqa: N802
        with self._card.entered():
            return 0

    def search(self, queries: np.ndarray, k: int, *, params: faiss.SearchParameters | None = None) -> object:
        lists = params.nprobe if params is not None else 1
        if not 0 < lists <= MOST:
            what = f"GPU IVF index only supports nprobe selection up to {MOST} (requested {lists})"
            rule = "nprobe > 0 && nprobe <= (size_t)getMaxKSelection(use_cuvs)"
            raise RuntimeError(REFUSED.format("validateNProbe", rule, what))
        return super().search(queries, k, params=params)


@contextmanager
def gpu_stand_in(bytes: int = 8 << 30) -> Iterator[Card]:
    """Give index/gpu_index.py a GPU of so many bytes."""
    card = Card(bytes)
    module = SimpleNamespace(
        get_num_gpus=lambda: 1,
        StandardGpuResources=partial(Resources, card),
        GpuIndexFlatL2=FlatL2,
        GpuIndexIVFFlat=IvfFlat,
        METRIC_L2=faiss.METRIC_L2,
        SearchParametersIVF=faiss.SearchParametersIVF,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_index, "faiss", module)
        gpu_index._resources.cache_clear()
        yield card
        gpu_index._resources.cache_clear()
