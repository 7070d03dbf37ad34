"""The thread that watches directories for the service: it queues the ingest of a folder when something is new there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from app.library.watch import Find, Watch
from model.errors import EcholensError

log = logging.getLogger("echolens")
REFUSED_RETRY_S = 30.0
BUSY_RETRY_S = 1.0


class Watcher:
    """Queue one ingest at a time: while a directory is queued or taken in, nothing is looked at."""

    def __init__(self, watch: Watch, is_busy: Callable[[], bool], queue: Callable[[Path], object]) -> None:
        """`is_busy` says whether a directory is queued or taken in; `queue` queues the ingest of a folder."""
        self._watch, self._is_busy, self._queue = watch, is_busy, queue
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; `join` waits for that."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the stopped thread has ended."""
        self._thread.join(max(0.0, timeout_s))

    def is_alive(self) -> bool:
        """Return whether the thread runs."""
        return self._thread.is_alive()

    def _live(self) -> None:
        while not self._stop.is_set():
            try:
                if self._is_busy():
                    self._stop.wait(BUSY_RETRY_S)
                    continue
                finds = self._watch.look()
                if finds:
                    self._hand_over(finds[0])
                else:
                    self._watch.wait(self._stop)
            except EcholensError as error:  # such as a full queue or disk
                log.warning("what is new in the watched directories waits: %s", error)
                self._stop.wait(REFUSED_RETRY_S)
            except Exception:
                log.exception("watching failed in a way that was not foreseen; it is tried again")
                self._stop.wait(REFUSED_RETRY_S)
        self._watch.close()

    def _hand_over(self, find: Find) -> None:
        self._queue(find.folder)
        self._watch.hand_over(find)
