"""How a library is searched: by which index, how far, and where that index lies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from index.gallery import Gallery
from index.gallery_choice import GalleryChoice, gallery_for, is_certified
from index.index_cache import IndexCache
from index.library import Library
from index.milvus import MilvusServer
from index.records import LatentTable
from model.data.distance import ScoreWeights
from model.modality import Modality


@dataclass(frozen=True)
class IndexSettings:
    """Choose an index; `budget`: items that a certified search scores at most."""

    choice: GalleryChoice = "auto"
    budget: int | None = None
    milvus_uri: str = ""
    milvus_token: str = ""

    def leaves_latents_on_disk(self, items: int) -> bool:
        """Say whether the index of so many items wants no latents in this process's memory."""
        return self.choice == "milvus" or is_certified(self.choice, items)

    def gallery(
        self,
        library: Library,
        modality: Modality,
        table: LatentTable,
        weights: ScoreWeights,
        before: Gallery | None = None,
        gpu_bytes: int | None = None,
    ) -> Gallery:
        """Build the gallery of a modality's items, or read its index from the library's cache.

        `before`: one of the same model, of the library as it was; it makes building quicker. `gpu_bytes`: free on the
        GPU, on which the index may lie; None keeps it in main memory.

        Raises:
            LibraryError: Milvus was chosen and cannot be used. DeviceError: the GPU failed.
        """
        name = hashlib.sha256(str(library.directory).encode()).hexdigest()[:12]
        return gallery_for(
            table.ids,
            table.latents,
            weights,
            self.choice,
            budget=self.budget,
            before=before,
            cache=IndexCache(library.cache / "index" / f"{modality}.faiss"),
            key=f"{modality} {table.fingerprint}",
            milvus=MilvusServer(self.milvus_uri, f"echolens_{name}_{modality}", self.milvus_token),
            projection=library.cache / "index" / f"{modality}.projection.npz",
            slots=library.cache / "index" / f"{modality}.slots",
            stamps=table.stamps,
            groups=table.video_numbers,
            gpu_bytes=gpu_bytes,
        )
