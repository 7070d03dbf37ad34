"""Cache a FAISS index in a file. A file that is truncated, altered or of other items is never used."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from index.disk import flush
from index.faiss_index import VERSION, Index, read, write

MAGIC = b"echolens index 1"  # raise it when the layout or the meaning of p changes
DIGEST_BYTES = 32
LENGTH_BYTES = 4
CHUNK_BYTES = 1 << 20
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IndexCache:
    """Keep one index in one file: MAGIC, the SHA-256 of all that follows, the key's length, the key, FAISS's bytes."""

    path: Path

    def load(self, key: str) -> Index | None:
        """Return the index that this version of FAISS saved under this key; else log a warning and return None."""
        try:
            with self.path.open("rb") as file:
                problem = _problem(file, key)
                if problem is None:
                    return read(file)
        except FileNotFoundError:
            problem = "is missing"
        except OSError as error:
            problem = f"cannot be read ({error})"
        log.warning("%s %s: the index is built anew", self.path, problem)
        return None

    def save(self, key: str, index: Index) -> None:
        """Replace the file atomically; if the disk refuses, log a warning: the next start builds the index again."""
        temporary = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=f".{self.path.name}.", delete=False) as file:
                temporary = Path(file.name)
                _fill(cast(BinaryIO, file), key, index)
            os.replace(temporary, self.path)
            flush(self.path.parent)
        except OSError as error:
            log.warning("%s cannot be written (%s): the index is kept in memory alone", self.path, error)
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    def kept(self, key: str, build: Callable[[], Index]) -> Index:
        """Return the index of this key from the file, or build and save it."""
        index = self.load(key)
        if index is None:
            index = build()
            self.save(key, index)
        return index


def _named(key: str) -> bytes:
    return f"faiss {VERSION}\n{key}".encode()


def _problem(file: BinaryIO, key: str) -> str | None:
    """Return what is wrong with a file; None if nothing is, with the file at the start of FAISS's bytes."""
    if file.read(len(MAGIC)) != MAGIC:
        return "is no index of this version"
    digest = file.read(DIGEST_BYTES)
    if _digest(file) != digest:
        return "is damaged"
    file.seek(len(MAGIC) + DIGEST_BYTES)
    if file.read(int.from_bytes(file.read(LENGTH_BYTES), "big")) != _named(key):
        return "is of another library, model or FAISS"
    return None


def _fill(file: BinaryIO, key: str, index: Index) -> None:
    name = _named(key)
    file.write(MAGIC + bytes(DIGEST_BYTES) + len(name).to_bytes(LENGTH_BYTES, "big") + name)
    write(index, file)
    file.seek(len(MAGIC) + DIGEST_BYTES)
    digest = _digest(file)
    file.seek(len(MAGIC))
    file.write(digest)
    file.flush()
    os.fsync(file.fileno())


def _digest(file: BinaryIO) -> bytes:
    """Return the SHA-256 of the rest of a file."""
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.digest()
