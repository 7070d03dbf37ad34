"""Approximate search on a GPU; its kernels round in ways that the proofs here do not cover."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
from jaxtyping import Int64

from index.approximate_gallery import BLOCK_ROWS, SCAN, Allowed, ApproximateGallery, Packed, Proposals
from index.directions import LEAST_SHARED
from index.gallery import Gallery
from index.gpu_index import MOST, TEMPORARY_BYTES, GpuIndex, bytes_of, gpus
from index.pieces import Change, Nearest, Piece, plan
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.errors import DeviceMemoryShort, LibraryError

MOST_GROWTH = 2.0**10  # of the largest norm, in units of which p is stored
MOST_UNMEASURED = 0.1  # of the items, changed since the recall was measured
SPARE_BYTES = 1 << 30  # of GPU memory, left to the encoder


@final
class GpuGallery(ApproximateGallery):
    """Propose by all of p on the first GPU, or by inverted lists of it; searches wait for each other.

    p lies there in pieces; the nearest of what all of them propose are scored. No file keeps them: they are made anew
    at each start.
    """

    most: ClassVar[int] = MOST
    filters: ClassVar[bool] = False  # FAISS ignores selectors on a GPU, unless it was built with cuVS

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        divided: bool = False,
        before: Gallery | None = None,
        free_bytes: int | None = None,
        scan: int = SCAN,
    ) -> None:
        """Copy p of n items to the GPU, as lists if `divided`.

        `before`: a gallery of the same model's latents, which may go on serving. Its pieces are used again, so that
        only what is new is copied, and its recall is told until a tenth of the items have changed. `free_bytes` of the
        GPU's memory; None for not to count.

        Raises:
            LibraryError: FAISS has no GPU. DeviceMemoryShort: what is to be copied does not fit.
            DeviceError: the GPU failed.
        """
        if gpus() == 0:
            raise LibraryError(
                "no GPU that FAISS can use, one expected: install the extra `gpu`, or choose another gallery"
            )
        last = _reusable(before, ids, weights, divided)
        change = Change.since(last, ids, latents)
        if last is not None and last._is_outgrown(latents, change.new):
            last, change = None, Change.since(None, ids, latents)
        super().__init__(ids, latents, weights, scan=scan, before=last)
        self.path = "ivf-gpu" if divided else "flat-gpu"
        self._divided = divided
        self._fitted_to: Int64[np.ndarray, "fitted"] = ids if last is None else last._fitted_to
        self._pieces: list[Piece]
        self._pieces, to_make = plan([] if last is None else change.carried(last._pieces), len(ids))
        self._check_memory(to_make, free_bytes)
        for rows in to_make:
            self._pieces.append(Piece(GpuIndex(self.packed(rows), divided=divided), rows))
        self._unmeasured: int = len(change) + (0 if last is None else last._unmeasured)
        if last is not None and self._unmeasured <= MOST_UNMEASURED * len(ids):
            self.recall = last.recall
        else:
            self.measure()
            self._unmeasured = 0

    def _propose(self, packed: Packed, m: int, allowed: Allowed) -> Proposals:
        return Nearest.of_all([piece.nearest(packed, m, allowed) for piece in self._pieces], m)

    def _is_scan_faster(self, count: int, m: int) -> bool:
        """Say whether `count` items are scored as fast as m are proposed: on the GPU a filter slows no search."""
        return count <= self.scan * m

    def _is_outgrown(self, latents: Latents, new: Int64[np.ndarray, "m"]) -> bool:
        """Say whether any of the new rows has a p that is too long for the units in which this gallery stores it."""
        blocks = (latents[new[at : at + BLOCK_ROWS]] for at in range(0, len(new), BLOCK_ROWS))
        return any(self._prefilter.largest_norm(block) > MOST_GROWTH * self._rounding.scale for block in blocks)

    def _check_memory(self, to_make: list[Int64[np.ndarray, "_"]], free_bytes: int | None) -> None:
        """Raise DeviceMemoryShort where pieces of these rows, and one more while it is filled, do not fit."""
        width = sum(self._prefilter.widths)
        each = [bytes_of(len(rows), width, divided=self._divided) for rows in to_make]
        needed = sum(each) + max(each, default=0) + TEMPORARY_BYTES + SPARE_BYTES
        if each and free_bytes is not None and needed > free_bytes:
            raise DeviceMemoryShort(
                f"an index of {len(self):,} items needs {needed:,} bytes of GPU memory, {free_bytes:,} are free: "
                "end what else uses the GPU, or choose a gallery in main memory"
            )


def _reusable(
    before: Gallery | None, ids: Int64[np.ndarray, "n"], weights: ScoreWeights, divided: bool
) -> GpuGallery | None:
    """Return `before` if items with these ids can have the same p as its own."""
    if not isinstance(before, GpuGallery) or before._divided != divided or before.weights != weights:
        return None
    shared = np.count_nonzero(np.isin(ids, before._fitted_to, assume_unique=True))
    return before if shared >= LEAST_SHARED * max(1, len(ids), len(before._fitted_to)) else None
