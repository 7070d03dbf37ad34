"""Write the seconds of a video, and how it was read, inside a transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from index.records import Second, Video
from index.store import LARGEST_ID

# A second that is there keeps its id: a page or a query may name it.
PUT = (
    "INSERT INTO segments (video_id, start_s, heard, seen, sound_whole, frame_whole) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (video_id, start_s) DO UPDATE SET heard = excluded.heard, seen = excluded.seen, "
    "sound_whole = excluded.sound_whole, frame_whole = excluded.frame_whole"
)
OF_STRETCH = "video_id = ? AND start_s >= ? AND start_s < ?"


@dataclass(frozen=True)
class Stretch:
    """Name the seconds [start_s, stop_s) of a video; to its end where stop_s is None."""

    start_s: int
    stop_s: int | None = None


def put_seconds(c: sqlite3.Connection, video_id: str, seconds: Iterable[Second | tuple[int, bool, bool]]) -> None:
    """Add seconds to a video, or change those that are there."""
    rows = (Second(*second) for second in seconds)
    c.executemany(PUT, [(video_id, int(row.start_s), *map(bool, row[1:])) for row in rows])


def clear_stretch(c: sqlite3.Connection, video_id: str, stretch: Stretch, kept: Sequence[Second]) -> None:
    """Delete the latents of a stretch, and those of its seconds that are not kept."""
    of = (video_id, stretch.start_s, LARGEST_ID if stretch.stop_s is None else stretch.stop_s)
    found = c.execute(f"SELECT segment_id, start_s FROM segments WHERE {OF_STRETCH}", of).fetchall()
    stay = {second.start_s for second in kept}
    c.executemany("DELETE FROM latents WHERE segment_id = ?", [(row["segment_id"],) for row in found])
    gone = [(row["segment_id"],) for row in found if row["start_s"] not in stay]
    c.executemany("DELETE FROM segments WHERE segment_id = ?", gone)


def put_reading(c: sqlite3.Connection, video: Video) -> None:
    """Set of a video's row what reading its file tells."""
    c.execute(
        "UPDATE videos SET duration_s = ?, loss_s = ?, audio_track = ?, decoding = ?, complete = ? WHERE video_id = ?",
        (video.duration_s, video.loss_s, video.audio_track, video.decoding, video.complete, video.video_id),
    )
