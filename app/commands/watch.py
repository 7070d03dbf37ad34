"""echolens watch."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.ingest import told
from app.commands.options import LIBRARY_DEFAULT, DeviceOption, LibraryOption, NewFrontEndOption
from app.commands.terminal import err, opened, say
from model.errors import EcholensError, LibraryBusy, QueryError

if TYPE_CHECKING:
    from app.library.ingest import Outcome
    from app.library.session import Session
    from app.library.watch import Find, Watch

log = logging.getLogger("echolens")
REFUSED_RETRY_S = 30.0


def watch_command(
    directories: Annotated[list[Path], typer.Argument(help="directories")],
    library: LibraryOption = LIBRARY_DEFAULT,
    frontend: NewFrontEndOption = None,
    settle: Annotated[
        float,
        typer.Option(min=0, envvar="ECHOLENS_WATCH_SETTLE_S", help="seconds that a file stays as it is to be taken in"),
    ] = 5.0,
    rescan: Annotated[
        float,
        typer.Option(min=0.1, envvar="ECHOLENS_WATCH_RESCAN_S", help="seconds until a look without an event"),
    ] = 300.0,
    device: DeviceOption = "auto",
) -> None:
    """Take in the footage of directories as it comes, until stopped. The service does it with ECHOLENS_WATCH."""
    if files := [str(path) for path in directories if path.is_file()]:
        raise QueryError(
            f"{', '.join(files)}, a file, given, a directory to watch expected: echolens ingest takes files"
        )
    from app.library.listing import list_files
    from app.library.watch import Watch

    with stopping() as stop, opened(library, device, frontend, create=True, fetch=True) as session:
        places = [Path(os.path.abspath(directory)) for directory in directories]
        watch = Watch(session.library, places, lambda path: list_files([path]), attrgetter("path"), settle, rescan)
        say(f"Watching {', '.join(map(str, places))}. Ctrl-C ends it.", err)
        try:
            take_in_as_it_comes(session, watch, stop)
        finally:
            watch.close()


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield what SIGTERM and a first Ctrl-C set; a second one interrupts."""
    stop = threading.Event()

    def end(number: int, _: object) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def take_in_as_it_comes(session: Session, watch: Watch, stop: threading.Event) -> None:
    """Take in what comes until told to stop; wait while another process writes to the library."""
    is_busy = False
    while not stop.is_set():
        try:
            for find in watch.look():
                _take_in(session, find, stop)
                watch.hand_over(find)
            is_busy = False
        except LibraryBusy as error:
            if not is_busy:
                say(f"{error.code}: {error}", err)
            is_busy = True
        except EcholensError as error:
            say(f"{error.code}: {error}. It is tried again.", err)
            stop.wait(REFUSED_RETRY_S)
        except Exception:
            log.exception("watching failed in a way that was not foreseen; it is tried again")
            stop.wait(REFUSED_RETRY_S)
        watch.wait(stop)


def _take_in(session: Session, find: Find, stop: threading.Event) -> None:
    """Take in what has come to rest, and mark what is there again or gone."""
    from app.library.ingest import ingest
    from app.library.missing import mark_back, mark_gone, report, report_back
    from model.media.medium import FOOTAGE

    def done(outcome: Outcome) -> None:
        line = told(outcome)
        if outcome.state == "passed" or (outcome.state == "known" and line is None):
            return
        say(f"{outcome.path}: {outcome.state}" + (f" ({line})" if line else ""))

    if find.sources:
        left = takewhile(lambda _: not stop.is_set(), find.sources)
        ingest(session, left, FOOTAGE, done, stop=stop.is_set)
    if stop.is_set():
        return
    if back := mark_back(session.library, find.back):
        say(report_back(back))
    if gone := mark_gone(session.library, [find.folder]):
        say(report(gone))
