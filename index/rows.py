"""Read and write rows of the catalogue's tables as records, inside a transaction of the caller."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, astuple
from typing import Any

import numpy as np
from jaxtyping import UInt8

from index.records import Job, JobMessage, LatentBatch, LatentTable, SegmentRow, Video
from model.data.latents import Latents
from model.errors import Mismatch, NotFound
from model.modality import Modality

STORED_VIDEO = (
    "video_id, sha256, path, file_name, media_type, duration_s, uploaded, label, event_start_s, event_end_s, added_at, "
    "size_bytes, loss_s, audio_track, decoding, complete, missing, modified_s"
)
ITS_SECOND = "EXISTS (SELECT 1 FROM segments WHERE segments.video_id = videos.video_id"
VIDEO = f"{STORED_VIDEO}, {ITS_SECOND} AND heard) AS has_sound, {ITS_SECOND} AND seen) AS has_picture"
TRUTHS_AT = (6, 15, 16, 18, 19)  # which of them are true or false
SEGMENT = "segment_id, video_id, start_s, heard, seen, sound_whole, frame_whole"
JOB = "job_id, kind, state, payload, progress, result, created_at, updated_at, cancelling, error_count"
STATS = """
SELECT (SELECT count(*) FROM videos) AS videos,
       (SELECT count(*) FROM segments) AS segments,
       (SELECT count(*) FROM latents
        WHERE generation = :generation AND modality = 'audio') AS audio_latents,
       (SELECT count(*) FROM latents
        WHERE generation = :generation AND modality = 'visual') AS visual_latents,
       (SELECT count(*) FROM failures) AS failed,
       (SELECT count(*) FROM videos WHERE label IS NOT NULL) AS labelled,
       (SELECT coalesce(sum(duration_s), 0.0) FROM videos) AS duration_s,
       (SELECT count(*) FROM videos WHERE loss_s > 0) AS lossy,
       (SELECT coalesce(sum(loss_s), 0.0) FROM videos) AS loss_s,
       (SELECT count(*) FROM videos WHERE NOT complete) AS incomplete,
       (SELECT count(*) FROM videos WHERE missing) AS missing
"""
FLOAT32 = np.dtype("<f4")
STAMP_BITS = 62  # so that two never meet
MOST_MESSAGES = 1000  # errors of a job that are kept, and notes; further errors are only counted


def meta(c: sqlite3.Connection, key: str) -> str | None:
    """Return a value of the table `meta`."""
    value: str | None = c.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]
    return value


def set_meta(c: sqlite3.Connection, key: str, value: str | None) -> None:
    """Set a value that `meta` returns."""
    c.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))


def version(c: sqlite3.Connection) -> int:
    """Return the catalogue's version."""
    return int(meta(c, "catalogue_version") or 0)


def generation(c: sqlite3.Connection) -> int:
    """Return which generation of latents is in use."""
    return int(meta(c, "generation") or 0)


def holds_videos(c: sqlite3.Connection) -> bool:
    """Say whether there is any video."""
    return c.execute("SELECT 1 FROM videos LIMIT 1").fetchone() is not None


def holds_video(c: sqlite3.Connection, video_id: str) -> bool:
    """Say whether there is this video."""
    return c.execute("SELECT 1 FROM videos WHERE video_id = ?", (video_id,)).fetchone() is not None


def holds_latents(c: sqlite3.Connection) -> bool:
    """Say whether any latents are in use."""
    return width_of(c, generation(c)) is not None


def one_video(c: sqlite3.Connection, video_id: str) -> sqlite3.Row:
    """Return a video's row; NotFound if there is none."""
    row: sqlite3.Row | None = c.execute(f"SELECT {VIDEO} FROM videos WHERE video_id = ?", (video_id,)).fetchone()
    if row is None:
        raise NotFound(f"video {video_id} given, one of this library expected: list the videos, it may be deleted")
    return row


