"""echolens mcp."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from app.commands.terminal import OTHER, err, say

INSTALL = "python -m pip install 'echolens[mcp]'"


def mcp_command(
    url: Annotated[str, typer.Option(help="address of the service that is asked")] = "http://127.0.0.1:8000",
    files: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="directory whose files may be queries: whatever lies there may be sent to the service. May be given "
            "again. Without it, no file is read",
        ),
    ] = None,
) -> None:
    """Let an assistant search: an MCP server on standard input and output, which asks a running service.

    If the service needs a key, set ECHOLENS_API_KEY; scope read is enough.
    """
    if find_spec("mcp") is None:
        say(f"`echolens mcp` runs on the package mcp, which is not installed: {INSTALL}", err)
        raise typer.Exit(OTHER)
    _check_address(url)
    from echolens.mcp.server import make_server

    if sys.stdin.isatty():
        say("waiting for an assistant on standard input, which is what starts this command; Ctrl-D ends it", err)
    make_server(url, os.environ.get("ECHOLENS_API_KEY") or None, files or []).run()


def _check_address(url: str) -> None:
    """Refuse what is no address of a service, before an assistant asks it."""
    if "@" in url:  # the assistant is told the address, and so is who runs it; nor is it repeated here
        raise typer.BadParameter(
            "an address with a user name or password given, one without @ expected: a key goes into ECHOLENS_API_KEY",
            param_hint="--url",
        )
    try:
        address = urlsplit(url)
        is_address = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise typer.BadParameter(f"{url!r} given, such as http://127.0.0.1:8000 expected", param_hint="--url")
