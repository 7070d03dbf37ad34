"""FAISS on a GPU: one set of resources for the process, one thread at a time, failures that have names."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest
import torch
from gallery_samples import need_gpu
from gpu_stand_in import Card, gpu_stand_in

from index import gpu_index
from index.gpu_index import MOST, TEMPORARY_BYTES, GpuIndex, bytes_of
from model.errors import DeviceError, DeviceMemoryShort

VECTORS = np.random.default_rng(0).standard_normal((3000, 8)).astype(np.float32)
QUERIES = np.random.default_rng(1).standard_normal((70, 8)).astype(np.float32)
both_kinds = pytest.mark.parametrize("divided", [False, True])


@pytest.fixture
def card() -> Iterator[Card]:
    with gpu_stand_in() as card:
        yield card


def nearest_rows(m: int) -> list[set[int]]:
    squared = ((QUERIES[:, np.newaxis] - VECTORS) ** 2).sum(axis=2)
    return [set(row.tolist()) for row in np.argsort(squared, axis=1)[:, :m]]


@both_kinds
def test_the_nearest_are_found(card: Card, divided: bool) -> None:
    """As many as FAISS can give, in batches larger than it is asked at once; beyond the last vector the row is -1."""
    index = GpuIndex(VECTORS, divided=divided)
    assert len(index) == 3000
    for m in (1, 30, MOST):
        _, rows = index.nearest(QUERIES, m, lists=MOST)
        assert [set(row.tolist()) for row in rows] == nearest_rows(m)
    distances, rows = GpuIndex(VECTORS[:5], divided=divided).nearest(VECTORS[:1], 7, lists=1)
    assert rows[0].tolist()[5:] == [-1, -1]
    assert sorted(rows[0].tolist()[:5]) == [0, 1, 2, 3, 4]
    assert distances[0, 0] == 0


def test_few_queries_are_asked_at_once_where_lists_propose_much(card: Card) -> None:
    """What FAISS needs for a search stays within half of the memory that is set aside for it."""
    index = GpuIndex(VECTORS, divided=True)
    for m, lists in ((10, 1), (2048, 128), (2048, 2048)):
        assert index._together(m, lists) * lists * (m * 12 + 8 * 4) <= max(TEMPORARY_BYTES // 2, lists * (m * 12 + 32))
    assert index._together(2048, 128) == 42
    assert index._together(10, 1) == 64


def test_all_indexes_share_resources_that_are_made_at_the_first_use(card: Card) -> None:
    """Their temporary memory is reserved once; an index that is gone gives its own memory back."""
    assert card.used == 0
    indexes = [GpuIndex(VECTORS, divided=divided) for divided in (False, True, False)]
    assert TEMPORARY_BYTES < card.used < TEMPORARY_BYTES + 2**20
    indexes.clear()
    gc.collect()
    assert card.used == TEMPORARY_BYTES


def test_threads_search_build_and_free_one_at_a_time(card: Card) -> None:
    """Of several indexes, too: the stand-in raises where two threads are in FAISS, and gets what one thread gets."""
    shared = GpuIndex(VECTORS, divided=False)

    def work(number: int) -> list[set[int]]:
        own = GpuIndex(VECTORS, divided=number % 2 == 0)
        found = shared.nearest(QUERIES, 9)[1] if number % 3 else own.nearest(QUERIES, 9, lists=MOST)[1]
        return [set(row.tolist()) for row in found]

    with ThreadPoolExecutor(8) as threads:
        assert all(found == nearest_rows(9) for found in threads.map(work, range(24)))


@both_kinds
def test_an_index_that_does_not_fit_is_named_and_leaves_nothing(divided: bool) -> None:
    """Memory that is short is an error of its own, and what was allocated is free again."""
    with gpu_stand_in(TEMPORARY_BYTES + 200_000) as card:
        small = GpuIndex(VECTORS[:1000], divided=divided)
        used = card.used
        with pytest.raises(DeviceMemoryShort, match=r"too little free memory .*cudaMalloc"):
            GpuIndex(VECTORS[:5000].repeat(3, axis=0), divided=divided)
        gc.collect()
        assert card.used == used
        assert small.nearest(VECTORS[:1], 1, lists=MOST)[1].tolist() == [[0]]


def test_resources_whose_first_use_failed_are_not_used_again() -> None:
    """FAISS would crash on them; with memory again there the next index gets new ones."""
    with gpu_stand_in(TEMPORARY_BYTES - 1) as card:
        for _ in range(2):
            with pytest.raises(DeviceMemoryShort):
                GpuIndex(VECTORS, divided=False)
        card.bytes *= 2
        assert len(GpuIndex(VECTORS, divided=False)) == 3000


@both_kinds
def test_another_failure_of_the_gpu_is_an_error_of_the_device(card: Card, divided: bool) -> None:
    """While an index is built and while it is searched; not one of memory."""
    index = GpuIndex(VECTORS, divided=divided)
    for work in (lambda: index.nearest(QUERIES, 3, lists=1), lambda: GpuIndex(VECTORS, divided=divided)):
        card.refusal = "Error in void faiss::gpu::f() at a.cu:1: Error: 'err == cudaSuccess' failed: CUDA error 719"
        with pytest.raises(DeviceError, match="CUDA error 719") as raised:
            work()
        assert not isinstance(raised.value, DeviceMemoryShort)
    with pytest.raises(DeviceError, match="up to 2048"):
        index.nearest(QUERIES, MOST + 1, lists=1)


@both_kinds
def test_memory_is_estimated_within_a_fifth(card: Card, divided: bool) -> None:
    """And not below what the vectors themselves take."""
    for rows in (600, 3000):
        before = card.used or TEMPORARY_BYTES
        index = GpuIndex(VECTORS[:rows], divided=divided)
        taken = card.used - before
        assert 0.8 * taken < bytes_of(rows, 8, divided=divided) < 1.2 * taken
        assert taken > VECTORS[:rows].nbytes
        del index


@pytest.mark.gpu
@both_kinds
def test_distances_of_a_card_are_float32(divided: bool) -> None:
    """They are off by a few units of 2^-24, not by the 2^-11 of TF32 or float16."""
    need_gpu()
    random = np.random.default_rng(0)
    vectors, queries = (random.standard_normal((n, 193)).astype(np.float32) for n in (5000, 64))
    found, rows = GpuIndex(vectors, divided=divided).nearest(queries, 50, lists=MOST)
    true = ((queries[:, np.newaxis].astype(np.float64) - vectors[rows]) ** 2).sum(axis=2)
    assert np.abs(found - true).max() < 2**-18 * true.max()


@pytest.mark.gpu
@both_kinds
def test_memory_of_a_card_runs_out_and_is_there_again(divided: bool) -> None:
    """While PyTorch holds nearly all an index is refused by name; what was there is searched, and all works after."""
    need_gpu()
    small, many = GpuIndex(VECTORS, divided=False), np.random.default_rng(0).standard_normal((300_000, 193))
    held = torch.empty(torch.cuda.mem_get_info()[0] - (96 << 20), dtype=torch.uint8, device="cuda")
    with pytest.raises(DeviceMemoryShort):
        GpuIndex(many.astype(np.float32), divided=divided)
    assert small.nearest(VECTORS[:1], 1)[1].tolist() == [[0]]
    del held
    torch.cuda.empty_cache()
    assert len(GpuIndex(many.astype(np.float32), divided=divided)) == 300_000


@pytest.mark.skipif(not hasattr(faiss, "StandardGpuResources"), reason="faiss-cpu has no classes for a GPU")
def test_the_stand_in_offers_nothing_that_faiss_lacks() -> None:
    """Each of its classes and methods is one of FAISS's; without a driver FAISS's own error is one of the device."""
    with gpu_stand_in():
        for name, offered in vars(gpu_index.faiss).items():
            assert hasattr(faiss, name)
            made = getattr(offered, "func", offered)
            if isinstance(made, type):
                assert {method for method in dir(made) if method[0] != "_"} <= {"use", *dir(getattr(faiss, name))}
    if faiss.get_num_gpus() == 0:
        with pytest.raises(DeviceError, match="Invalid GPU device"):
            GpuIndex(VECTORS, divided=False)
