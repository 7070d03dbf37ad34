"""The keys that a running service accepts; it follows the file that `echolens keys` changes."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable
from pathlib import Path

from app.http.keys import Key, digest, load
from index.library import KEYS
from model.errors import LibraryError

log = logging.getLogger("echolens")
CHECK_EVERY_S = 1.0
ENVIRONMENT = "environment"  # the id of the key that ECHOLENS_API_KEY sets
UNKNOWN = "unknown"

State = tuple[int, int, int] | str | None


class Keyring:
    """Know which keys are good now, and whether one is needed.

    A key is needed beyond loopback, where ECHOLENS_API_KEY is set, and where a file of keys exists or existed:
    revoking the last key, or losing the file, locks the service.
    """

    def __init__(
        self,
        directory: Path,
        api_key: str | None = None,
        required: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory, self._clock = directory, clock
        self._own = (Key(ENVIRONMENT, "ECHOLENS_API_KEY", "admin", "", digest(api_key.encode())),) if api_key else ()
        self._required = required or bool(api_key)
        self._keys: tuple[Key, ...] = ()
        self._state: State = None
        self._next_check = clock()

    def needed(self) -> bool:
        """Say whether a request needs a key."""
        self._follow()
        return self._required

    def find(self, given: bytes) -> Key | None:
        """Return the key that was given, or None; the time it takes tells nothing about the right one."""
        self._follow()
        if not given:
            return None
        found, given_digest = None, digest(given)
        for key in (*self._own, *self._keys):
            if hmac.compare_digest(key.sha256, given_digest):
                found = key
        return found

    def _follow(self) -> None:
        """Read the file again where it changed; look at most once a second."""
        now = self._clock()
        if now < self._next_check:
            return
        self._next_check = now + CHECK_EVERY_S
        state = _state(self._directory / KEYS)
        if state == self._state:
            return
        try:
            keys = load(self._directory)
        except LibraryError as error:  # no key is good until it can be read; try again
            if self._state != UNKNOWN:
                log.error("no key of the file is good until it can be read: %s", error)
            keys, state = (), UNKNOWN
        self._keys, self._state = keys or (), state
        self._required = self._required or keys is not None


def _state(path: Path) -> State:
    """Return what changes with the file; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return UNKNOWN
    return status.st_ino, status.st_mtime_ns, status.st_size
