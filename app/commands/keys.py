"""echolens keys create | list | revoke."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.terminal import LIBRARY_DEFAULT, JsonOption, LibraryOption, err, out, print_json
from app.http import keys
from app.http.keys import Key, KeyScope
from index.library import KEYS

app = typer.Typer(help="Say who may use the service of a library.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Say who may use the service of a library."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="whose it is, for the list")],
    scope: Annotated[KeyScope, typer.Option(help="read changes nothing, admin may do everything")] = "read",
    most_in_flight: Annotated[
        int | None, typer.Option(min=0, help="requests at a time; 0 for any number, else the service's setting")
    ] = None,
    most_per_minute: Annotated[
        int | None, typer.Option(min=0, help="requests per minute; 0 for any number, else the service's setting")
    ] = None,
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it: this once, it is kept nowhere. A running service knows it within a second."""
    key, secret = keys.create(library, name, scope, most_in_flight, most_per_minute)
    if as_json:
        print_json(_shown(key) | {"key": secret})
        return
    print(secret)
    err.print(
        f"This key of scope {key.scope} is shown once. To take it back: echolens keys revoke {key.key_id} "
        f"--library {library}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@app.command("list")
def list_command(library: LibraryOption = LIBRARY_DEFAULT, as_json: JsonOption = False) -> None:
    """List the keys of a library's service, oldest first, not themselves: nobody knows them."""
    found = keys.load(library)
    if as_json:
        print_json([_shown(key) for key in found or ()])
        return
    if not found:
        err.print(
            "There is no key." if found is None else f"All keys were revoked; delete {library / KEYS} to ask for none.",
            highlight=False,
            soft_wrap=True,
        )
        return
    table = Table("id", "name", "scope", "created", "in flight", "per minute", box=None)
    for key in found:
        limits = ("" if limit is None else str(limit) for limit in (key.most_in_flight, key.most_per_minute))
        table.add_row(key.key_id, escape(key.name), key.scope, key.created_at, *limits)
    out.print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="as `keys list` shows it")],
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Take a key back: a running service refuses it within a second."""
    revoked = keys.revoke(library, key_id)
    if as_json:
        print_json(_shown(revoked))
    else:
        out.print(f"The key {revoked.key_id} of {revoked.name} is revoked.", markup=False, highlight=False)


def _shown(key: Key) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "sha256"}
