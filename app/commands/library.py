"""echolens library stats."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.table import Table

from app.terminal import LIBRARY_DEFAULT, JsonOption, LibraryOption, out, print_json
from index.library import Library

app = typer.Typer(help="Look after a library.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look after a library."""


@app.command()
def stats(library: LibraryOption = LIBRARY_DEFAULT, as_json: JsonOption = False) -> None:
    """Count what a library holds, and list what could not be ingested."""
    with Library.open(library, create=False) as opened:
        counts = asdict(opened.catalogue.stats())
        failures = [asdict(f) for f in opened.catalogue.failures()]
    if as_json:
        print_json(counts | {"failures": failures})
        return
    table = Table(show_header=False, box=None)
    for name, value in counts.items():
        table.add_row(name, str(value))
    out.print(table)
    for failure in failures:
        out.print(f"{failure['path']}: {failure['code']}: {failure['detail']}", markup=False, highlight=False)