def job_row(c: sqlite3.Connection, job_id: str, columns: str = JOB) -> sqlite3.Row:
    """Return a job's row; NotFound if there is none."""
    row: sqlite3.Row | None = c.execute(f"SELECT {columns} FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
    if row is None:
        raise NotFound(f"job {job_id} given, one of this library expected: list the jobs")
    return row


def one_job(c: sqlite3.Connection, job_id: str) -> Job:
    """Return a job; NotFound if there is none."""
    return job_of(job_row(c, job_id))


def video_of(row: Sequence[Any]) -> Video:
    """Read the columns VIDEO."""
    values = list(row)
    for i in TRUTHS_AT:
        values[i] = bool(values[i])
    return Video(*values)


def segment_of(row: sqlite3.Row) -> SegmentRow:
    """Read the columns SEGMENT."""
    return SegmentRow(row["segment_id"], row["video_id"], row["start_s"], *map(bool, tuple(row)[3:]))


def job_of(row: sqlite3.Row) -> Job:
    """Read the columns JOB."""
    values: dict[str, Any] = dict(row)
    values |= {name: json.loads(row[name]) for name in ("payload", "result")}
    values["progress"] = float(row["progress"])  # RETURNING gives a whole number of a REAL column as an int
    values["cancelling"] = bool(row["cancelling"])
    return Job(**values)


def put_job(c: sqlite3.Connection, job: Job) -> None:
    """Add a job."""
    row = asdict(job) | {"payload": json.dumps(job.payload), "result": json.dumps(job.result)}
    c.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", row)


def put_message(c: sqlite3.Connection, job_id: str, message: JobMessage) -> None:
    """Keep a message of a job while there is room; count it if it is an error."""
    c.execute(
        "INSERT INTO job_messages (job_id, file_name, code, detail) SELECT ?, ?, ?, ? WHERE "
        "(SELECT count(*) FROM job_messages WHERE job_id = ? AND (code IS NULL) = ?) < ?",
        (job_id, *astuple(message), job_id, message.code is None, MOST_MESSAGES),
    )
    if message.code is not None:
        c.execute("UPDATE jobs SET error_count = error_count + 1 WHERE job_id = ?", (job_id,))


def put_latents(
    c: sqlite3.Connection,
    generation: int,
    video_id: str,
    modality: Modality,
    batch: LatentBatch,
) -> None:
    """Write the latents of a video's seconds; the inverse of `load_latents`, errors as `Catalogue.ingest`."""
    start_s, latents = batch.start_s, batch.latents
    if len(start_s) != len(latents) or not latents.is_finite():
        raise ValueError(f"{len(start_s)} seconds, {len(latents)} latents: as many and finite ones expected")
    one_video(c, video_id)
    _check_width(c, generation, latents)
    range_s = (int(start_s.min()), int(start_s.max())) if len(start_s) else (0, -1)  # a part, not a day, of a recording
    query = "SELECT start_s, segment_id FROM segments WHERE video_id = ? AND start_s BETWEEN ? AND ?"
    found = c.execute(query, (video_id, *range_s))
    segment_ids: dict[int, int] = {row["start_s"]: row["segment_id"] for row in found}
    missing = set(start_s.tolist()) - set(segment_ids)
    if missing:
        raise NotFound(f"latents of seconds {sorted(missing)} given, seconds of video {video_id} expected")
    stamp = 1 + secrets.randbits(STAMP_BITS)
    arrays = [a.astype(FLOAT32, copy=False) for a in (latents.mu, latents.sigma, latents.generated)]
    c.executemany(
        "INSERT OR REPLACE INTO latents (generation, modality, segment_id, mu, sigma, generated, concepts, "
        "stamp) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                generation,
                modality,
                segment_ids[second],
                *(a[i].tobytes() for a in arrays),
                None if batch.concepts is None else batch.concepts[i].tobytes(),
                stamp,
            )
            for i, second in enumerate(start_s.tolist())
        ),
    )


