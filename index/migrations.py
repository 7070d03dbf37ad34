"""The steps from one schema of the catalogue to the next."""

from __future__ import annotations

import sqlite3

# By the version that a step leads to: statements that run in one transaction, which also sets the version.
# `index/store.py` has the schema after all steps. Foreign keys are enforced: dropping a table would also delete the
# rows of other tables that refer to it.
STEPS: dict[int, tuple[str, ...]] = {
    2: ("ALTER TABLE videos ADD COLUMN size_bytes INTEGER",),  # NULL: ingested before sizes were kept
    3: (
        "ALTER TABLE jobs ADD COLUMN cancelling INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN error_count INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX videos_by_path ON videos (path)",
        "CREATE INDEX jobs_by_state ON jobs (state)",
        "CREATE TABLE job_messages (position INTEGER PRIMARY KEY AUTOINCREMENT, "
        "job_id TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE, "
        "file_name TEXT NOT NULL, code TEXT, detail TEXT NOT NULL)",
        "CREATE INDEX messages_of_job ON job_messages (job_id)",
        "CREATE TABLE idempotency_keys (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, "
        "job_id TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE, at TEXT NOT NULL)",
    ),
    4: (
        "CREATE INDEX keys_of_job ON idempotency_keys (job_id)",
        "CREATE INDEX keys_by_age ON idempotency_keys (at)",
    ),
    5: ("ALTER TABLE latents ADD COLUMN concepts BLOB",),  # NULL: by a front-end without concepts, or an older release
    6: (
        "ALTER TABLE videos ADD COLUMN loss_s REAL NOT NULL DEFAULT 0",  # older releases refused what was damaged
        "ALTER TABLE videos ADD COLUMN audio_track INTEGER",
        "ALTER TABLE videos ADD COLUMN decoding INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE videos ADD COLUMN complete INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE videos ADD COLUMN missing INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE segments ADD COLUMN sound_whole INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE segments ADD COLUMN frame_whole INTEGER NOT NULL DEFAULT 1",
    ),
    7: (
        # No file is looked at, as it may lie on a disk that sleeps or is gone: NULL until it is ingested again. That
        # never happens to an upload, whose file was written when it came.
        "ALTER TABLE videos ADD COLUMN modified_s REAL",
        "UPDATE videos SET modified_s = strftime('%s', added_at) WHERE uploaded",
    ),
    8: (
        "CREATE TABLE examined_files (path TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, "
        "modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, video_id TEXT) WITHOUT ROWID",
    ),
    9: (
        "CREATE TABLE alerts (position INTEGER PRIMARY KEY AUTOINCREMENT, alert_id TEXT NOT NULL UNIQUE, title TEXT, "
        "question TEXT NOT NULL, text TEXT, file_name TEXT, content BLOB, url TEXT NOT NULL, secret TEXT NOT NULL, "
        "created_at TEXT NOT NULL, asked_segment_id INTEGER NOT NULL, delivered INTEGER NOT NULL DEFAULT 0, "
        "given_up INTEGER NOT NULL DEFAULT 0, asking_problem TEXT, delivery_problem TEXT)",
        "CREATE TABLE deliveries (position INTEGER PRIMARY KEY AUTOINCREMENT, delivery_id TEXT NOT NULL UNIQUE, "
        "alert_id TEXT NOT NULL REFERENCES alerts (alert_id) ON DELETE CASCADE, body TEXT NOT NULL, "
        "attempts INTEGER NOT NULL DEFAULT 0, made_s REAL NOT NULL, due_s REAL NOT NULL)",
        "CREATE INDEX deliveries_of_alert ON deliveries (alert_id, due_s)",
    ),
    10: (
        "ALTER TABLE latents ADD COLUMN stamp INTEGER NOT NULL DEFAULT 0",  # 0: see `first_stamp`
        "DROP INDEX latents_of_segment",
        "CREATE INDEX latents_of_segment ON latents (segment_id, generation, modality, stamp)",
        "INSERT INTO meta VALUES ('first_stamp', abs(random() / 4))",  # of this library alone
    ),
    11: (
        "CREATE TABLE changes (number INTEGER PRIMARY KEY, catalogue_version INTEGER NOT NULL, "
        "position INTEGER NOT NULL)",  # empty: of the versions so far it knows nothing
        "CREATE INDEX changes_by_version ON changes (catalogue_version)",
    ),
}


def newest() -> int:
    """Return the schema version that this release reads and writes."""
    return max(STEPS)


def schema_version(c: sqlite3.Connection) -> int:
    """Return the schema version of a catalogue; 0 where none is written down."""
    row = c.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    return 0 if row is None else int(row[0])


def migrate(c: sqlite3.Connection) -> bool:
    """Take the next step inside the caller's transaction; say whether there was one to take."""
    following = schema_version(c) + 1
    if following > newest():  # another process may have been faster
        return False
    for statement in STEPS[following]:
        c.execute(statement)
    c.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(following),))
    return True
