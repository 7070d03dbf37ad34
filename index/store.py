"""The SQLite file behind the catalogue: connections, transactions, schema; sqlite3's errors become ours here."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from index.disk import refused
from index.migrations import migrate, newest, schema_version
from model.errors import LibraryBusy, LibraryError

BUSY_TIMEOUT_S = 30.0
log = logging.getLogger(__name__)
LARGEST_ID = 2**63 - 1  # SQLite takes no larger number; callers may ask for any

# The newest schema; `index/migrations.py` has the steps that lead older ones to it.
# AUTOINCREMENT: the id of a deleted second is never used again. `generation`: the latents of a new model
# are written beside those in use and become visible all at once. `concepts`: a byte each, 255 is sure.
# `stamp`: a number drawn whenever latents are written: two equal ones of a second mean equal latents. 0 stands for
# `first_stamp`, which older releases' latents have. `changes`: which videos, by position, a version changed; see
# `index/changes.py`.
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE videos (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    video_id TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    file_name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    duration_s REAL NOT NULL,
    uploaded INTEGER NOT NULL,
    label TEXT,
    event_start_s REAL,
    event_end_s REAL,
    added_at TEXT NOT NULL,
    size_bytes INTEGER,
    loss_s REAL NOT NULL DEFAULT 0,
    audio_track INTEGER,
    decoding INTEGER NOT NULL DEFAULT 1,
    complete INTEGER NOT NULL DEFAULT 1,
    missing INTEGER NOT NULL DEFAULT 0,
    modified_s REAL
);
CREATE INDEX videos_by_path ON videos (path);
CREATE TABLE segments (
    segment_id INTEGER PRIMARY KEY AUTOINCREMENT,
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    start_s INTEGER NOT NULL,
    heard INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    sound_whole INTEGER NOT NULL DEFAULT 1,
    frame_whole INTEGER NOT NULL DEFAULT 1,
    UNIQUE (video_id, start_s)
);
CREATE TABLE latents (
    generation INTEGER NOT NULL,
    modality TEXT NOT NULL CHECK (modality IN ('audio', 'visual')),
    segment_id INTEGER NOT NULL REFERENCES segments (segment_id) ON DELETE CASCADE,
    mu BLOB NOT NULL,
    sigma BLOB NOT NULL,
    generated BLOB NOT NULL,
    concepts BLOB,
    stamp INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, modality, segment_id)
);
CREATE INDEX latents_of_segment ON latents (segment_id, generation, modality, stamp);
CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    catalogue_version INTEGER NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX changes_by_version ON changes (catalogue_version);
CREATE TABLE failures (
    path TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE TABLE examined_files (
    path TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL,
    video_id TEXT
) WITHOUT ROWID;
CREATE TABLE alerts (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id TEXT NOT NULL UNIQUE,
    title TEXT,
    question TEXT NOT NULL,
    text TEXT,
    file_name TEXT,
    content BLOB,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at TEXT NOT NULL,
    asked_segment_id INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    given_up INTEGER NOT NULL DEFAULT 0,
    asking_problem TEXT,
    delivery_problem TEXT
);
CREATE TABLE deliveries (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id TEXT NOT NULL UNIQUE,
    alert_id TEXT NOT NULL REFERENCES alerts (alert_id) ON DELETE CASCADE,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    made_s REAL NOT NULL,
    due_s REAL NOT NULL
);
CREATE INDEX deliveries_of_alert ON deliveries (alert_id, due_s);
CREATE TABLE jobs (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    progress REAL NOT NULL CHECK (progress BETWEEN 0 AND 1),
    payload TEXT NOT NULL,
    result TEXT NOT NULL,
    cancelling INTEGER NOT NULL DEFAULT 0,
    error_count INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE TABLE job_messages (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE,
    file_name TEXT NOT NULL,
    code TEXT,
    detail TEXT NOT NULL
);
CREATE INDEX messages_of_job ON job_messages (job_id);
CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    job_id TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE,
    at TEXT NOT NULL
);
CREATE INDEX keys_of_job ON idempotency_keys (job_id);
CREATE INDEX keys_by_age ON idempotency_keys (at);
INSERT INTO meta VALUES
    ('catalogue_version', '0'), ('generation', '0'), ('frontend', NULL), ('fingerprint', NULL), ('first_stamp', '0');
"""


