"""How a table on the disk follows the catalogue: what has changed since an earlier one is read, the rest taken over."""

from __future__ import annotations

import sqlite3

import numpy as np
from jaxtyping import Int64

from index.changes import changed_since
from index.latents_on_disk import ConceptsOnDisk
from index.records import LatentTable
from index.splice import Splice
from index.table_rows import Items, load_items, load_videos, widened
from index.video_columns import VideoColumns
from model.modality import Modality


def columns_since(c: sqlite3.Connection, before: LatentTable | None) -> VideoColumns:
    """Return the videos that are searched; records that stay the same are those of a table before them."""
    changed = None if before is None else changed_since(c, before.catalogue_version)
    positions, videos = load_videos(c, {} if before is None else before.videos, changed)
    if before is None or changed is None:
        return VideoColumns(videos, positions)
    last = _positions(before.video_columns)
    there = np.isin(last, changed)
    gone, came = np.flatnonzero(there & ~np.isin(last, positions)), np.setdiff1d(positions, last[there])
    names = list(before.videos)
    together = dict(before.videos)  # as a whole, since a loop over all videos takes many times as long
    for row in gone.tolist():
        del together[names[row]]
    together |= videos
    positions = np.concatenate([np.delete(last, gone), came])
    if np.any(np.diff(positions) < 0):  # one that had gone missing was found
        order = np.argsort(positions)
        columns = (map(list(column).__getitem__, order.tolist()) for column in (together, together.values()))
        together, positions = dict(zip(*columns, strict=True)), positions[order]
    return VideoColumns(together, positions)


def items_since(c: sqlite3.Connection, modality: Modality, columns: VideoColumns, before: LatentTable | None) -> Items:
    """Return the items that are searched, of those of a table before them; arrays that stay the same are shared."""
    changed = None if before is None else changed_since(c, before.catalogue_version)
    searched = _positions(columns)
    new = load_items(c, modality, searched, changed)
    if before is None or changed is None:
        return new
    last, concepts = _positions(before.video_columns), before.concepts
    assert isinstance(concepts, ConceptsOnDisk)
    assert before.stamps is not None
    went, numbers = np.isin(last, changed), before.video_numbers
    stay = np.flatnonzero(~went)
    now = np.searchsorted(searched, last).astype(np.int32)
    if not np.array_equal(now[stay], stay):
        numbers = now[numbers]
    splice = Splice.of(before.ids, np.flatnonzero(went[before.video_numbers]), new.ids)
    width = max(concepts.bits.shape[1], new.bits.shape[1])
    return Items(
        splice.array(before.ids, new.ids),
        splice.array(numbers, new.video_numbers),
        splice.array(before.start_s, new.start_s),
        splice.array(before.heard, new.heard),
        splice.array(before.seen, new.seen),
        splice.array(before.stamps, new.stamps),
        splice.array(widened(concepts.bits, width), widened(new.bits, width)),
    )


def _positions(columns: VideoColumns) -> Int64[np.ndarray, "videos"]:
    assert columns.positions is not None, "of a table on the disk"
    return columns.positions
