"""Ingest: footage into a library. It can be stopped and resumed; a bad file is recorded and skipped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from app.library.examined import note_examined
from app.library.intake import Intake
from app.library.readers import LocalReader, Reader
from app.library.session import Session
from app.library.source import Outcome, Source
from app.library.supersede import Places
from model.errors import EmptyLibrary, MediaError, UntrainedLibrary
from model.media.medium import Limits
from model.network.encoder import Encoder

__all__ = ["Outcome", "Source", "ingest"]

MOST_THREADS = 4
MakeReader = Callable[[Session, Limits, Callable[[], bool]], Reader]


def ingest(
    session: Session,
    sources: Iterable[Source],
    limits: Limits,
    done: Callable[[Outcome], None] = lambda _: None,
    decoders: int = MOST_THREADS,
    stop: Callable[[], bool] = lambda: False,
    make_reader: MakeReader | None = None,
) -> list[Outcome]:
    """Add files to the library in order, each in parts of ten minutes, of which each is one transaction.

    Returns what became of each file. Where `stop` says so it ends after the part at work, without an outcome of that
    file; called again with this file and those behind it, it goes on. So it does after it was killed.
    `make_reader`: makes what reads the files, elsewhere; without it `decoders` threads of this process do.

    Raises:
        LibraryBusy: another process writes to the library. Mismatch: its checkpoint cannot be used.
        FrontEndError: its front-end's weights are absent.
        LibraryError: it cannot be written to, as on a full disk; what came before is in.
    """
    outcomes: list[Outcome] = []
    with session.library.writer(), ThreadPoolExecutor(max(1, min(decoders, os.cpu_count() or 1))) as pool:
        session.begin()  # where the front-end's weights were absent when the library was opened
        reader: Reader = (
            make_reader(session, limits, stop)
            if make_reader is not None
            else LocalReader(session, limits, pool, decoders, stop)
        )
        places = Places(session.library)
        intake = Intake(reader, _encoder(session), places)  # under the lock: no other model is swapped in meanwhile
        for source, stamp, first in reader.begun(sources):
            outcome = intake.fail(source, first) if isinstance(first, MediaError) else intake.take(source, first)
            if outcome is None:
                break
            note_examined(session.library, source, stamp, outcome)
            outcomes.append(outcome)
            done(outcome)
        else:
            if not stop():  # else files are left, such as those that made room for others
                places.settle()
    return outcomes


def _encoder(session: Session) -> Encoder | None:
    """Return the library's model; an untrained library takes in features alone, `train` encodes them."""
    try:
        return session.encoder
    except (EmptyLibrary, UntrainedLibrary):
        return None
