"""Which videos each version of the catalogue changed, so that who has an earlier version reads those alone.

The log has the newest changes. It says of every version which videos it changed, or nothing: then any may have changed.
So a version that a writer does not log, such as an older release that still runs, is one that nobody skips.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

import numpy as np
from jaxtyping import Int64

from index.rows import set_meta, version

EVERY_VIDEO: tuple[str, ...] = ()
KEPT = 10_000  # changed videos that the log has at least; at most twice as many and those of one change


def count_change(c: sqlite3.Connection, video_ids: Collection[str]) -> None:
    """Raise the catalogue's version by one, and log whose change that is; before they are deleted.

    `EVERY_VIDEO`, or more than the log keeps: all are read anew.
    """
    note_change(c, video_ids)
    set_meta(c, "catalogue_version", str(version(c) + 1))


def note_change(c: sqlite3.Connection, video_ids: Collection[str]) -> None:
    """Log videos with the next version, where no answer depends on what changed."""
    if len(video_ids) > KEPT:
        return
    logged = c.execute(
        "INSERT INTO changes (catalogue_version, position) "
        "SELECT ?, position FROM videos WHERE video_id IN (SELECT value FROM json_each(?))",
        (version(c) + 1, json.dumps(list(video_ids))),
    )
    assert logged.rowcount == len(set(video_ids)), "of videos that are there"
    first, last = c.execute("SELECT (SELECT min(number) FROM changes), (SELECT max(number) FROM changes)").fetchone()
    if last is not None and last - first >= 2 * KEPT:
        oldest = c.execute("SELECT catalogue_version FROM changes WHERE number = ?", (last - KEPT,)).fetchone()[0]
        c.execute("DELETE FROM changes WHERE catalogue_version < ?", (oldest,))


def changed_since(c: sqlite3.Connection, before: int) -> Int64[np.ndarray, "changed"] | None:
    """Return the positions of the videos that changed after a version; None where the log does not know."""
    found = c.execute(
        "SELECT catalogue_version, position FROM changes WHERE catalogue_version > ?", (before,)
    ).fetchall()
    now = version(c)
    logged = {row[0] for row in found if row[0] <= now}
    if len(logged) != now - before:
        return None
    return np.unique(np.array([row[1] for row in found], np.int64))
