"""Saved questions, how far each has been asked, and the messages that are still to be sent for them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from index.records import Alert, Delivery
from index.rows import version
from index.store import Store
from model.errors import NotFound, QueryError

ALERT = (
    "alert_id, title, question, text, file_name, url, secret, created_at, asked_segment_id, delivered, given_up, "
    "coalesce(asking_problem, delivery_problem) AS problem, "
    "(SELECT count(*) FROM deliveries WHERE deliveries.alert_id = alerts.alert_id) AS waiting"
)
# Of each alert the message that is due first.
DUE = """
SELECT delivery_id, alert_id, body, attempts, made_s, url, secret FROM deliveries JOIN alerts USING (alert_id)
WHERE deliveries.position IN (
    SELECT (SELECT position FROM deliveries AS own WHERE own.alert_id = alerts.alert_id AND own.due_s <= :now_s
            ORDER BY own.due_s, own.position LIMIT 1)
    FROM alerts WHERE alert_id NOT IN (SELECT value FROM json_each(:but))
) ORDER BY due_s
"""


class Alerts:
    """Keep a catalogue's alerts and their messages; each change is on the disk when its method returns."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, alert: Alert, content: bytes | None, most: int) -> Alert:
        """Add an alert, to be asked about what comes from now on; return it. QueryError where there are `most`."""
        with self._store.write() as c:
            if c.execute("SELECT count(*) FROM alerts").fetchone()[0] >= most:
                raise QueryError(f"another alert given, at most {most} expected: delete one of them")
            names = ("alert_id", "title", "text", "file_name", "url", "secret", "created_at")
            row = {name: getattr(alert, name) for name in names}
            row |= {"question": json.dumps(alert.question), "content": content, "asked_segment_id": _newest(c)}
            c.execute(f"INSERT INTO alerts ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", row)
            return _one(c, alert.alert_id)

    def alerts(self) -> list[Alert]:
        """Return all alerts in the order in which they were made."""
        with self._store.read() as c:
            return [_alert_of(row) for row in c.execute(f"SELECT {ALERT} FROM alerts ORDER BY position")]

    def content(self, alert_id: str) -> bytes | None:
        """Return the bytes of an alert's file, None where it has none. NotFound."""
        with self._store.read() as c:
            _one(c, alert_id)
            content: bytes | None = c.execute("SELECT content FROM alerts WHERE alert_id = ?", (alert_id,)).fetchone()[
                0
            ]
            return content

    def delete(self, alert_id: str) -> None:
        """Delete an alert and what waits to be sent for it. NotFound."""
        with self._store.write() as c:
            _one(c, alert_id)
            c.execute("DELETE FROM alerts WHERE alert_id = ?", (alert_id,))

    def newest(self) -> tuple[int, int]:
        """Return the catalogue's version and the id of the second that came last, 0 for none, at one moment."""
        with self._store.read() as c:
            return version(c), _newest(c)

    def round_end(self, after: int, last: int, most: int) -> int:
        """Return up to which id to ask at once: of the ids behind `after`, up to `last`, at most so many.

        It lies between two recordings, unless one alone has more seconds.
        """
        end = min(last, after + most)
        with self._store.read() as c:
            query = "SELECT video_id FROM segments WHERE segment_id > ? AND segment_id <= ? ORDER BY segment_id LIMIT 1"
            following = c.execute(query, (end, last)).fetchone()
            if following is None:
                return last
            query = "SELECT min(segment_id) FROM segments WHERE video_id = ? AND segment_id > ?"
            (first,) = c.execute(query, (following["video_id"], after)).fetchone()
            query = "SELECT 1 FROM segments WHERE segment_id > ? AND segment_id < ? LIMIT 1"
            is_alone = c.execute(query, (after, first)).fetchone() is None
            return end if first > end or is_alone else first - 1

    def put_asked(self, alert_id: str, segment_id: int, messages: Iterable[tuple[str, str]], now_s: float) -> None:
        """Note up to which second an alert was asked, and queue its messages, id and body each, all or nothing.

        NotFound where it was deleted.
        """
        with self._store.write() as c:
            _one(c, alert_id)
            query = "UPDATE alerts SET asked_segment_id = ?, asking_problem = NULL WHERE alert_id = ?"
            c.execute(query, (segment_id, alert_id))
            c.executemany(
                "INSERT INTO deliveries (delivery_id, alert_id, body, made_s, due_s) VALUES (?, ?, ?, ?, ?)",
                [(delivery_id, alert_id, body, now_s, now_s) for delivery_id, body in messages],
            )

    def put_problem(self, alert_id: str, problem: str) -> None:
        """Note why an alert could not be asked."""
        with self._store.write() as c:
            query = "UPDATE alerts SET asking_problem = ?1 WHERE alert_id = ?2 AND asking_problem IS NOT ?1"
            c.execute(query, (problem, alert_id))

    def due(self, now_s: float, but: Iterable[str] = ()) -> list[Delivery]:
        """Return messages that are to be sent by now, one of each alert at most, and none of the alerts `but`."""
        with self._store.read() as c:
            return [Delivery(*row) for row in c.execute(DUE, {"now_s": now_s, "but": json.dumps(list(but))})]

    def put_delivered(self, delivery: Delivery) -> None:
        """Note that a message was delivered; it is not sent again.

        What was wrong with deliveries is forgotten once no message waits that was refused.
        """
        with self._store.write() as c:
            c.execute("DELETE FROM deliveries WHERE delivery_id = ?", (delivery.delivery_id,))
            query = (
                "UPDATE alerts SET delivered = delivered + 1, delivery_problem = CASE WHEN EXISTS "
                "(SELECT 1 FROM deliveries WHERE alert_id = ?1 AND attempts > 0) THEN delivery_problem END "
                "WHERE alert_id = ?1"
            )
            c.execute(query, (delivery.alert_id,))

    def put_refused(self, delivery: Delivery, problem: str, due_s: float | None, *, is_answered: bool) -> None:
        """Note that a message was not delivered, and when to try again; None gives it up.

        The other messages of its alert wait as long if the receiver gave no answer.
        """
        with self._store.write() as c:
            query = "UPDATE alerts SET delivery_problem = ?, given_up = given_up + ? WHERE alert_id = ?"
            c.execute(query, (problem, due_s is None, delivery.alert_id))
            if due_s is None:
                c.execute("DELETE FROM deliveries WHERE delivery_id = ?", (delivery.delivery_id,))
                return
            query = "UPDATE deliveries SET attempts = attempts + 1, due_s = ? WHERE delivery_id = ?"
            c.execute(query, (due_s, delivery.delivery_id))
            if not is_answered:
                query = "UPDATE deliveries SET due_s = ?1 WHERE alert_id = ?2 AND due_s < ?1"
                c.execute(query, (due_s, delivery.alert_id))


def _newest(c: sqlite3.Connection) -> int:
    return int(c.execute("SELECT coalesce(max(segment_id), 0) FROM segments").fetchone()[0])


def _one(c: sqlite3.Connection, alert_id: str) -> Alert:
    row = c.execute(f"SELECT {ALERT} FROM alerts WHERE alert_id = ?", (alert_id,)).fetchone()
    if row is None:
        raise NotFound(f"alert {alert_id} given, one of this library expected: list the alerts")
    return _alert_of(row)


def _alert_of(row: sqlite3.Row) -> Alert:
    return Alert(**dict(row) | {"question": json.loads(row["question"])})
