"""Pages of a library's videos, in the order they were added, and how to tell that a page continues the one before."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from index.records import Video
from index.rows import VIDEO, version, video_of
from index.video_files import below

# A position is never given to another video. So videos before a page can only be deleted, or, where a label is asked
# for, come and go by a new label: their count and the sum of their positions show that.
CHOSEN = (
    "(:label IS NULL OR label = :label) AND (:name IS NULL OR instr(lower(file_name), lower(:name))) "
    "AND (:below IS NULL OR NOT uploaded AND substr(path, 1, length(:below)) = :below)"
)
BEFORE = f"SELECT count(*), coalesce(sum(position), 0) FROM videos WHERE position <= :position AND {CHOSEN}"
BEHIND = f"SELECT position, {VIDEO} FROM videos WHERE position > :position AND {CHOSEN} ORDER BY position LIMIT :limit"


@dataclass(frozen=True)
class Choice:
    """Choose videos: of a label, with `name` in the file name (A-Z are a-z), in or below a folder; None is any."""

    label: str | None = None
    name: str | None = None
    folder: str | None = None


ANY = Choice()


@dataclass(frozen=True)
class Trail:
    """Say how far a list has been read: up to a position, past `count` videos whose positions sum to `total`."""

    position: int = 0
    count: int = 0
    total: int = 0


@dataclass(frozen=True)
class Page:
    """Hold videos, the trail before and the trail after them (None at the end), all of one catalogue version."""

    videos: tuple[Video, ...]
    before: Trail
    following: Trail | None
    chosen: int
    catalogue_version: int


def page_of(c: sqlite3.Connection, limit: int, position: int, choice: Choice) -> Page:
    """Read up to `limit` of the chosen videos behind a position."""
    values = {"label": choice.label, "name": choice.name, "position": position, "limit": limit + 1}
    values["below"] = None if choice.folder is None else below(choice.folder)
    before = Trail(position, *c.execute(BEFORE, values).fetchone())
    rows = [dict(row) for row in c.execute(BEHIND, values)]
    positions = [int(row.pop("position")) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        following = Trail(positions[-1], before.count + limit, before.total + sum(positions))
    chosen = c.execute(f"SELECT count(*) FROM videos WHERE {CHOSEN}", values).fetchone()[0]
    return Page(tuple(video_of(row) for row in rows[:limit]), before, following, chosen, version(c))