class Store:
    """Lend connections to one SQLite file, one per running transaction, to any number of threads."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open the file and bring it to the newest schema, or create it.

        With `read_only` it must exist and stays unchanged. LibraryError: it is no catalogue, or has a newer schema.
        """
        self._path, self._read_only = path, read_only
        self._idle: list[sqlite3.Connection] = []
        self._writing = Lock()  # threads queue here rather than poll SQLite's lock
        with self.read() as c:
            found = None if _is_empty(c) else self._checked_schema(c)
        if read_only and found is None:
            raise LibraryError(f"{path}, an empty file, given, an Echolens catalogue expected: restore it")
        if not read_only and found != newest():
            self._bring_up_to_date()

    def close(self) -> None:
        """Close the connections; call it when no transaction runs."""
        while self._idle:
            self._idle.pop().close()

    def copy_to(self, target: Path) -> None:
        """Copy the catalogue to another file, as it is at this moment, while others read and write.

        LibraryError if it is damaged, or the copy does not fit on its disk.
        """
        try:
            source, copy = self._connection(), sqlite3.connect(target, isolation_level=None)
            try:
                source.backup(copy)  # in one step: a concurrent writer does not restart it
                copy.execute("PRAGMA journal_mode = DELETE")  # so that it needs no -wal file beside it
                found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
            finally:
                copy.close()
                self._idle.append(source)
        except sqlite3.DatabaseError as error:
            raise (refused(target, error) if "full" in str(error) else self._translated(error)) from error
        if found != "ok":
            raise LibraryError(
                f"{self._path} is damaged ({found}): restore a snapshot; echolens library check says more"
            )

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that sees one state of the file and never waits for a writer."""
        with self._transaction("BEGIN") as c:
            yield c

    @contextmanager
    def glance(self) -> Iterator[sqlite3.Connection]:
        """Run one statement, which is a transaction by itself, at a third of the cost."""
        with self._transaction(None) as c:
            yield c

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that is on the disk when this returns, and is undone when it raises."""
        with self._writing, self._transaction("BEGIN IMMEDIATE") as c:
            yield c

    @contextmanager
    def _transaction(self, begin: str | None) -> Iterator[sqlite3.Connection]:
        try:
            c = self._connection()
            try:
                if begin:
                    c.execute(begin)
                yield c
                if begin:
                    c.execute("COMMIT")
            finally:
                if c.in_transaction:
                    c.execute("ROLLBACK")
                self._idle.append(c)
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # our bug, not the file's
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error

    def _connection(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}"
        c = sqlite3.connect(uri, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=True)
        try:
            c.row_factory = sqlite3.Row
            if not self._read_only:
                c.execute("PRAGMA journal_mode = WAL")
            c.execute("PRAGMA synchronous = FULL")
            c.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            c.close()
            raise
        return c

    def _bring_up_to_date(self) -> None:
        with self.write() as c:
            if _is_empty(c):  # else another process was faster
                self._create(c)
        more = True
        while more:
            with self.write() as c:  # one transaction a step: it is done whole or not at all
                found = schema_version(c)
                if found < newest():
                    log.warning("%s: schema %d is brought to %d, which may take minutes", self._path, found, found + 1)
                more = migrate(c)

    def _create(self, c: sqlite3.Connection) -> None:
        for statement in SCHEMA.split(";\n"):
            c.execute(statement)
        c.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(newest()),))

    def _checked_schema(self, c: sqlite3.Connection) -> int:
        if c.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
            raise LibraryError(f"{self._path} given, an Echolens catalogue expected: choose another directory")
        found = schema_version(c)
        if not 1 <= found <= newest():
            raise LibraryError(
                f"{self._path} has schema version {found}, this Echolens reads 1 to {newest()}: "
                + ("it was written by a newer release, upgrade Echolens" if found > newest() else "restore it")
            )
        return found

    def _translated(self, error: sqlite3.DatabaseError) -> LibraryError:
        if "locked" in str(error) or "busy" in str(error):
            return LibraryBusy(f"{self._path} stayed locked for {BUSY_TIMEOUT_S:.0f} s ({error}): try again later")
        if "full" in str(error):
            return refused(self._path, error)
        if "malformed" in str(error):
            return LibraryError(
                f"{self._path} is damaged ({error}): restore a snapshot in another directory with: "
                "echolens library restore FILE --library DIR"
            )
        return LibraryError(
            f"{self._path} given, a readable and writable Echolens catalogue expected ({error}): "
            "check the path, its rights and the free space, or restore a snapshot"
        )


def _is_empty(c: sqlite3.Connection) -> bool:
    return bool(c.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)
