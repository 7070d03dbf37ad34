"""echolens serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from pydantic import ValidationError

from app.server import create_app
from app.settings import Settings
from app.terminal import LIBRARY_DEFAULT, USAGE, DeviceOption, LibraryOption, err


def serve(
    library: LibraryOption = LIBRARY_DEFAULT,
    host: Annotated[str, typer.Option(envvar="ECHOLENS_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="ECHOLENS_PORT")] = 8000,
    device: DeviceOption = "auto",
) -> None:
    """Serve a library over HTTP; beyond loopback the key ECHOLENS_API_KEY is required."""
    try:
        settings = Settings(data=Path(library), host=host, port=port, device=device)
    except ValidationError as error:
        for problem in error.errors():
            err.print(problem["msg"].removeprefix("Value error, "), markup=False)
        raise typer.Exit(USAGE) from error
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, log_level="info")
