"""Choose the gallery of a library: certified search while it is fast, an approximate index for more items."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int, Int64

from index.certified_gallery import CertifiedGallery
from index.gallery import Gallery
from index.gpu_gallery import GpuGallery
from index.gpu_index import gpus
from index.hnsw_gallery import HnswGallery
from index.index_cache import IndexCache
from index.ivf_gallery import IvfGallery
from index.latents_on_disk import LatentsOnDisk
from index.milvus import MilvusServer
from index.milvus_gallery import MilvusGallery
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.errors import DeviceMemoryShort

GalleryChoice = Literal["auto", "certified", "hnsw", "ivf", "milvus"]
CERTIFIED_UP_TO = 3_000_000  # items: with more, the scan of a certified search takes a good part of a second
log = logging.getLogger(__name__)


def gallery_for(
    ids: Int64[np.ndarray, "n"],
    latents: Latents | LatentsOnDisk,
    weights: ScoreWeights,
    choice: GalleryChoice = "auto",
    *,
    budget: int | None = None,
    before: Gallery | None = None,
    cache: IndexCache | None = None,
    key: str = "",
    milvus: MilvusServer | None = None,
    projection: Path | None = None,
    slots: Path | None = None,
    stamps: Int64[np.ndarray, "n"] | None = None,
    groups: Int[np.ndarray, "n"] | None = None,
    gpu_bytes: int | None = None,
) -> Gallery:
    """Build the gallery that was chosen; "auto" is "certified" up to three million items, and beyond "hnsw".

    `gpu_bytes`: free on the GPU that the session computes on; None for no GPU. On one "auto" keeps all of p instead of
    "hnsw", and "ivf" its lists; where they do not fit, a warning says so, and the index stays in main memory. `budget`:
    items that a certified search scores at most. `before`: a gallery of the same model, with other items; a certified
    gallery goes on with its slots, one on a GPU with its pieces. `cache`: a file for the index of "hnsw" and "ivf" in
    main memory; `key` names the items of that index, and the model. `slots`, `stamps`, `groups`: of "certified", which
    takes latents on the disk; see CertifiedGallery. `projection`: of "milvus", which does as well; see MilvusGallery.

    Raises:
        EmptyLibrary: there are no items. LibraryError: Milvus cannot be reached. DeviceError: the GPU failed.
    """
    if choice == "milvus":
        server = milvus or MilvusServer()
        return MilvusGallery(
            ids, latents, weights, stamps=stamps, key=key, server=server, file=projection, before=before
        )
    if is_certified(choice, len(ids)):
        return CertifiedGallery(
            ids,
            latents,
            weights,
            stamps=stamps,
            groups=groups,
            budget=budget,
            before=before if isinstance(before, CertifiedGallery) else None,
            folder=slots,
            key=key,
        )
    if isinstance(latents, LatentsOnDisk):
        raise ValueError(f"latents on the disk given, those in memory expected, where {choice!r} has them")
    if choice != "hnsw" and gpu_bytes is not None:
        on_gpu = _on_gpu(ids, latents, weights, choice == "ivf", before, gpu_bytes)
        if on_gpu is not None:
            return on_gpu
    make = IvfGallery if choice == "ivf" else HnswGallery
    return make(ids, latents, weights, cache=cache, key=key)


def is_certified(choice: GalleryChoice, items: int) -> bool:
    """Say whether so many items are searched by a certified gallery."""
    return choice == "certified" or (choice == "auto" and items <= CERTIFIED_UP_TO)


def _on_gpu(
    ids: Int64[np.ndarray, "n"],
    latents: Latents,
    weights: ScoreWeights,
    divided: bool,
    before: Gallery | None,
    free_bytes: int,
) -> GpuGallery | None:
    """Build a gallery on the GPU; None, with a warning, where FAISS has none or its memory is too small."""
    if gpus() == 0:
        log.warning("FAISS has no GPU, the index stays in main memory: install the extra `gpu` in place of `cpu`")
        return None
    try:
        return GpuGallery(ids, latents, weights, divided=divided, before=before, free_bytes=free_bytes)
    except DeviceMemoryShort as short:
        log.warning("the index stays in main memory until the library changes: %s", str(short))  # no traceback
    return None
