"""Uploads: a query's file lasts as long as its request, footage until it is deleted."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import UploadFile

from app.media.upload import SmallUpload
from index.disk import flush, writing
from model.errors import LibraryError, QueryError

SMALL_BYTES = 1024**2  # as Starlette keeps in memory
MOST_NAME_BYTES = 100  # file systems count bytes, and take 255 of them


@asynccontextmanager
async def query_file(upload: UploadFile | None, scratch: Path) -> AsyncIterator[Path | SmallUpload | None]:
    """Lend an upload for the time of a request, in memory if it is small; its name is only for messages."""
    if upload is None:
        yield None
        return
    name = plain_name(upload)
    if (upload.size or 0) <= SMALL_BYTES:
        yield SmallUpload(scratch, name, await upload.read())
        return
    path = scratch / f"{random.getrandbits(64):016x}" / name
    try:
        await asyncio.to_thread(_write, upload, path)
        yield path
    finally:
        await asyncio.to_thread(shutil.rmtree, path.parent, ignore_errors=True)


def _write(upload: UploadFile, path: Path) -> None:
    with writing(path.parent):
        path.parent.mkdir(parents=True)
        with path.open("xb") as out:
            shutil.copyfileobj(upload.file, out)


def keep(upload: UploadFile, directory: Path) -> Path:
    """Write an upload to the disk, flush it, and return its path: once the job is accepted, the file is safe.

    Raises LibraryError where it cannot be written, as on a full disk.
    """
    path = directory / f"upload-{uuid.uuid4().hex}"
    try:
        with writing(directory):
            with path.open("xb") as out:
                shutil.copyfileobj(upload.file, out)
            flush(path)
            flush(directory)  # the name as well as the bytes
    except LibraryError:
        path.unlink(missing_ok=True)  # leave no partial file on a full disk
        raise
    return path


def date_file(path: Path, modified_s: float) -> None:
    """Say of a file when it was last changed, in Unix time. Raises QueryError where the disk cannot say so."""
    try:
        os.utime(path, (modified_s, modified_s))
    except (OSError, OverflowError, ValueError) as error:
        raise QueryError("modified_at given, a date that files can have expected: leave it out") from error


def plain_name(upload: UploadFile) -> str:
    """Return the file's name without directories, of a bounded length."""
    name = Path((upload.filename or "upload").replace("\\", "/")).name
    printable = "".join(c for c in name if c.isprintable())
    printable = printable.encode()[-MOST_NAME_BYTES:].decode(errors="ignore")
    if printable in ("", ".", ".."):
        raise QueryError(f"the file name {upload.filename!r} cannot be used; give the upload a plain name")
    return printable
