"""Choose the gallery of a library: certified search while it is fast, an approximate index for more items."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Int64

from index.certified_gallery import CertifiedGallery
from index.faiss_index import gpus
from index.gallery import Gallery
from index.gpu_gallery import GpuGallery
from index.hnsw_gallery import HnswGallery
from index.index_cache import IndexCache
from index.ivf_gallery import IvfGallery
from index.milvus_gallery import MilvusGallery, MilvusServer
from model.data.distance import ScoreWeights
from model.data.latents import Latents

GalleryChoice = Literal["auto", "certified", "hnsw", "ivf", "milvus"]
CERTIFIED_UP_TO = 3_000_000  # items: with more, the scan of a certified search takes a good part of a second


def gallery_for(
    ids: Int64[np.ndarray, "n"],
    latents: Latents,
    weights: ScoreWeights,
    choice: GalleryChoice = "auto",
    *,
    budget: int | None = None,
    before: Gallery | None = None,
    cache: IndexCache | None = None,
    key: str = "",
    milvus: MilvusServer | None = None,
) -> Gallery:
    """Build the gallery that was chosen; "auto" is "certified" up to three million items, and beyond "hnsw".

    Where FAISS has a GPU, "auto" keeps all of p on it instead of "hnsw", and "ivf" its lists. `budget`: items that a
    certified search scores at most. `before`: a gallery of the same model, with other items; a certified gallery reuses
    its directions. `cache`: a file for the index of "hnsw" and "ivf"; `key` names the items of that index.
    EmptyLibrary for no items, LibraryError where Milvus cannot be reached.
    """
    if choice == "certified" or (choice == "auto" and len(ids) <= CERTIFIED_UP_TO):
        return CertifiedGallery(
            ids, latents, weights, budget=budget, before=before if isinstance(before, CertifiedGallery) else None
        )
    if choice == "milvus":
        return MilvusGallery(ids, latents, weights, server=milvus or MilvusServer())
    if choice != "hnsw" and gpus() > 0:
        return GpuGallery(ids, latents, weights, divided=choice == "ivf", cache=cache, key=key)
    make = IvfGallery if choice == "ivf" else HnswGallery
    return make(ids, latents, weights, cache=cache, key=key)
