"""Which videos each version of the catalogue changed, so that who has an earlier version reads those alone.

A version is logged by the videos that it changed and, last, by a row that says that those are all. A version without
that row may have changed anything: one of a new model, of more videos than the log keeps, or of an older release that
still runs. So nobody skips what a writer does not log.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

import numpy as np
from jaxtyping import Int64

from index.rows import set_meta, version

EVERY_VIDEO = None
ALL_LOGGED = 0  # no video has this position
KEPT = 10_000  # rows that stay when older ones are deleted, which is done when there are twice as many


def count_change(c: sqlite3.Connection, video_ids: Collection[str] | None) -> None:
    """Raise the catalogue's version by one, and log which videos it changes; call it before they are deleted.

    `EVERY_VIDEO`, or more than the log keeps: everything will be read anew.
    """
    following = version(c) + 1
    if video_ids is not EVERY_VIDEO and len(video_ids) <= KEPT:
        note_change(c, video_ids)
        c.execute("INSERT INTO changes (catalogue_version, position) VALUES (?, ?)", (following, ALL_LOGGED))
    set_meta(c, "catalogue_version", str(following))
    first, last = c.execute("SELECT (SELECT min(number) FROM changes), (SELECT max(number) FROM changes)").fetchone()
    if last is not None and last - first >= 2 * KEPT:
        oldest = c.execute("SELECT catalogue_version FROM changes WHERE number = ?", (last - KEPT,)).fetchone()[0]
        c.execute("DELETE FROM changes WHERE catalogue_version < ?", (oldest,))


def note_change(c: sqlite3.Connection, video_ids: Collection[str]) -> None:
    """Log videos with the next version, whatever it will be: their records are read anew then."""
    following, given = version(c) + 1, json.dumps(list(video_ids))
    found = c.execute("SELECT position FROM videos WHERE video_id IN (SELECT value FROM json_each(?))", (given,))
    positions = [row[0] for row in found]
    assert len(positions) == len(set(video_ids)), "of videos that are there"
    c.execute(
        "INSERT INTO changes (catalogue_version, position) SELECT ?, value FROM json_each(?) "
        "WHERE value NOT IN (SELECT position FROM changes WHERE catalogue_version = ?)",
        (following, json.dumps(positions), following),
    )


def changed_since(c: sqlite3.Connection, before: int) -> Int64[np.ndarray, "changed"] | None:
    """Return the positions of the videos that changed after a version; None where the log does not know."""
    found = c.execute(
        "SELECT catalogue_version, position FROM changes WHERE catalogue_version > ?", (before,)
    ).fetchall()
    rows = np.array([tuple(row) for row in found], np.int64).reshape(-1, 2)
    logged = np.unique(rows[rows[:, 1] == ALL_LOGGED, 0])
    if len(logged) != version(c) - before:
        return None
    return np.unique(rows[rows[:, 1] != ALL_LOGGED, 1])
