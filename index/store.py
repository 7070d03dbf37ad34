"""The SQLite file behind the catalogue: connections, transactions, schema; here sqlite3's errors end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from model.errors import LibraryBusy, LibraryError

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 30.0

# AUTOINCREMENT: the id of a deleted second is never given to another. `generation`: latents of a model
# that is being swapped in are written beside those in use and become visible all at once.
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
    added_at TEXT NOT NULL
);
CREATE TABLE segments (
    segment_id INTEGER PRIMARY KEY AUTOINCREMENT,
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    start_s INTEGER NOT NULL,
    heard INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    UNIQUE (video_id, start_s)
);
CREATE TABLE latents (
    generation INTEGER NOT NULL,
    modality TEXT NOT NULL CHECK (modality IN ('audio', 'visual')),
    segment_id INTEGER NOT NULL REFERENCES segments (segment_id) ON DELETE CASCADE,
    mu BLOB NOT NULL,
    sigma BLOB NOT NULL,
    generated BLOB NOT NULL,
    PRIMARY KEY (generation, modality, segment_id)
);
CREATE INDEX latents_of_segment ON latents (segment_id);
CREATE TABLE failures (
    path TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE TABLE jobs (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    progress REAL NOT NULL CHECK (progress BETWEEN 0 AND 1),
    payload TEXT NOT NULL,
    result TEXT NOT NULL
);
INSERT INTO meta VALUES
    ('catalogue_version', '0'), ('generation', '0'), ('frontend', NULL), ('fingerprint', NULL);
"""


class Store:
    """Lend connections to one SQLite file, one per running transaction, to any number of threads."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. LibraryError if it is no catalogue or one of a newer schema."""
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._writing = Lock()  # threads queue here rather than poll SQLite's lock
        with self.read() as c:
            empty = _is_empty(c)
            if not empty:
                self._check_schema(c)
        if empty:
            with self.write() as c:
                self._create(c)

    def close(self) -> None:
        """Close what lies idle; call it when no transaction runs."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that sees one state of the file and never waits for a writer."""
        with self._transaction("BEGIN") as c:
            yield c

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that is on the disk, whole, when this returns, or not at all when it raises."""
        with self._writing, self._transaction("BEGIN IMMEDIATE") as c:
            yield c

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            c = self._connection()
            try:
                c.execute(begin)
                yield c
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
        c = sqlite3.connect(self._path, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            c.row_factory = sqlite3.Row
            c.execute("PRAGMA journal_mode = WAL")
            c.execute("PRAGMA synchronous = FULL")
            c.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            c.close()
            raise
        return c

    def _create(self, c: sqlite3.Connection) -> None:
        if not _is_empty(c):  # another process was faster
            return
        for statement in SCHEMA.split(";\n"):
            c.execute(statement)
        c.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))

    def _check_schema(self, c: sqlite3.Connection) -> None:
        if c.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
            raise LibraryError(f"{self._path} given, an Echolens catalogue expected: choose another directory")
        row = c.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        found = 0 if row is None else int(row[0])
        if found != SCHEMA_VERSION:
            raise LibraryError(
                f"{self._path} has schema version {found}, this Echolens reads {SCHEMA_VERSION}: "
                + ("it was written by a newer release, upgrade Echolens" if found > SCHEMA_VERSION else "restore it")
            )

    def _translated(self, error: sqlite3.DatabaseError) -> LibraryError:
        if "locked" in str(error) or "busy" in str(error):
            return LibraryBusy(f"{self._path} stayed locked for {BUSY_TIMEOUT_S:.0f} s ({error}): try again later")
        return LibraryError(
            f"{self._path} given, a readable and writable Echolens catalogue expected ({error}): "
            "check the path, its rights and the free space, or restore the file"
        )


def _is_empty(c: sqlite3.Connection) -> bool:
    return bool(c.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)
