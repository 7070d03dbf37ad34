"""Ingest: footage into a library. It can be stopped and resumed; a bad file is recorded and skipped."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from app.library.intake import Intake
from app.library.reading import Begun, Reader
from app.library.session import Session
from app.library.source import Outcome, Source
from app.processes.ahead import ahead
from model.errors import EmptyLibrary, MediaError, UntrainedLibrary
from model.media.medium import Limits
from model.network.encoder import Encoder

__all__ = ["Outcome", "Source", "find_files", "ingest"]

MOST_THREADS = 4
# Footage that registries of types, where a machine has one, call an application, a text or a 3-D model.
MISNAMED = (".ts", ".mts", ".mxf", ".asf", ".ogx", ".rm")


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and below directories all but hidden ones and those named as documents.

    What a file is, its content decides at ingest; a name alone leaves out only texts and the like.
    """
    found: list[Path] = []
    for path in paths:
        if os.path.isdir(path):  # False for a name that is too long: opening it says so
            found += sorted(p for p in path.rglob("*") if p.is_file() and _may_be_medium(p.relative_to(path)))
        else:
            found.append(path)
    return [Path(os.path.abspath(p)) for p in found]


def ingest(
    session: Session,
    sources: Iterable[Source],
    limits: Limits,
    done: Callable[[Outcome], None] = lambda _: None,
    decoders: int = MOST_THREADS,
    stop: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Add files to the library in order, each in parts of ten minutes, of which each is one transaction.

    Returns what became of each file. Where `stop` says so it ends after the part at work, without an outcome of that
    file; called again with this file and those behind it, it goes on. So it does after it was killed.

    Raises:
        LibraryBusy: another process writes to the library. Mismatch: its checkpoint cannot be used.
        FrontEndError: its front-end's weights are absent.
        LibraryError: it cannot be written to, as on a full disk; what came before is in.
    """
    outcomes: list[Outcome] = []
    with session.library.writer(), ThreadPoolExecutor(max(1, min(decoders, os.cpu_count() or 1))) as pool:
        session.begin()  # where the front-end's weights were absent when the library was opened
        reader = Reader(session, limits, pool, stop)
        intake = Intake(reader, _encoder(session))  # under the lock: no other model can be swapped in meanwhile
        for source, begun in ahead(pool, reader.begin, sources, decoders):
            outcome = _take(intake, source, begun)
            if outcome is None:
                break
            outcomes.append(outcome)
            done(outcome)
    return outcomes


def _take(intake: Intake, source: Source, begun: Future[Begun]) -> Outcome | None:
    try:
        first = begun.result()
    except MediaError as error:
        return intake.fail(source, error)
    return intake.take(source, first)


def _encoder(session: Session) -> Encoder | None:
    """Return the library's model; an untrained library takes in features alone, `train` encodes them."""
    try:
        return session.encoder
    except (EmptyLibrary, UntrainedLibrary):
        return None


def _may_be_medium(relative: Path) -> bool:
    if any(part.startswith(".") for part in relative.parts):
        return False
    if relative.suffix.lower() in MISNAMED:
        return True
    guess, _ = mimetypes.guess_type(relative.name)
    return guess is None or guess.split("/")[0] in ("audio", "video", "image")
