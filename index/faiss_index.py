"""FAISS's approximate indexes over p: build, search, write and read them. Galleries score exactly what they find.

Any number of threads may search an index in main memory while nothing is added to it, and nothing here adds later.
"""

from __future__ import annotations

from math import sqrt
from typing import BinaryIO

import faiss
import numpy as np
from faiss import Index
from jaxtyping import Bool, Float32, Int64

__all__ = ["VERSION", "Index", "compressed_ivf", "hnsw", "ivf", "lists_for", "nearest", "read", "write"]
VERSION: str = faiss.__version__
LINKS = 32  # of an HNSW node, per level
BUILD_BREADTH = 100
PER_LIST = 39  # vectors for each centre, at least: what FAISS asks for
NUMBERS_PER_CODE = 4  # of p, in one byte of a product quantizer
TOGETHER = 16  # queries searched at once: from 20 on FAISS finds centres by matrix products, which round otherwise


def hnsw(vectors: Float32[np.ndarray, "n width"]) -> Index:
    """Link the vectors to a graph of near neighbours; several threads build it, so that no two graphs are the same."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS)
    index.hnsw.efConstruction = BUILD_BREADTH
    index.add(vectors)
    return index


def ivf(vectors: Float32[np.ndarray, "n width"]) -> Index:
    """Divide the vectors into lists, each around a centre."""
    width = vectors.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(width), width, lists_for(len(vectors)))
    index.cp.min_points_per_centroid = 1  # no warning for few vectors
    index.train(vectors)
    index.add(vectors)
    return index


def compressed_ivf(vectors: Float32[np.ndarray, "n width"]) -> Index:
    """Divide at least 256 vectors into lists and keep a byte for four numbers of each, by product quantization."""
    codes = -(-vectors.shape[1] // NUMBERS_PER_CODE)
    width = codes * NUMBERS_PER_CODE
    index = faiss.IndexIVFPQ(faiss.IndexFlatL2(width), width, lists_for(len(vectors)), codes, 8)
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
    index.train(_padded(vectors, width))
    index.add(_padded(vectors, width))
    return index


def lists_for(n: int) -> int:
    """Return into how many lists n vectors are divided: 4 sqrt(n), or as many as there are vectors to find them."""
    return max(1, min(round(4 * sqrt(n)), n // PER_LIST))


def nearest(
    index: Index,
    queries: Float32[np.ndarray, "q width"],
    m: int,
    *,
    breadth: int = 0,
    lists: int = 0,
    allowed: Bool[np.ndarray, "n"] | None = None,
) -> Int64[np.ndarray, "q m"]:
    """Return the rows of about the m nearest allowed vectors; -1 where the index finds no more.

    `breadth`: nodes kept in view in a graph; or `lists`: how many lists to search. The other queries do not change a
    query's answer.
    """
    faiss.omp_set_num_threads(1)  # in this thread: concurrent searches are fastest with one each
    selector = None if allowed is None else _selector(allowed)  # the parameters only point to it
    if breadth:
        parameters = faiss.SearchParametersHNSW(efSearch=breadth, sel=selector)  # type: ignore[attr-defined]
    else:
        parameters = faiss.SearchParametersIVF(nprobe=lists, sel=selector)  # type: ignore[call-arg]
    given = _padded(queries, index.d)
    starts = range(0, len(given), TOGETHER)
    return np.concatenate([index.search(given[at : at + TOGETHER], m, params=parameters)[1] for at in starts])


def write(index: Index, file: BinaryIO) -> None:
    """Write an index in FAISS's format."""
    faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]


def read(file: BinaryIO) -> Index:
    """Read what `write` wrote; other bytes may crash FAISS."""
    return faiss.read_index(faiss.PyCallbackIOReader(file.read))  # type: ignore[attr-defined]


def _padded(vectors: Float32[np.ndarray, "n width"], width: int) -> Float32[np.ndarray, "n padded"]:
    """Append zeros, which change no distance."""
    missing = width - vectors.shape[1]
    return np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors


def _selector(allowed: Bool[np.ndarray, "n"]) -> faiss.IDSelector:
    bits = np.packbits(allowed, bitorder="little")
    return faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]
