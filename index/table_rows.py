"""Read what a table on the disk holds of videos and items, and rows of what it leaves there, inside a transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt8

from index.latents_on_disk import PRESENT
from index.records import Video
from index.rows import FLOAT32, VIDEO, generation, meta, video_of
from model.data.latents import Latents
from model.errors import LibraryChanged
from model.modality import Modality

AT_ONCE = 256  # rows: more take longer, as they leave the processor's cache


@dataclass(frozen=True, eq=False)
class Items:
    """Hold what is small of n items of a modality, ids ascending; as of a LatentTable, and bits of ConceptsOnDisk."""

    ids: Int64[np.ndarray, "n"]
    video_numbers: Int32[np.ndarray, "n"]
    start_s: Int32[np.ndarray, "n"]
    heard: Bool[np.ndarray, "n"]
    seen: Bool[np.ndarray, "n"]
    stamps: Int64[np.ndarray, "n"]
    bits: UInt8[np.ndarray, "n bytes"]


def load_videos(
    c: sqlite3.Connection, known: Mapping[str, Video], among: Int64[np.ndarray, "_"] | None = None
) -> tuple[Int64[np.ndarray, "videos"], dict[str, Video]]:
    """Read the videos that are searched, or those at some positions, in order of these.

    They are the very objects of `known` where they equal.
    """
    query = f"SELECT {VIDEO}, position FROM videos WHERE NOT missing "
    if among is not None:
        query += "AND position IN (SELECT value FROM json_each(?)) "
    found = _tuples(c, f"{query} ORDER BY position", () if among is None else (_listed(among),))
    positions, videos = [], {}
    for *row, position in found:
        video = video_of(row)
        before = known.get(video.video_id)
        videos[video.video_id] = video if before is None or vars(before) != vars(video) else before
        positions.append(position)
    return np.array(positions, np.int64), videos


def load_items(
    c: sqlite3.Connection,
    modality: Modality,
    searched: Int64[np.ndarray, "videos"],
    among: Int64[np.ndarray, "_"] | None = None,
) -> Items:
    """Read the items that are searched, or those of the videos at some positions.

    `searched`: the positions of all videos that are searched, by which their items are numbered.
    """
    values: tuple[object, ...] = (generation(c), modality)
    if among is None:  # by id, which also puts them in order
        chosen = "latents CROSS JOIN segments USING (segment_id) CROSS JOIN videos USING (video_id) WHERE"
    else:
        chosen = (
            "json_each(?) CROSS JOIN videos ON position = value CROSS JOIN segments USING (video_id) "
            "CROSS JOIN latents USING (segment_id) WHERE"
        )
        values = (_listed(among), *values)
    query = (
        "SELECT latents.segment_id, position, 4 * start_s + 2 * heard + seen, stamp, concepts "
        f"FROM {chosen} generation = ? AND modality = ? AND NOT missing ORDER BY latents.segment_id"
    )
    found = _tuples(c, query, values)
    facts, bits = [np.empty((4, 0), np.int64)], [np.empty((0, 0), np.uint8)]
    while rows := found.fetchmany(AT_ONCE):
        *columns, concepts = zip(*rows, strict=True)
        facts.append(np.fromiter(chain.from_iterable(columns), np.int64).reshape(4, -1))
        bits.append(np.packbits(_together(concepts) >= PRESENT, axis=1))
    ids, positions, seconds, stamps = np.concatenate(facts, axis=1)
    widest = max(part.shape[1] for part in bits)
    return Items(
        ids.copy(),
        np.searchsorted(searched, positions).astype(np.int32),
        (seconds >> 2).astype(np.int32),
        (seconds & 2).astype(bool),
        (seconds & 1).astype(bool),
        _drawn(c, stamps),
        np.concatenate([widened(part, widest) for part in bits]),
    )


def widened(bits: UInt8[np.ndarray, "n bytes"], width: int) -> UInt8[np.ndarray, "n width"]:
    """Return bits with more columns, of concepts that none has."""
    return bits if bits.shape[1] == width else np.pad(bits, ((0, 0), (0, width - bits.shape[1])))


def read_latents(
    c: sqlite3.Connection,
    generation: int,
    modality: Modality,
    ids: Int64[np.ndarray, "m"],
    stamps: Int64[np.ndarray, "m"],
    widths: tuple[int, int],
) -> Latents:
    """Read the latents of some seconds, in their order. LibraryChanged if one is gone or was written anew."""
    rows = _at_ids(c, "mu, sigma, generated", generation, modality, ids)
    if not len(ids):
        return Latents(*(np.empty((0, width), np.float32) for width in (widths[0], *widths)))
    if len(rows) == len(ids):
        found, theirs, *blobs = zip(*rows, strict=True)
        if np.array_equal(found, ids) and np.array_equal(_drawn(c, np.array(theirs, np.int64)), stamps):
            return Latents(*(np.frombuffer(b"".join(b), FLOAT32).reshape(len(ids), -1).copy() for b in blobs))
    raise LibraryChanged(
        "the library changed just now, and seconds that were to be read are gone or were written anew: ask again"
    )


def read_concepts(
    c: sqlite3.Connection,
    generation: int,
    modality: Modality,
    ids: Int64[np.ndarray, "m"],
    stamps: Int64[np.ndarray, "m"],
) -> UInt8[np.ndarray, "m concepts"]:
    """Read the concepts of some seconds, in their order; zeros where one has none, is gone or was written anew."""
    rows = _at_ids(c, "concepts", generation, modality, ids)
    theirs = _drawn(c, np.array([stamp for _, stamp, _ in rows], np.int64)).tolist()
    found = {(row[0], stamp): row[2] for row, stamp in zip(rows, theirs, strict=True)}
    return _together([found.get(item) for item in zip(ids.tolist(), stamps.tolist(), strict=True)])


def _at_ids(
    c: sqlite3.Connection, columns: str, generation: int, modality: Modality, ids: Int64[np.ndarray, "m"]
) -> list[tuple[Any, ...]]:
    """Return id, stamp and other columns of the items that are there, in the order of the ids."""
    query = (
        f"SELECT segment_id, stamp, {columns} FROM json_each(?) CROSS JOIN latents "
        "WHERE generation = ? AND modality = ? AND segment_id = value"
    )
    return _tuples(c, query, (_listed(ids), generation, modality)).fetchall()


def _drawn(c: sqlite3.Connection, stamps: Int64[np.ndarray, "m"]) -> Int64[np.ndarray, "m"]:
    """Return stamps as they count: 0 stands for that of all that older releases wrote."""
    return np.where(stamps == 0, int(meta(c, "first_stamp") or 0), stamps)


def _together(concepts: Sequence[bytes | None]) -> UInt8[np.ndarray, "n concepts"]:
    """Return the concepts of items as rows; zeros where one has none."""
    blobs = [blob or b"" for blob in concepts]
    width, joined = max(map(len, blobs), default=0), b"".join(blobs)
    if len(joined) < width * len(blobs):
        joined = b"".join([blob.ljust(width, b"\0") for blob in blobs])
    return np.frombuffer(joined, np.uint8).reshape(len(blobs), width)


def _tuples(c: sqlite3.Connection, query: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
    """Run a query whose rows are plain tuples, which are made in half the time."""
    cursor = c.cursor()
    cursor.row_factory = None
    return cursor.execute(query, values)


def _listed(numbers: Int64[np.ndarray, "_"]) -> str:
    return json.dumps(numbers.tolist())
