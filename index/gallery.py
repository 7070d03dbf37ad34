"""The interface of all galleries: the k nearest items of one modality, and whether that is proved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from index.latents_on_disk import LatentsOnDisk
from index.scores import Scores
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.errors import EmptyLibrary, QueryError


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Hold the nearest items, sorted by (distance, id), and the certificate.

    Distances are those that float64 computes: two that differ by less than its rounding may tie, or be in either order.
    `latent` and `generated` are the weighted parts that sum to `distance`. `certified`: proved equal to
    scoring every allowed item. `examined`: items scored exactly, of `gallery_size`. `path`: how the answer
    was found. `bound_gap`: a lower bound for every item not examined, minus the last distance given; None if
    all allowed items were examined, or nothing bounds them. `rerank_s`: the part of the search's time that exact
    scores took. `recall`: of an approximate gallery, the share of the ten nearest items that it finds for items of
    its own, as measured when it was built; None for the others. `twin_of`: the id of the nearer item that each copies,
    its own id where it copies none; None where nobody looked for copies. `latents`: of the hits, from a
    gallery that does not keep them in memory.
    """

    ids: Int64[np.ndarray, "m"]
    distance: Float64[np.ndarray, "m"]
    latent: Float64[np.ndarray, "m"]
    generated: Float64[np.ndarray, "m"]
    certified: bool
    examined: int
    gallery_size: int
    path: str
    bound_gap: float | None
    rerank_s: float
    recall: float | None = None
    twin_of: Int64[np.ndarray, "m"] | None = None
    latents: Latents | None = None


class Gallery(ABC):
    """Search the items of one modality; immutable once built, so any number of threads may search it."""

    def __init__(self, ids: Int64[np.ndarray, "n"], latents: Latents | LatentsOnDisk, weights: ScoreWeights) -> None:
        """Index n items, at least one; `ids` are distinct. EmptyLibrary if there is none."""
        if len(ids) == 0:
            raise EmptyLibrary("a gallery of 0 items given, at least 1 expected: add footage first")
        if len(ids) != len(latents) or not ((np.diff(ids) > 0).all() or len(np.unique(ids)) == len(ids)):
            raise ValueError(f"{len(ids)} ids, {len(latents)} latents: distinct ids, as many latents expected")
        self.ids = ids
        self.weights = weights
        self.widths = latents.widths

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, query: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None = None) -> SearchResult:
        """Find the min(k, allowed items) nearest of the allowed items to a query of one row.

        QueryError for k < 1, a query of other dimensions than the gallery's or one that is not finite.
        """
        if len(query) != 1:
            raise QueryError(f"a query of {len(query)} rows given, 1 row expected: ask for a batch")
        self._check(query, k, allowed)
        return self._search(query, k, allowed)[0]

    def search_batch(
        self, queries: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None = None
    ) -> list[SearchResult]:
        """Answer each row as `search` would; the queries share work where the gallery can.

        QueryError as for `search`.
        """
        self._check(queries, k, allowed)
        return self._search(queries, k, allowed)

    def result(
        self,
        best: Scores,
        path: str,
        examined: int,
        rerank_s: float,
        *,
        certified: bool,
        bound_gap: float | None = None,
        recall: float | None = None,
        latents: Latents | None = None,
    ) -> SearchResult:
        """Return the nearest items, in order, as a result of this gallery."""
        hits = best.ids, best.distance, best.latent, best.generated
        found = SearchResult(*hits, certified, examined, len(self), path, bound_gap, rerank_s, recall)
        return found if latents is None else replace(found, latents=latents)

    @abstractmethod
    def _search(self, queries: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None) -> list[SearchResult]:
        """Answer questions that were checked, a row of `queries` each."""

    def _check(self, queries: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None) -> None:
        if k < 1:
            raise QueryError(f"k = {k} given, at least 1 expected: ask for one hit or more")
        if allowed is not None and allowed.shape != self.ids.shape:
            raise ValueError(f"a mask of shape {allowed.shape} given, {self.ids.shape} expected")
        given = queries.widths
        if given != self.widths:
            raise QueryError(
                f"a query with {given} numbers given, {self.widths} expected: encode it with the "
                "checkpoint that encoded the library"
            )
        if not queries.is_finite():
            raise QueryError("a query with NaN or infinite numbers given, finite ones expected: check the file")


class GalleryWithLatents(Gallery):
    """Search items whose latents can be read by row."""

    latents: Latents | LatentsOnDisk


class GalleryInMemory(GalleryWithLatents):
    """Search items whose latents are in memory."""

    latents: Latents

    def __init__(self, ids: Int64[np.ndarray, "n"], latents: Latents, weights: ScoreWeights) -> None:
        """Index n items, as `Gallery`; their latents are finite."""
        super().__init__(ids, latents, weights)
        if not latents.is_finite():
            raise ValueError("latents with NaN or infinite numbers given, finite ones expected")
        self.latents = latents
