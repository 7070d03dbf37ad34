"""Where the files of a catalogue's videos lie, and which of them went missing."""

from __future__ import annotations

from collections.abc import Iterable

from index.changes import count_change
from index.records import Video
from index.rows import VIDEO, one_video, video_of
from index.store import Store


def below(folder: str) -> str:
    """Return what the paths of all files in a folder or below begin with."""
    return f"{folder.rstrip('/')}/"


class VideoFiles:
    """Find, move and miss the files of videos; paths as `Library.reference` names them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def videos_outside(self, folder: str) -> tuple[list[str], int]:
        """Return the ids of the videos whose files lie elsewhere than in a folder of the library; and count all."""
        with self._store.read() as c:
            query = "SELECT video_id FROM videos WHERE substr(path, 1, ?) != ?"
            outside = [row[0] for row in c.execute(query, (len(folder) + 1, f"{folder}/"))]
            return outside, c.execute("SELECT count(*) FROM videos").fetchone()[0]

    def paths(self) -> list[str]:
        """Return the paths of all files."""
        with self._store.read() as c:
            return [row[0] for row in c.execute("SELECT path FROM videos")]

    def labels(self, limit: int) -> list[tuple[str, int]]:
        """Return labels with how many videos have each, most first."""
        query = (
            "SELECT label, count(*) AS videos FROM videos WHERE label IS NOT NULL "
            "GROUP BY label ORDER BY videos DESC, label LIMIT ?"
        )
        with self._store.read() as c:
            return [(row[0], row[1]) for row in c.execute(query, (limit,))]

    def relocate(self, video_id: str, path: str, uploaded: bool = False) -> None:
        """Set the path of a video's file, and whether that is an upload; NotFound if there is no such video."""
        with self._store.write() as c:
            one_video(c, video_id)
            c.execute("UPDATE videos SET path = ?, uploaded = ? WHERE video_id = ?", (path, uploaded, video_id))
            count_change(c, [video_id])

    def put_modified(self, video_id: str, modified_s: float) -> None:
        """Set when a video's file was last changed, in seconds of Unix time; NotFound if there is no such video."""
        with self._store.write() as c:
            one_video(c, video_id)
            query = "UPDATE videos SET modified_s = ? WHERE video_id = ? AND modified_s IS NOT ?"
            if c.execute(query, (modified_s, video_id, modified_s)).rowcount:
                count_change(c, [video_id])

    def videos_of(self, path: str) -> list[Video]:
        """Return the videos that have this file, named as by `Library.reference`."""
        with self._store.read() as c:
            return [video_of(row) for row in c.execute(f"SELECT {VIDEO} FROM videos WHERE path = ?", (path,))]

    def names_file(self, path: str) -> bool:
        """Say whether a video has this file, named as by `Library.reference`."""
        with self._store.read() as c:
            return c.execute("SELECT 1 FROM videos WHERE path = ?", (path,)).fetchone() is not None

    def files_below(self, directory: str) -> list[tuple[str, str]]:
        """Return the ids and paths of the videos below a directory that are not missing; uploads never lie there.

        In the order they were added.
        """
        start = below(directory)
        chosen = "NOT uploaded AND NOT missing AND substr(path, 1, ?) = ?"
        with self._store.read() as c:
            query = f"SELECT video_id, path FROM videos WHERE {chosen} ORDER BY position"
            return [(row[0], row[1]) for row in c.execute(query, (len(start), start))]

    def others_at(self, path: str, sha256: str) -> list[str]:
        """Return the ids of the videos with this path and other content than this."""
        with self._store.read() as c:
            query = "SELECT video_id FROM videos WHERE path = ? AND sha256 != ?"
            return [row[0] for row in c.execute(query, (path, sha256))]

    def superseded(self) -> list[tuple[Video, Video]]:
        """Return each video that is missing because other content lies under its path, and that content's video."""
        with self._store.read() as c:
            query = "SELECT old.video_id, new.video_id FROM videos AS old JOIN videos AS new USING (path) "
            pairs = c.execute(f"{query} WHERE old.missing AND NOT new.missing AND new.complete").fetchall()
            return [(video_of(one_video(c, old)), video_of(one_video(c, new))) for old, new in pairs]

    def mark_missing(self, video_ids: Iterable[str], missing: bool = True) -> int:
        """Note that the files of videos went missing, or are there again; return for how many that is news."""
        with self._store.write() as c:
            query = "UPDATE videos SET missing = ? WHERE video_id = ? AND missing != ?"
            changed = [v for v in video_ids if c.execute(query, (missing, v, missing)).rowcount]
            if changed:
                count_change(c, changed)
            return len(changed)
