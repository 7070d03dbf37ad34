"""Uploads on disk: a query's for as long as its request, footage until the library lets it go."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import UploadFile

from index.disk import flush, writing
from model.errors import LibraryError, QueryError

MOST_NAME_BYTES = 100  # file systems count bytes, and take 255 of them


@contextmanager
def query_file(upload: UploadFile | None) -> Iterator[Path | None]:
    """Hold an upload as a file under its own name (for messages alone) while a request needs it."""
    if upload is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="echolens-") as directory:
        path = Path(directory) / plain_name(upload)
        with path.open("wb") as out:
            shutil.copyfileobj(upload.file, out)
        yield path


def keep(upload: UploadFile, directory: Path) -> Path:
    """Write an upload to the disk for good, flushed, and return its path: what is acknowledged is there.

    Raises LibraryError where it cannot be kept, as on a full disk.
    """
    path = directory / f"upload-{uuid.uuid4().hex}"
    try:
        with writing(directory):
            with path.open("xb") as out:
                shutil.copyfileobj(upload.file, out)
            flush(path)
            flush(directory)  # the name as well as the bytes
    except LibraryError:
        path.unlink(missing_ok=True)  # a full disk does not stay full of this
        raise
    return path


def plain_name(upload: UploadFile) -> str:
    """Return the file's name without directories, of a bounded length."""
    name = Path((upload.filename or "upload").replace("\\", "/")).name
    printable = "".join(c for c in name if c.isprintable())
    printable = printable.encode()[-MOST_NAME_BYTES:].decode(errors="ignore")
    if printable in ("", ".", ".."):
        raise QueryError(f"the file name {upload.filename!r} cannot be used; give the upload a plain name")
    return printable