def load_latents(c: sqlite3.Connection, modality: Modality, condition: str, values: tuple[object, ...]) -> LatentTable:
    """Read a modality's items that meet an SQL condition, into arrays of their final size."""
    chosen = (
        "FROM latents JOIN segments USING (segment_id) JOIN videos USING (video_id) "
        f"WHERE generation = ? AND modality = ? {condition}"
    )
    values = (str(generation(c)), modality, *values)
    count, widest = c.execute(f"SELECT count(*), coalesce(max(length(concepts)), 0) {chosen}", values).fetchone()
    latent, pair = width_of(c, generation(c)) or (0, 0)
    mu, sigma = np.empty((count, latent), np.float32), np.empty((count, latent), np.float32)
    generated, concepts = np.empty((count, pair), np.float32), np.zeros((count, widest), np.uint8)
    rows = []
    columns = "segment_id, video_id, start_s, heard, seen, concepts, mu, sigma, generated"
    for i, row in enumerate(c.execute(f"SELECT {columns} {chosen} ORDER BY segment_id", values)):
        *facts, named, mu_, sigma_, generated_ = row
        rows.append(facts)
        for array, blob in ((mu, mu_), (sigma, sigma_), (generated, generated_)):
            array[i] = np.frombuffer(blob, FLOAT32)
        if named is not None:
            concepts[i] = np.frombuffer(named, np.uint8)
    ids, video_ids, start_s, heard, seen = zip(*rows, strict=True) if rows else ((),) * 5
    theirs = (
        f"SELECT {VIDEO} FROM videos WHERE video_id IN "
        f"(SELECT video_id FROM segments JOIN videos USING (video_id) WHERE true {condition})"
    )
    videos = {row["video_id"]: video_of(row) for row in c.execute(theirs, values[2:])}
    number = {video_id: n for n, video_id in enumerate(videos)}
    return LatentTable(
        ids=np.array(ids, np.int64),
        video_numbers=np.array([number[video_id] for video_id in video_ids], np.int32),
        start_s=np.array(start_s, np.int64),
        heard=np.array(heard, bool),
        seen=np.array(seen, bool),
        latents=Latents(mu, sigma, generated),
        fingerprint=meta(c, "fingerprint"),
        catalogue_version=version(c),
        videos=videos,
        concepts=concepts,
    )


def load_concepts(c: sqlite3.Connection, video_id: str, modality: Modality) -> dict[int, UInt8[np.ndarray, "concepts"]]:
    """Read the concepts of a video's seconds that have any, by segment id."""
    query = (
        "SELECT segment_id, concepts FROM latents JOIN segments USING (segment_id) "
        "WHERE generation = ? AND modality = ? AND video_id = ? AND concepts IS NOT NULL"
    )
    rows = c.execute(query, (generation(c), modality, video_id))
    return {row["segment_id"]: np.frombuffer(row["concepts"], np.uint8) for row in rows}


def width_of(c: sqlite3.Connection, generation: int) -> tuple[int, int] | None:
    """Return how many numbers mu and the generated pair have; None where there are no latents."""
    row = c.execute(
        "SELECT length(mu), length(generated) FROM latents WHERE generation = ? LIMIT 1", (generation,)
    ).fetchone()
    return None if row is None else (row[0] // FLOAT32.itemsize, row[1] // FLOAT32.itemsize)


def _check_width(c: sqlite3.Connection, generation: int, latents: Latents) -> None:
    given, stored = (latents.mu.shape[1], latents.generated.shape[1]), width_of(c, generation)
    if latents.sigma.shape != latents.mu.shape or stored not in (None, given):
        raise Mismatch(
            f"latents of (latent, pair) = {given} numbers given, {stored} expected, as this library holds: "
            "load the checkpoint that encoded it, or encode the library anew"
        )
