"""echolens serve."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import LIBRARY_DEFAULT, DeviceOption, LibraryOption
from app.commands.terminal import USAGE, err, say

if TYPE_CHECKING:
    from app.settings import Settings

SWITCH_S = 0.0005  # threads hand over ten times as often as by default: many here wait for a moment's work
GARBAGE = 10_000  # objects that come and stay before some are looked through: a question makes hundreds


def _check_free(settings: Settings) -> None:
    """Say that a port is taken before everything is loaded for nothing."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            err.print(
                f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}): choose another --port"
            )
            raise typer.Exit(USAGE) from error


def serve(
    library: LibraryOption = LIBRARY_DEFAULT,
    host: Annotated[str, typer.Option(envvar="ECHOLENS_HOST", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="ECHOLENS_PORT", help="port to listen on")] = 8000,
    device: DeviceOption = "auto",
) -> None:
    """Serve a library over HTTP. On any address but loopback, clients need a key (`echolens keys create`)."""
    from pydantic import ValidationError

    from app.processes.scratch import use_scratch
    from app.settings import Settings
    from app.telemetry.logs import configure_logs
    from index.rights import demand_rights

    demand_rights(Path(library))
    try:
        settings = Settings(data=Path(library), host=host, port=port, device=device)
    except ValidationError as error:
        for problem in error.errors():
            name = "".join(f"ECHOLENS_{part}".upper() for part in problem["loc"])
            given = f"{name}={problem['input']} given: " if name else ""
            say(given + problem["msg"].removeprefix("Value error, "), err)
        raise typer.Exit(USAGE) from error
    _check_free(settings)
    configure_logs(settings.log)
    signal.signal(signal.SIGTERM, _end)
    use_scratch()
    # Of its children: what their threads free is used again, what CUDA compiles for a card is kept with the library.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.environ.setdefault("CUDA_CACHE_PATH", str(settings.data.absolute() / "cache" / "cuda"))
    _run(settings)


def _end(*_: object) -> None:
    """End as SIGTERM does, but tidily: uvicorn, once it has stopped, sends itself the signal again."""
    raise SystemExit(128 + signal.SIGTERM)


def _forget_main() -> None:
    """Let no process that the service starts import the command line first: each runs functions of modules."""
    main = sys.modules["__main__"]
    main.__spec__ = None
    vars(main).pop("__file__", None)


def _run(settings: Settings) -> None:
    import uvicorn

    from app.server import create_app

    _forget_main()
    app = create_app(settings)
    app.openapi()  # takes a fifth of a second: now, rather than between two questions
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()  # what is imported is never garbage: without it a full collection stops everything for a quarter second
    gc.set_threshold(GARBAGE)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="asyncio",  # it accepts all that wait to be; uvloop one connection a turn, which makes a crowd wait
        timeout_graceful_shutdown=45,  # then what is still being sent is cut off, and jobs get their time to end
        log_config=None,  # ours: a line per request, without its query
        access_log=False,
    )
