"""What every command shares: where it writes, how it fails, how it shows progress.

Answers go to standard output, as a table or with --json; progress and messages go to standard error.
Exit codes: 0 done, 1 a fault of Echolens, 2 wrong usage, 3 the medium cannot be used, 4 the library cannot
serve, 5 done in part (some files failed), 6 the question, the weights, the archive or the training cannot go on,
7 `library check` found something that needs repair.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.library.session import Session
from model.errors import EcholensError, LibraryError, MediaError
from model.network.device import DeviceName, choose_device

DONE, FAULT, USAGE, MEDIUM, LIBRARY, PARTLY, OTHER, UNSOUND = range(8)

LibraryOption = Annotated[Path, typer.Option("--library", envvar="ECHOLENS_DATA", help="the library's directory")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON to standard output")]
DeviceOption = Annotated[
    DeviceName, typer.Option("--device", envvar="ECHOLENS_DEVICE", help="auto takes CUDA where it is")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="same seed, same machine: same figures")]
LIBRARY_DEFAULT = Path("data")

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
    err.print(str(error), markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(exit_code(error))


def print_json(value: Any) -> None:
    """Print JSON to standard output."""
    print(json.dumps(value, indent=1, default=str))


@contextmanager
def opened(
    library: Path, device: DeviceName = "auto", front_end: str | None = None, create: bool = False
) -> Iterator[Session]:
    """Open a library for a command."""
    logging.getLogger("echolens").setLevel(logging.WARNING)
    with Session.open(library, choose_device(device), front_end, create) as session:
        yield session


@contextmanager
def progress(total: int | None, what: str) -> Iterator[Any]:
    """Show a bar on standard error; yields `step(text)`, to be called once per item."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=err, transient=True) as bar:
        task = bar.add_task(what, total=total, note="")

        def step(note: str = "") -> None:
            bar.update(task, advance=1, note=note)

        yield step
