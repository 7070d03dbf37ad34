"""echolens keys create | list | revoke."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.commands.examples import examples
from app.commands.options import LIBRARY_DEFAULT, JsonOption, LibraryOption
from app.commands.terminal import err, out, print_json, say

if TYPE_CHECKING:
    from app.http.keys import Key

app = typer.Typer(help="Make, list and revoke the API keys of a library's service.", no_args_is_help=True)


@app.command(epilog=examples("keys create"))
def create(
    name: Annotated[str, typer.Argument(help="name of the person or program that uses the key")],
    scope: Annotated[Literal["admin", "read"], typer.Option(help="read: ask and list; admin: everything")] = "read",
    most_in_flight: Annotated[
        int | None,
        typer.Option(min=0, help="requests at the same time; 0: no limit; without it: the service's setting"),
    ] = None,
    most_per_minute: Annotated[
        int | None, typer.Option(min=0, help="requests per minute; 0: no limit; else the service's setting")
    ] = None,
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it. It is shown once and stored nowhere. A running service accepts it within a second."""
    from app.http import keys

    key, secret = keys.create(library, name, scope, most_in_flight, most_per_minute)
    if as_json:
        print_json(_shown(key) | {"key": secret})
        return
    print(secret)
    revoking = f"echolens keys revoke {key.key_id} --library {library}"
    say(f"This key of scope {key.scope} is shown only once. To revoke it: {revoking}", err)


@app.command("list", epilog=examples("keys list"))
def list_command(library: LibraryOption = LIBRARY_DEFAULT, as_json: JsonOption = False) -> None:
    """List the keys of a library's service, oldest first. The keys themselves are stored nowhere."""
    from rich.markup import escape
    from rich.table import Table

    from app.http import keys
    from index.library import KEYS

    found = keys.load(library)
    if as_json:
        print_json([_shown(key) for key in found or ()])
        return
    if not found:
        revoked = f"All keys were revoked; delete {library / KEYS} to ask for none."
        say("There is no key." if found is None else revoked, err)
        return
    table = Table("id", "name", "scope", "created", "in flight", "per minute", box=None)
    for key in found:
        limits = ("" if limit is None else str(limit) for limit in (key.most_in_flight, key.most_per_minute))
        table.add_row(key.key_id, escape(key.name), key.scope, key.created_at, *limits)
    out.print(table)


@app.command(epilog=examples("keys revoke"))
def revoke(
    key_id: Annotated[str, typer.Argument(help="id of the key, from `echolens keys list`")],
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Revoke a key. A running service refuses it within a second."""
    from app.http import keys

    revoked = keys.revoke(library, key_id)
    if as_json:
        print_json(_shown(revoked))
    else:
        say(f"The key {revoked.key_id} of {revoked.name} is revoked.")


def _shown(key: Key) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "sha256"}
