"""Pages of a library's videos, in the order they were added, and how to tell that a page continues the one before."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from index.records import Video
from index.rows import VIDEO, version, video_of
from index.video_files import below

# A position is never given to another video. So videos before a page can only be deleted, or, where a label is asked
# for, come and go by a new label: their count and the sum of their positions show that.
CONDITIONS = {  # by the value that they need; a list without filters is counted in an index alone
    "label": "label = :label",
    "name": "instr(lower(file_name), lower(:name))",
    "below": "NOT uploaded AND substr(path, 1, length(:below)) = :below",
}


@dataclass(frozen=True)
class Choice:
    """Choose videos: of a label, with `name` in the file name (A-Z are a-z), in or below a folder; None is any."""

    label: str | None = None
    name: str | None = None
    folder: str | None = None


ANY = Choice()


@dataclass(frozen=True)
class Trail:
    """Say how far a list was read at a catalogue version, and how many videos it had then.

    It was read up to a position, past `count` videos whose positions sum to `total`, of the `chosen` ones.
    """

    version: int = 0
    position: int = 0
    count: int = 0
    total: int = 0
    chosen: int = 0


BEGINNING = Trail()


@dataclass(frozen=True)
class Page:
    """Hold videos, the trail before and the trail after them (None at the end), all of one catalogue version."""

    videos: tuple[Video, ...]
    before: Trail
    following: Trail | None

    @property
    def chosen(self) -> int:
        """Return how many videos the whole list has."""
        return self.before.chosen

    @property
    def catalogue_version(self) -> int:
        """Return the version that the page is of."""
        return self.before.version


def page_of(c: sqlite3.Connection, limit: int, read: Trail, choice: Choice) -> Page:
    """Read up to `limit` of the chosen videos behind what was read; counted anew only where the library has changed."""
    values = {"label": choice.label, "name": choice.name, "position": read.position, "limit": limit + 1}
    values["below"] = None if choice.folder is None else below(choice.folder)
    chosen = " AND ".join(["TRUE", *(text for name, text in CONDITIONS.items() if values[name] is not None)])
    before = read if read.version == version(c) and read != BEGINNING else _counted(c, chosen, values)
    behind = f"videos WHERE position > :position AND {chosen} ORDER BY position LIMIT :limit"
    rows = c.execute(f"SELECT {VIDEO}, position FROM {behind}", values).fetchall()
    positions = [int(row["position"]) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        passed = {"count": before.count + limit, "total": before.total + sum(positions)}
        following = replace(before, position=positions[-1], **passed)
    return Page(tuple(video_of(row[:-1]) for row in rows[:limit]), before, following)


def _counted(c: sqlite3.Connection, chosen: str, values: dict[str, Any]) -> Trail:
    position = values["position"]
    count, total = 0, 0
    if position:
        query = f"SELECT count(*), coalesce(sum(position), 0) FROM videos WHERE position <= :position AND {chosen}"
        count, total = c.execute(query, values).fetchone()
    every = c.execute(f"SELECT count(*) FROM videos WHERE {chosen}", values).fetchone()[0]
    return Trail(version(c), position, count, total, every)
