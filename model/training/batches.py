"""Batches of the seconds that a run learns from, on the device that trains."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from model.data.corpus import Corpus

SHARE_OF_MEMORY = 0.5  # of the device's free memory may be features: a step and an encoding need the rest
PIECE_BYTES = 2**26


class Batches:
    """Hand out some seconds of a corpus, batch by batch, without letting the host wait for the device.

    `rows`: which seconds. A CUDA device holds the features of all of them where they fit into half of its free memory.
    Else each batch is copied there from pinned memory, while the device still computes the one before.
    """

    def __init__(self, corpus: Corpus, rows: Int64[np.ndarray, "n"], device: torch.device) -> None:
        self._values = (corpus.audio, corpus.visual, corpus.video)
        self._rows, self._device = rows, device

    def of(self, batches: list[Int64[np.ndarray, "_"]]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (batch, *A) audio, (batch, *V) visual and (batch,) video of each batch, given by its places in `rows`.

        Features are in the front-end's units.
        """
        if self._there is None:
            for places in batches:
                rows = self._rows[places]
                audio, visual, video = (self._sent(values[rows]) for values in self._values)
                yield audio, visual, video
        else:
            order = torch.from_numpy(np.concatenate(batches)).to(self._device)
            for chosen in torch.split(order, [len(places) for places in batches]):
                audio, visual, video = (values.index_select(0, chosen) for values in self._there)
                yield audio, visual, video

    @cached_property
    def _there(self) -> list[Tensor] | None:
        """Return all of the seconds on the device; None where it has no room for them, or is the CPU."""
        if self._device.type == "cpu":
            return None
        needed = len(self._rows) * sum(values[:1].nbytes for values in self._values)
        fit = needed <= SHARE_OF_MEMORY * _free_bytes(self._device)
        return [self._put(values) for values in self._values] if fit else None

    def _put(self, values: np.ndarray) -> Tensor:
        """Copy the rows of an array to the device, in pieces, so that the host holds no second copy of all."""
        nothing = torch.from_numpy(values[self._rows[:0]])
        there = nothing.new_empty((len(self._rows), *values.shape[1:]), device=self._device)
        piece = max(1, PIECE_BYTES // max(1, values[:1].nbytes))
        for begin in range(0, len(self._rows), piece):
            rows = self._rows[begin : begin + piece]
            there[begin : begin + piece] = torch.from_numpy(values[rows])
        return there

    def _sent(self, values: np.ndarray) -> Tensor:
        """Send a batch on its way to the device."""
        here = torch.from_numpy(values)
        return here if self._device.type == "cpu" else here.pin_memory().to(self._device, non_blocking=True)


def _free_bytes(device: torch.device) -> int:
    """Return what the device has free, with what PyTorch keeps there for its next tensors."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
