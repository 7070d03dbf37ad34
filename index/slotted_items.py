"""Which slot each item of a gallery is in, and how that follows from what is kept: a gallery before it, or a folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int64

from index.directions import Directions
from index.latents_on_disk import LatentsOnDisk, unchanged
from index.slots import Filled, Slots
from index.slots_folder import SlotsFolder
from model.data.distance import ScoreWeights
from model.data.latents import Latents

LEAST_IN_USE = 0.75  # of the slots; with less all are filled anew
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SlottedItems:
    """Hold n items, and the slot of each.

    `stamps`: what an item has another of once its latents have changed; None where nothing follows. `filled`: the
    slots as they are for these items. `folder`: where slots are kept, if they are.
    """

    ids: Int64[np.ndarray, "n"]
    stamps: Int64[np.ndarray, "n"] | None
    slots: Slots
    slot_of_row: Int64[np.ndarray, "n"]
    filled: Filled
    folder: SlotsFolder | None


@dataclass(frozen=True, eq=False)
class Wanted:
    """Hold n items that are to be in slots: as arguments of CertifiedGallery."""

    ids: Int64[np.ndarray, "n"]
    stamps: Int64[np.ndarray, "n"] | None
    latents: Latents | LatentsOnDisk
    weights: ScoreWeights
    groups: Int[np.ndarray, "n"]
    key: str

    def __len__(self) -> int:
        return len(self.ids)

    def provided(self, before: SlottedItems | None, path: Path | None) -> SlottedItems:
        """Return them in slots: in those of the items before, or of a folder, as far as they are there.

        Where the disk refuses, the slots lie in memory alone, and nothing is left in the folder. Raises what reading
        latents raises.
        """
        folder = None
        try:
            if path is not None and self.stamps is not None:
                same = before is not None and before.folder is not None and before.folder.path == path
                folder = before.folder if before is not None and same else SlotsFolder(path)
            return self._followed(before, folder)
        except OSError as error:
            log.warning("the disk refuses (%s): the index is kept in memory alone", error)
            if folder is not None:
                folder.forget()  # what is there is of no use, and a full disk needs the room
            return self._in_new(Directions.fit(self.ids, self.latents, self.weights), None)

    def _followed(self, before: SlottedItems | None, folder: SlotsFolder | None) -> SlottedItems:
        held = self._held(before, folder)
        directions = held.slots.directions if held is not None else None if before is None else before.slots.directions
        if directions is None or not directions.suit(self.ids, self.weights):
            return self._in_new(Directions.fit(self.ids, self.latents, self.weights), folder)
        if held is None or held.stamps is None or self.stamps is None or len(self) < LEAST_IN_USE * len(held.slots):
            return self._in_new(directions, folder)
        there, same = unchanged(self.ids, self.stamps, held.ids, held.stamps)
        new, slot_of_row = np.flatnonzero(~same), np.empty(len(self), np.int64)
        slot_of_row[same] = held.slot_of_row[there[same]]
        if len(new):
            if not held.slots.grows:
                return self._in_new(directions, folder)
            slot_of_row[new] = len(held.slots) + np.arange(len(new))
            held.slots.fill(self.ids, self.stamps, self.latents, new, self.groups[new])
        return self._in(held.slots, slot_of_row, folder)

    def _held(self, before: SlottedItems | None, folder: SlotsFolder | None) -> SlottedItems | None:
        """Return the items of this model that are there already."""
        ours_now = folder is not None and not folder.is_ours and folder.take()  # what another process kept is newer
        if before is not None and before.stamps is not None and before.slots.key == self.key and not ours_now:
            return before
        slots = None if folder is None else folder.kept(self.key, self.latents.widths)
        return None if slots is None else newest_in(slots)

    def _in_new(self, directions: Directions, folder: SlotsFolder | None) -> SlottedItems:
        if folder is None:
            slots = Slots(directions, self.latents.widths, self.key, None)
        else:
            slots = folder.begin(directions, self.latents.widths, self.key)
        stamps = np.zeros(len(self), np.int64) if self.stamps is None else self.stamps
        slots.fill(self.ids, stamps, self.latents, np.arange(len(self)), self.groups)
        if folder is not None:
            folder.forget(but=slots)
        return self._in(slots, np.arange(len(self)), folder)

    def _in(self, slots: Slots, slot_of_row: Int64[np.ndarray, "n"], folder: SlotsFolder | None) -> SlottedItems:
        return SlottedItems(self.ids, self.stamps, slots, slot_of_row, slots.filled(), folder)


def newest_in(slots: Slots) -> SlottedItems:
    """Return the items in some slots, by id; of one that is in several slots the last one."""
    filled = slots.filled()
    ids, stamps = (np.ascontiguousarray(column) for column in filled.keys.T[:2])
    order = np.argsort(ids, kind="stable")
    last = order[np.append(np.diff(ids[order]) != 0, True)]
    return SlottedItems(ids[last], stamps[last], slots, last, filled, None)
