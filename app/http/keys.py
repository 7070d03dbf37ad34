"""API keys: made here, shown once, stored as hashes in the library's directory."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from index.disk import flush, writing
from index.library import KEYS
from model.errors import LibraryError, NotFound

KeyScope = Literal["admin", "read"]
SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)
PREFIX = "el_"  # so that one in a log or a repository is recognised
KEY_BYTES = 32
LONGEST_NAME = 100
MOST_KEY_LETTERS = 1000
LOCK, PARTIAL = ".keys.lock", ".keys.partial"  # hidden: a directory that holds them is still free for a library


@dataclass(frozen=True)
class Key:
    """Describe a key without the key itself; a limit of None is the service's, 0 is none."""

    key_id: str
    name: str
    scope: KeyScope
    created_at: str
    sha256: str
    most_in_flight: int | None = None
    most_per_minute: int | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal[1] = 1
    keys: list[Key]


def digest(given: bytes) -> str:
    """Return a key's SHA-256; 256 random bits cannot be guessed, so a slow hash would only slow down requests."""
    return hashlib.sha256(given).hexdigest()


def load(directory: Path) -> tuple[Key, ...] | None:
    """Return the keys of a directory, oldest first; None where it has no file of keys.

    Raises LibraryError where the file cannot be read or is not one that was written here.
    """
    path = directory / KEYS
    try:
        return tuple(_File.model_validate_json(path.read_bytes()).keys)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LibraryError(
            f"{path} given, a file that the service may read expected ({error.strerror}): make its keys as the user "
            "that the service runs as"
        ) from error
    except ValidationError as error:
        places = ", ".join(".".join(map(str, e["loc"])) or "the file" for e in error.errors()[:3])
        raise LibraryError(
            f"{path} given, keys as `echolens keys` writes them expected, {places} is not: put the file back from a "
            "copy, or delete it and make new keys"
        ) from error


def read_key(path: Path) -> str:
    """Return the key that a file holds, "" for an empty one; LibraryError for a file that cannot be one."""
    try:
        with path.open(encoding="utf-8") as file:
            found = file.read(MOST_KEY_LETTERS + 1).strip()
        reason = "" if found.isprintable() and len(found) < MOST_KEY_LETTERS else "it holds something else"
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it holds something else"
    if reason:
        raise LibraryError(f"{path} given, a file with one line, the key, expected ({reason})")
    return found


def create(
    directory: Path,
    name: str,
    scope: KeyScope,
    most_in_flight: int | None = None,
    most_per_minute: int | None = None,
) -> tuple[Key, str]:
    """Make a key; return its description and the key itself, which is stored nowhere.

    Raises LibraryError: a name that is empty, long or not printable; or the file cannot be read or written.
    """
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise LibraryError(f"the name {name!r} given, 1 to {LONGEST_NAME} printable characters expected")
    secret = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    key = Key(secrets.token_hex(4), name, scope, now, digest(secret.encode()), most_in_flight, most_per_minute)
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / LOCK):
            _write(directory, [*(load(directory) or ()), key])
    return key, secret


def revoke(directory: Path, key_id: str) -> Key:
    """Delete a key. Raises NotFound where no key has that id, LibraryError as `create` does."""
    if load(directory) is None:
        raise NotFound(f"{directory} given, a directory with {KEYS} expected: `echolens keys create` makes the first")
    with writing(directory), FileLock(directory / LOCK):
        keys = load(directory) or ()
        revoked = next((key for key in keys if key.key_id == key_id), None)
        if revoked is None:
            raise NotFound(f"the key {key_id} given, the id of one expected: `echolens keys list` lists them")
        _write(directory, [key for key in keys if key.key_id != key_id])
    return revoked


def _write(directory: Path, keys: Iterable[Key]) -> None:
    """Replace the file in one step, only ever readable by its owner; under the lock."""
    partial = directory / PARTIAL
    partial.unlink(missing_ok=True)
    content = json.dumps({"format": 1, "keys": [asdict(key) for key in keys]}, indent=1)
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(partial, directory / KEYS)
    finally:
        partial.unlink(missing_ok=True)
    flush(directory)
