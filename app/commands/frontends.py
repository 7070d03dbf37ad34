"""echolens frontends list | pull | start."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.commands.examples import examples
from app.commands.options import LIBRARY_DEFAULT, JsonOption, LibraryOption
from app.commands.terminal import err, out, print_json, say, warn
from model.errors import FrontEndError

app = typer.Typer(help="List the front-ends and fetch the weights that they need.", no_args_is_help=True)


@app.command("list", epilog=examples("frontends list"))
def list_command(library: LibraryOption = LIBRARY_DEFAULT, as_json: JsonOption = False) -> None:
    """List the front-ends, also those of installed packages, and say which are ready for use with a library."""
    from model.frontends.entry_points import described
    from model.frontends.names import all_names, hidden_entry_points

    lacks = {name: _lack(name, library / "frontends") for name in all_names()}
    if as_json:
        print_json([{"name": name, "ready": lack is None} for name, lack in lacks.items()])
    else:
        for name, lack in lacks.items():
            say(f"{name:12s} {lack or 'ready'}")
    warn(f"the front-end {described(p)} is never used: a built-in one has its name" for p in hidden_entry_points())


@app.command("pull", epilog=examples("frontends pull"))
def pull_command(
    library: LibraryOption = LIBRARY_DEFAULT,
    source: Annotated[
        Path | None,
        typer.Option("--from", exists=True, help="directory that holds the files; without it they are downloaded"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the weights of the front-end `pretrained` into a library. Their checksums must be the pinned ones."""
    from index.library import Library
    from model.frontends.weights import pull

    with Library.open(library) as opened:
        files = pull(opened.frontends, source, partial(say, console=err))
    if as_json:
        print_json([{"file": str(path), "bytes": path.stat().st_size} for path in files])
    else:
        out.print(f"In place: {', '.join(path.name for path in files)}")


@app.command("start", epilog=examples("frontends start"))
def start_command(
    save: Annotated[Path, typer.Option("--out", help="where to write the checkpoint")],
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Write the starting model of `pretrained`, made of names alone. A new library has it; training begins there."""
    from app.library.default_model import first_model
    from model.frontends.registry import make_front_end

    checkpoint = first_model(make_front_end("pretrained", library / "frontends"))
    assert checkpoint is not None, "this front-end has a prior"
    path = checkpoint.save(save)
    if as_json:
        print_json({"file": str(path), "fingerprint": checkpoint.fingerprint})
    else:
        out.print(
            f"{path}: the starting model {checkpoint.fingerprint}. Use it: echolens library reencode --checkpoint"
        )


def _lack(name: str, directory: Path) -> FrontEndError | None:
    """Return why a front-end cannot be used. Those of packages are made and checked; built-in ones have their files."""
    from model.frontends.pe_av_files import REPOSITORIES, located
    from model.frontends.published import DIRECTORY, VGG19, VGGISH, read_published
    from model.frontends.registry import make_front_end
    from model.frontends.weights import EFFICIENTNET, YAMNET, installed, verified

    try:
        if name == "pretrained":
            verified(directory, YAMNET)
            installed(EFFICIENTNET)
        elif name == "paper":
            for file in (VGGISH, VGG19):
                read_published(directory / DIRECTORY, file)
        elif name in REPOSITORIES:
            located(name, directory)
        elif name != "raw":
            make_front_end(name, directory, keep=False)
    except FrontEndError as error:
        return error
    return None
