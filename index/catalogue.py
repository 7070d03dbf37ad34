"""The catalogue of a library: videos, seconds, latents, labels, failures and jobs in one SQLite file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from sqlite3 import Connection

import numpy as np
from jaxtyping import Int64

from index.alerts import Alerts
from index.changes import EVERY_VIDEO, count_change, note_change
from index.examined_files import ExaminedFiles
from index.failures import Failures, forget_failure
from index.job_queue import JobQueue
from index.paging import ANY, BEGINNING, Choice, Page, Trail, page_of
from index.records import LatentBatch, Second, SegmentRow, Stats, Video
from index.rows import (
    SEGMENT,
    STATS,
    STORED_VIDEO,
    VIDEO,
    holds_latents,
    holds_videos,
    one_video,
    put_latents,
    segment_of,
    set_meta,
    version,
    video_of,
)
from index.rows import generation as generation_of
from index.rows import meta as meta_of
from index.seconds import OF_STRETCH, Stretch, clear_stretch, put_reading, put_seconds
from index.store import LARGEST_ID, Store
from index.stored_latents import StoredLatents
from index.video_files import VideoFiles
from model.errors import Mismatch, NotFound
from model.modality import Modality


class Catalogue(StoredLatents, VideoFiles, ExaminedFiles, Failures):
    """Keep a library's content; any number of threads may use it, and readers never wait for the writer.

    Every change is one transaction, which is on the disk when the method returns. `catalogue_version` grows with each
    change that answers depend on.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open or create the file. LibraryError if it is no catalogue or has a newer schema.

        An older schema becomes the newest one. With `read_only` nothing is created or changed.
        """
        super().__init__(Store(path, read_only))
        self.queue = JobQueue(self._store)
        self.alerts = Alerts(self._store)

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; call it when no other thread uses the catalogue."""
        self._store.close()

    # Identity

    @property
    def catalogue_version(self) -> int:
        """Return the number of changes made so far."""
        with self._store.glance() as c:
            return version(c)

    @property
    def frontend(self) -> str | None:
        """Return the front-end whose features the library holds; None until it is set."""
        with self._store.glance() as c:
            return meta_of(c, "frontend")

    @property
    def fingerprint(self) -> str | None:
        """Return the fingerprint of the checkpoint that encoded the library; None until one did."""
        with self._store.glance() as c:
            return meta_of(c, "fingerprint")

    @property
    def identity(self) -> tuple[str | None, str | None]:
        """Return `frontend` and `fingerprint` as they are at one moment."""
        with self._store.glance() as c:
            rows = c.execute("SELECT value FROM meta WHERE key IN ('frontend', 'fingerprint') ORDER BY key DESC")
            frontend, fingerprint = (row[0] for row in rows)
            return frontend, fingerprint

    @property
    def is_empty(self) -> bool:
        """Say whether there is no video."""
        with self._store.glance() as c:
            return not holds_videos(c)

    def check_front_end(self, frontend: str) -> None:
        """Raise Mismatch if there is footage of another front-end."""
        with self._store.read() as c:
            _check_front_end(c, frontend)

    def set_identity(self, frontend: str, fingerprint: str | None) -> None:
        """Set the front-end, and the fingerprint of the checkpoint that encodes.

        Mismatch if there is footage of another front-end, or there are latents of another checkpoint.
        """
        with self._store.write() as c:
            before = meta_of(c, "frontend"), meta_of(c, "fingerprint")
            _check_front_end(c, frontend)
            if before[1] != fingerprint and holds_latents(c):
                raise Mismatch(
                    f"checkpoint {fingerprint} given, {before[1]} expected, which encoded this library: "
                    "load that one, or encode the library anew"
                )
            if before != (frontend, fingerprint):
                set_meta(c, "frontend", frontend)
                set_meta(c, "fingerprint", fingerprint)
                count_change(c, EVERY_VIDEO)

    # Videos and segments

    def ingest(
        self,
        video: Video,
        seconds: Iterable[Second | tuple[int, bool, bool]],
        audio: LatentBatch | None = None,
        visual: LatentBatch | None = None,
    ) -> Video:
        """Add a video with its seconds and latents, all or nothing; return the one that is there if known.

        `audio` and `visual` are the seconds' items. Forgets a failure of that path.
        NotFound for latents of a second that the video does not have, Mismatch for dimensions other than those stored,
        ValueError for numbers that are not finite.
        """
        with self._store.write() as c:
            forget_failure(c, video.path)
            known = c.execute(f"SELECT {VIDEO} FROM videos WHERE sha256 = ?", (video.sha256,)).fetchone()
            if known is not None:
                return video_of(known)
            given = astuple(video)[: STORED_VIDEO.count(",") + 1]
            c.execute(f"INSERT INTO videos ({STORED_VIDEO}) VALUES ({', '.join('?' * len(given))})", given)
            put_seconds(c, video.video_id, seconds)
            _put_items(c, video.video_id, audio, visual)
            count_change(c, [video.video_id])
            return video

    def rewrite(
        self,
        video: Video,
        stretch: Stretch,
        seconds: Sequence[Second],
        audio: LatentBatch | None = None,
        visual: LatentBatch | None = None,
    ) -> None:
        """Write the seconds of a stretch of a video that is there, all or nothing; those that stay keep their ids.

        Seconds of the stretch that are not given are deleted. `audio` and `visual` may also hold items of seconds
        outside the stretch, whose context it is. Of the video the length, `loss_s`, `audio_track`, `decoding` and
        `complete` become as given. Forgets a failure of its path. NotFound if it was deleted; errors as of `ingest`.
        """
        with self._store.write() as c:
            one_video(c, video.video_id)
            forget_failure(c, video.path)
            clear_stretch(c, video.video_id, stretch, seconds)
            put_seconds(c, video.video_id, seconds)
            _put_items(c, video.video_id, audio, visual)
            put_reading(c, video)
            count_change(c, [video.video_id])

    def stamp(self, video: Video) -> None:
        """Set of a video what `rewrite` sets, where its seconds stay as they are. NotFound if it was deleted."""
        with self._store.write() as c:
            one_video(c, video.video_id)
            put_reading(c, video)
            note_change(c, [video.video_id])

    def end_s(self, video_id: str) -> int:
        """Return where the last second of a video ends; 0 where there is none."""
        with self._store.read() as c:
            query = "SELECT coalesce(max(start_s) + 1, 0) FROM segments WHERE video_id = ?"
            return int(c.execute(query, (video_id,)).fetchone()[0])

    def starts_of(self, video_id: str) -> Int64[np.ndarray, "t"]:
        """Return where a video's seconds begin, in order."""
        with self._store.read() as c:
            rows = c.execute("SELECT start_s FROM segments WHERE video_id = ? ORDER BY start_s", (video_id,))
            return np.fromiter((row[0] for row in rows), np.int64)

    def silent_of(self, video_id: str) -> tuple[int, int]:
        """Return how many seconds of a video have no sound, and how many it has."""
        with self._store.read() as c:
            query = "SELECT coalesce(sum(NOT heard), 0), count(*) FROM segments WHERE video_id = ?"
            silent, seconds = c.execute(query, (video_id,)).fetchone()
            return int(silent), int(seconds)

    def outdated(self, decoding: int) -> list[str]:
        """Return the ids of the videos that were decoded by older rules than these."""
        with self._store.read() as c:
            query = "SELECT video_id FROM videos WHERE decoding < ? ORDER BY position"
            return [row[0] for row in c.execute(query, (decoding,))]

    def video(self, video_id: str) -> Video:
        """Return a video; NotFound if there is none."""
        with self._store.read() as c:
            return video_of(one_video(c, video_id))

    def page(self, limit: int, read: Trail = BEGINNING, choice: Choice = ANY) -> Page:
        """Return up to `limit` of the chosen videos in the order they were added, behind those that were read."""
        with self._store.read() as c:
            return page_of(c, limit, read, choice)

    def every_video(self) -> Iterator[Video]:
        """Yield all videos in the order they were added; skip those that are deleted meanwhile."""
        with self._store.read() as c:
            ids = [row["video_id"] for row in c.execute("SELECT video_id FROM videos ORDER BY position")]
        for video_id in ids:
            try:
                video = self.video(video_id)
            except NotFound:
                continue
            yield video

    def find_by_sha256(self, sha256: str) -> Video | None:
        """Return the video with this content, if there is one."""
        with self._store.read() as c:
            row = c.execute(f"SELECT {VIDEO} FROM videos WHERE sha256 = ?", (sha256,)).fetchone()
            return None if row is None else video_of(row)

    def how_read(self) -> list[tuple[str, int, int, int, int]]:
        """Return of each video, by SHA-256: it, the sound track (0: default), the rules, whether complete, its end.

        The end, in seconds, is that of a video that is not complete; else 0.
        """
        end_s = "(SELECT coalesce(max(start_s) + 1, 0) FROM segments WHERE segments.video_id = videos.video_id)"
        with self._store.read() as c:
            query = f"""SELECT sha256, coalesce(audio_track, 0), decoding, complete, iif(complete, 0, {end_s})
                        FROM videos ORDER BY sha256"""
            return [tuple(row) for row in c.execute(query)]

    def segment(self, segment_id: int) -> SegmentRow:
        """Return a segment; NotFound if there is none."""
        row = None
        if abs(segment_id) <= LARGEST_ID:
            with self._store.read() as c:
                query = f"SELECT {SEGMENT} FROM segments WHERE segment_id = ?"
                row = c.execute(query, (segment_id,)).fetchone()
        if row is None:
            raise NotFound(f"segment {segment_id} given, one of this library expected: it may have been deleted")
        return segment_of(row)

    def second(self, video_id: str, start_s: int) -> SegmentRow:
        """Return the segment of a video's second; NotFound if there is none."""
        row = None
        with self._store.read() as c:
            one_video(c, video_id)
            if abs(start_s) <= LARGEST_ID:
                query = f"SELECT {SEGMENT} FROM segments WHERE video_id = ? AND start_s = ?"
                row = c.execute(query, (video_id, start_s)).fetchone()
        if row is None:
            raise NotFound(f"second {start_s} given, one that the library has of video {video_id} expected")
        return segment_of(row)

    def segments_of(self, video_id: str) -> list[SegmentRow]:
        """Return a video's segments by time; NotFound if there is no such video."""
        with self._store.read() as c:
            one_video(c, video_id)
            query = f"SELECT {SEGMENT} FROM segments WHERE video_id = ? ORDER BY start_s"
            return [segment_of(row) for row in c.execute(query, (video_id,))]

    def seconds_with(self, video_id: str, modality: Modality, start_s: int = 0, stop_s: int | None = None) -> list[int]:
        """Return which seconds of [start_s, stop_s) of a video are heard, or seen, by time."""
        mask = "heard" if modality == "audio" else "seen"
        query = f"SELECT start_s FROM segments WHERE {OF_STRETCH} AND {mask} ORDER BY start_s"
        with self._store.read() as c:
            values = (video_id, start_s, LARGEST_ID if stop_s is None else stop_s)
            return [int(row["start_s"]) for row in c.execute(query, values)]

    def update_labels(
        self, video_id: str, label: str | None, event_start_s: float | None, event_end_s: float | None
    ) -> Video:
        """Replace a video's label and event, None for none, and return it; NotFound if there is none."""
        with self._store.write() as c:
            one_video(c, video_id)
            c.execute(
                "UPDATE videos SET label = ?, event_start_s = ?, event_end_s = ? WHERE video_id = ?",
                (label, event_start_s, event_end_s, video_id),
            )
            count_change(c, [video_id])
            return video_of(one_video(c, video_id))

    def delete_video(self, video_id: str) -> Video:
        """Delete a video with its segments and latents, and return it; NotFound if there is none."""
        with self._store.write() as c:
            video = video_of(one_video(c, video_id))
            count_change(c, [video_id])
            c.execute("DELETE FROM videos WHERE video_id = ?", (video_id,))
            return video

    # Figures

    def stats(self) -> Stats:
        """Count what there is."""
        with self._store.read() as c:
            row = c.execute(STATS, {"generation": generation_of(c)}).fetchone()
            return Stats(
                **dict(row),
                frontend=meta_of(c, "frontend"),
                fingerprint=meta_of(c, "fingerprint"),
                catalogue_version=version(c),
            )


def _put_items(c: Connection, video_id: str, audio: LatentBatch | None, visual: LatentBatch | None) -> None:
    batches: tuple[tuple[Modality, LatentBatch | None], ...] = (("audio", audio), ("visual", visual))
    for modality, batch in batches:
        if batch is not None:
            put_latents(c, generation_of(c), video_id, modality, batch)


def _check_front_end(c: Connection, frontend: str) -> None:
    before = meta_of(c, "frontend")
    if before not in (None, frontend) and holds_videos(c):
        raise Mismatch(
            f"front-end {frontend} given, {before} expected, whose features this library holds: name another library, "
            f"or change this one first with: echolens library reencode --frontend {frontend}"
        )
