"""What every command shares: where it writes, how it fails, how it shows progress.

Answers go to standard output, as a table or with --json; progress and messages go to standard error.
Exit codes: 0 done, 1 a fault of Echolens, 2 wrong usage, 3 the medium cannot be used, 4 the library cannot
serve, 5 done in part (some files failed), 6 the question, the weights, the archive or the training cannot go on,
7 `library check` found something that needs repair.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from model.errors import EcholensError, LibraryError, MediaError
from model.network.device import DeviceName

if TYPE_CHECKING:
    from app.library.session import Session

DONE, FAULT, USAGE, MEDIUM, LIBRARY, PARTLY, OTHER, UNSOUND = range(8)

# Messages come from code that the service shares: they name fields of a form, and routes. The last only as in `k=0`.
FIELDS = (
    *("query_modality", "segment_id", "video_id", "at_s", "after_s", "before_s", "max_distance", "group_by"),
    *("min_match",),
    *("merge_adjacent", "query_start_s", "query_length_s"),
)
FIELD = re.compile(rf"(?<![\w./-])(?:({'|'.join(FIELDS)})(?![\w/]|[.-]\w)|(k|concept|target)(?==))")
COMMANDS = {
    "a query file": "--query",
    "a second file as query": "a second file with --query",
    "PATCH /videos/{id}": "echolens videos label VIDEO_ID LABEL",
}


out = Console()
err = Console(stderr=True)


def exit_code(error: EcholensError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, MediaError):
        return MEDIUM
    return LIBRARY if isinstance(error, LibraryError) else OTHER


def fail(error: EcholensError) -> typer.Exit:
    """Print an error and return what ends the command."""
    err.print(f"[bold red]{error.code}[/]: ", end="")
    say(with_flags(str(error)), err)
    return typer.Exit(exit_code(error))


def with_flags(message: str) -> str:
    """Return a message with flags and commands in place of form fields and routes."""
    for words, command in COMMANDS.items():
        message = message.replace(words, command)
    return FIELD.sub(lambda found: flag(found[1] or found[2]), message)


def flag(field: str) -> str:
    """Return the option of a field, such as --at for at_s; units, and whose it is, are no part of it."""
    name = field.removesuffix("_s").replace("query_start", "start").replace("query_length", "length")
    return f"--{name.replace('_', '-')}"


def say(text: str, console: Console = out, style: str | None = None) -> None:
    """Print a sentence to standard output, or to `err`, with paths and names as they are."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def warn(warnings: Iterable[str]) -> None:
    """Print warnings to standard error."""
    for warning in warnings:
        say(f"warning: {warning}", err, "yellow")


class LogHandler(logging.Handler):
    """Print what is logged to standard error, as `warn` prints a warning."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print it, and its traceback if it has one."""
        say(f"{record.levelname.lower()}: {self.format(record)}", err, "yellow")


def tell(notes: Iterable[str]) -> None:
    """Print to standard error what was lost of a question's files, or left aside."""
    for note in notes:
        say(note, err)


def print_json(value: Any) -> None:
    """Print JSON to standard output."""
    print(json.dumps(value, indent=1, default=str))


@contextmanager
def opened(
    library: Path,
    device: DeviceName = "auto",
    front_end: str | None = None,
    create: bool = False,
    fetch: bool = False,
) -> Iterator[Session]:
    """Open a library for a command; `create` makes it where there is none, `fetch` downloads the weights it lacks."""
    from app.library.session import Session
    from model.network.device import choose_device

    logging.getLogger("echolens").setLevel(logging.WARNING)
    announce = partial(say, console=err) if fetch else None
    with Session.open(library, choose_device(device), front_end, create, announce=announce) as session:
        yield session


@contextmanager
def progress(total: int | None, what: str, first: str = "") -> Iterator[Any]:
    """Show a bar on standard error with a text; yields `step(text)`, to be called once an item is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    columns = (*shown, TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=total, note=first)

        def step(note: str = "") -> None:
            bar.update(task, advance=1, note=note)

        yield step
