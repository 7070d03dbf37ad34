"""FAISS on the first GPU: the one door to its classes there, and the resources that all indexes of the process share.

FAISS raises RuntimeError where memory is short and where it refuses a call; here these become errors of the device.
After any other failure of CUDA it ends the process: its assertions abort.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from threading import RLock
from typing import Any, TypeVar

import faiss
import numpy as np
from jaxtyping import Float32, Int64

from index.faiss_index import lists_for
from model.errors import DeviceError, DeviceMemoryShort

T = TypeVar("T")
MOST = 2048  # vectors that FAISS's GPU kernels find for a query, and lists that they search for it
TEMPORARY_BYTES = 256 << 20  # of GPU memory for searches; what does not fit is allocated and freed by each of them
TOGETHER = 64  # queries of a search, at most: their distances to a piece of 262,144 vectors take 134 MB
GROUP = 32  # vectors: lists grow by so many
SHORT = ("out of memory", "alloc fail")  # what FAISS writes where memory is short
# FAISS's resources take one thread at a time. Freeing an index uses them too, and a garbage collection may free one
# in the thread that is here already: hence reentrant.
ONE_AT_A_TIME = RLock()


class GpuIndex:
    """Hold vectors on the first GPU, in the order given or `divided` into lists; they never change.

    Their distances are sums of float32 products of float32 numbers: FAISS stores no float16 unless asked to, and calls
    cuBLAS in its default mode, which does not round to TF32. Distances of near vectors cancel all the same, so they
    propose candidates and nothing more.
    """

    def __init__(self, vectors: Float32[np.ndarray, "n width"], *, divided: bool) -> None:
        """Copy n vectors there; divided ones train the centres of their lists there.

        Raises:
            DeviceMemoryShort: they do not fit. DeviceError: the GPU cannot be used.
        """
        rows, width = vectors.shape
        self.divided = divided
        self._rows: int = rows
        self._width: int = width
        self._index: Any
        if not divided:
            self._index = _call(lambda: faiss.GpuIndexFlatL2(_resources(), width))
            _call(lambda: self._index.add(vectors))  # at once: each addition moves what is there already
            return
        make: Any = faiss.GpuIndexIVFFlat  # type: ignore[attr-defined]
        self._index = _call(lambda: make(_resources(), width, lists_for(rows), faiss.METRIC_L2))
        self._index.cp.min_points_per_centroid = 1  # no warning for few vectors
        _call(lambda: self._index.train(vectors))
        _call(lambda: self._index.reserveMemory(rows))
        _call(lambda: self._index.add(vectors))
        _call(lambda: self._index.reclaimMemory())

    def __del__(self) -> None:
        with ONE_AT_A_TIME:
            self.__dict__.pop("_index", None)

    def __len__(self) -> int:
        return self._rows

    def nearest(
        self, queries: Float32[np.ndarray, "q width"], m: int, *, lists: int = 0
    ) -> tuple[Float32[np.ndarray, "q m"], Int64[np.ndarray, "q m"]]:
        """Return the squared distances and rows of about the m nearest vectors, at most 2,048; row -1 for no more.

        `lists`: how many to look through, of a divided index, at most 2,048.

        Raises:
            DeviceMemoryShort, DeviceError: the GPU failed.
        """
        how = faiss.SearchParametersIVF(nprobe=lists) if self.divided else None  # type: ignore[call-arg]
        parts = np.array_split(queries, -(-len(queries) // self._together(m, lists)))
        found = [_call(partial(self._search, part, m, how)) for part in parts]
        return np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])

    def _search(self, queries: np.ndarray, m: int, how: Any) -> tuple[np.ndarray, np.ndarray]:
        found: tuple[np.ndarray, np.ndarray] = self._index.search(queries, m, params=how)
        return found

    def _together(self, m: int, lists: int) -> int:
        """Return how many queries to search at a time, so that what lists propose fits into half the memory for it."""
        bytes_each = lists * (m * 12 + self._width * 4)  # m distances and ids from each list, and its centre
        return max(1, min(TOGETHER, TEMPORARY_BYTES // 2 // max(1, bytes_each)))


def gpus() -> int:
    """Return how many GPUs FAISS can use; 0 for faiss-cpu."""
    return int(faiss.get_num_gpus())


def bytes_of(rows: int, width: int, *, divided: bool) -> int:
    """Return about how many bytes of GPU memory an index takes."""
    if not divided:
        return rows * (width + 1) * 4  # the vectors and their squared norms
    lists = lists_for(rows)
    padded = rows + lists * GROUP // 2
    return padded * width * 4 + rows * 8 + lists * (width + 1) * 4  # the vectors, their ids, the centres


@cache
def _resources() -> Any:
    """Return what all indexes of the process share.

    Their first use reserves their memory. Where that fails they are thrown away: FAISS would crash on their second.
    """
    made = faiss.StandardGpuResources()
    made.setPinnedMemory(0)  # in main memory, for batches over 256 MiB, which never come
    made.setTempMemory(TEMPORARY_BYTES)
    faiss.GpuIndexFlatL2(made, 1)
    return made


def _call(work: Callable[[], T]) -> T:
    """Do what calls FAISS on the GPU, one thread at a time.

    The error of FAISS is gone before the next thread may call: its traceback holds indexes, which are freed with it.
    """
    with ONE_AT_A_TIME:
        try:
            return work()
        except RuntimeError as error:
            failure = _named(str(error))
    raise failure


def _named(text: str) -> DeviceError:
    first_line = text.partition("\n")[0].strip()
    if any(mark in text for mark in SHORT):
        return DeviceMemoryShort(f"the GPU has too little free memory for the index ({first_line})")
    return DeviceError(f"the GPU failed in the index ({first_line})")
