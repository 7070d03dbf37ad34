"""echolens library stats | check | snapshot | restore | reencode."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.commands.terminal import (
    LIBRARY_DEFAULT,
    PARTLY,
    UNSOUND,
    DeviceOption,
    JsonOption,
    LibraryOption,
    opened,
    out,
    print_json,
    progress,
)
from app.library.check import check
from app.library.model_swap import reencode
from index import snapshot
from index.check import is_sound
from index.library import Library

app = typer.Typer(help="Look after a library.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look after a library."""


@app.command()
def stats(library: LibraryOption = LIBRARY_DEFAULT, as_json: JsonOption = False) -> None:
    """Count what a library holds, and list what could not be ingested."""
    with Library.open(library, create=False) as opened_library:
        counts = asdict(opened_library.catalogue.stats())
        failures = [asdict(f) for f in opened_library.catalogue.failures()]
        sizes = opened_library.sizes()
    if as_json:
        print_json(counts | {"size_bytes": sizes, "failures": failures})
        return
    table = Table(show_header=False, box=None)
    for name, value in counts.items():
        table.add_row(name, str(value))
    for name, size_bytes in sizes.items():
        table.add_row(f"{name} on disk", f"{size_bytes / 1e6:.1f} MB")
    out.print(table)
    for failure in failures:
        out.print(f"{failure['path']}: {failure['code']}: {failure['detail']}", markup=False, highlight=False)


@app.command("check")
def check_command(
    library: LibraryOption = LIBRARY_DEFAULT,
    media: Annotated[bool, typer.Option("--media", help="also read every original and compare its SHA-256")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with a library and what to do about it; nothing is changed."""
    with progress(None, "check") as step:
        findings = check(library, media, step)
    sound = is_sound(findings)
    if as_json:
        print_json({"sound": sound, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            _say(f"{finding.severity}: {finding.code}: {finding.detail}")
        _say("The library is sound." if sound else "The library needs repair.")
    if not sound:
        raise typer.Exit(UNSOUND)


@app.command("snapshot")
def snapshot_command(
    file: Annotated[Path, typer.Argument(help="where to; a plain tar")],
    library: LibraryOption = LIBRARY_DEFAULT,
    previews: Annotated[bool, typer.Option("--previews", help="take the seconds' frames and sounds along")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a library to one file, while it serves: catalogue, checkpoints, weights, uploads; no cache."""
    with progress(None, "snapshot") as step:
        taken = snapshot.take(library, file, previews, step)
    if as_json:
        print_json(asdict(taken) | {"file": str(file), "size_bytes": file.stat().st_size})
        return
    _say(f"{taken.videos} videos, model {taken.fingerprint}, in {file}: {file.stat().st_size / 1e6:.1f} MB.")
    if taken.in_place:
        _say(f"The files of {taken.in_place} videos lie outside of the library: they are not in it.")


@app.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(help="what `library snapshot` wrote")],
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Make a library of a snapshot, in a directory that is absent or empty."""
    with progress(None, "restore") as step:
        taken = snapshot.restore(file, library, step)
    if as_json:
        print_json(asdict(taken) | {"library": str(library)})
    else:
        _say(f"{taken.videos} videos as of {taken.created_at} are in {library}.")


@app.command("reencode")
def reencode_command(
    library: LibraryOption = LIBRARY_DEFAULT,
    checkpoint: Annotated[
        Path | None, typer.Option(help="of the same front-end; the one that serves, where none is given")
    ] = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="go on without videos whose features and files are gone")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Let another checkpoint serve a library: its latents are made anew beside the old ones and exchanged at once."""
    with opened(library, device) as session:
        videos = session.library.catalogue.stats().videos
        with progress(videos, "encode") as step:
            done = reencode(session, checkpoint, leave_out, step)
    if as_json:
        print_json(asdict(done))
    else:
        _say(f"{done.videos} videos were encoded by {done.before} and are now by {done.after}.")
        if done.left_out:
            _say(f"Left out, and found no more: {', '.join(done.left_out)}.")
    if done.left_out:
        raise typer.Exit(PARTLY)


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
