"""Which files ingest has read, and how they were then: what has not changed since need not be read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from index.records import ExaminedFile, FileStamp, VideoFile
from index.store import Store

EXAMINED = "SELECT size_bytes, modified_ns, changed_ns, video_id FROM examined_files WHERE path = ?"
VIDEO_FILE = "SELECT video_id, path, complete, missing, decoding FROM videos WHERE video_id = ?"


class ExaminedFiles:
    """Keep how files were when they were read; paths as `Library.reference` names them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put_examined(self, files: Iterable[tuple[str, FileStamp, str | None]]) -> None:
        """Note of paths how their files were when they were read, and which video they are; None for none."""
        with self._store.write() as c:
            rows = ((path, *stamp, video_id) for path, stamp, video_id in files)
            c.executemany("INSERT OR REPLACE INTO examined_files VALUES (?, ?, ?, ?, ?)", rows)

    def examined(self, paths: Iterable[str]) -> Iterator[ExaminedFile | None]:
        """Yield of each path how its file was when it was read, None where it never was to its end."""
        with self._store.read() as c:
            for path in paths:
                row = c.execute(EXAMINED, (path,)).fetchone()
                if row is None:
                    yield None
                    continue
                *stamp, video_id = row
                found = None if video_id is None else c.execute(VIDEO_FILE, (video_id,)).fetchone()
                yield ExaminedFile(FileStamp(*stamp), video_id, None if found is None else _video_file(*found))


def _video_file(video_id: str, path: str, complete: int, missing: int, decoding: int) -> VideoFile:
    return VideoFile(video_id, path, bool(complete), bool(missing), decoding)
