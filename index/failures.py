"""Which files could not be ingested, and why."""

from __future__ import annotations

from dataclasses import astuple
from sqlite3 import Connection

from index.records import Failure
from index.store import Store


class Failures:
    """Keep the failures of a catalogue, one a path."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record_failure(self, failure: Failure) -> None:
        """Keep why a file could not be ingested; it replaces an older failure of the same path."""
        with self._store.write() as c:
            c.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", astuple(failure))

    def count_failures(self) -> int:
        """Return how many files could not be ingested."""
        with self._store.glance() as c:
            return int(c.execute("SELECT count(*) FROM failures").fetchone()[0])

    def failures(self) -> list[Failure]:
        """Return what could not be ingested, oldest first."""
        with self._store.read() as c:
            return [Failure(*row) for row in c.execute("SELECT path, code, detail, at FROM failures ORDER BY at, path")]


def forget_failure(c: Connection, path: str) -> None:
    """Delete the failure of a path, inside a transaction of the caller."""
    c.execute("DELETE FROM failures WHERE path = ?", (path,))
