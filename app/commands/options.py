"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model.frontends.names import all_names, is_known
from model.network.device import DeviceName

LIBRARY_DEFAULT = Path("data")
LibraryOption = Annotated[Path, typer.Option("--library", envvar="ECHOLENS_DATA", help="directory of the library")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]
DeviceOption = Annotated[
    DeviceName, typer.Option("--device", envvar="ECHOLENS_DEVICE", help="auto uses CUDA if there is a CUDA device")
]
AudioTrackOption = Annotated[
    int | None,
    typer.Option("--audio-track", min=1, help="which sound track of a file, counted from 1; else the default one"),
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--ray", help="work on the Ray cluster at HOST:PORT; auto: this machine's; local: begin one"),
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="random seed; the same seed on the same machine gives the same figures")
]


def front_end_name(name: str | None) -> str | None:
    """Return the name of a front-end that is built in or that an installed package offers; else it is wrong usage."""
    if name is None or is_known(name):
        return name
    raise typer.BadParameter(f"{name!r} given, one of {', '.join(all_names())} expected")


NewFrontEndOption = Annotated[
    str | None,
    typer.Option("--frontend", callback=front_end_name, help="front-end of a new library; else pretrained"),
]
