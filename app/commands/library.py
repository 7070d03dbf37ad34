"""echolens library stats | check | snapshot | restore | reencode."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.commands.examples import examples
from app.commands.options import LIBRARY_DEFAULT, DeviceOption, JsonOption, LibraryOption, front_end_name
from app.commands.terminal import PARTLY, UNSOUND, opened, out, print_json, progress, say, warn

app = typer.Typer(help="Count, check, back up, restore or re-encode a library.", no_args_is_help=True)
NAMES = {
    "videos": "videos",
    "segments": "seconds",
    "audio_latents": "seconds that can be found by their sound",
    "visual_latents": "seconds that can be found by their picture",
    "failed": "files that could not be ingested",
    "labelled": "labelled videos",
    "duration_s": "total length (s)",
    "lossy": "videos of which a part could not be decoded",
    "loss_s": "lost of them (s)",
    "incomplete": "videos that have not been read to their end",
    "missing": "videos whose files went missing: not searched",
    "frontend": "front-end",
    "fingerprint": "fingerprint of the model",
    "catalogue_version": "version of the catalogue",
    "outdated": "videos that an older release decoded: ingest them again",
}


@app.command(epilog=examples("library stats"))
def stats(library: LibraryOption = LIBRARY_DEFAULT, as_json: JsonOption = False) -> None:
    """Count what a library holds, and list the files that could not be ingested."""
    from rich.table import Table

    from index.library import Library
    from model.media.medium import DECODING

    with Library.open(library, create=False) as opened_library:
        counts = asdict(opened_library.catalogue.stats())
        counts["outdated"] = len(opened_library.catalogue.outdated(DECODING))
        failures = [asdict(f) for f in opened_library.catalogue.failures()]
        sizes = opened_library.sizes()
    if as_json:
        print_json(counts | {"size_bytes": sizes, "failures": failures})
        return
    table = Table(show_header=False, box=None)
    for name, value in counts.items():
        table.add_row(NAMES[name], "none" if value is None else f"{value:.1f}" if name.endswith("_s") else str(value))
    for name, size_bytes in sizes.items():
        table.add_row(f"{name} on disk", f"{size_bytes / 1e6:.1f} MB")
    out.print(table)
    for failure in failures:
        say(f"{failure['path']}: {failure['code']}: {failure['detail']}")


@app.command("check", epilog=examples("library check"))
def check_command(
    library: LibraryOption = LIBRARY_DEFAULT,
    media: Annotated[bool, typer.Option("--media", help="also compare the SHA-256 of every original file")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with a library and what to do about it. Nothing is changed."""
    from app.library.check import check
    from index.check import is_sound

    with progress(None, "check") as step:
        findings = check(library, media, step)
    sound = is_sound(findings)
    if as_json:
        print_json({"sound": sound, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            say(f"{finding.severity}: {finding.code}: {finding.detail}")
        say("The library is sound." if sound else "The library needs repair.")
    if not sound:
        raise typer.Exit(UNSOUND)


@app.command("snapshot", epilog=examples("library snapshot"))
def snapshot_command(
    file: Annotated[Path, typer.Argument(help="tar file to write")],
    library: LibraryOption = LIBRARY_DEFAULT,
    previews: Annotated[bool, typer.Option("--previews", help="include the preview pictures and sounds")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a library to one file, also while it is served: catalogue, checkpoints, weights and uploads, no cache."""
    from index import snapshot

    with progress(None, "snapshot") as step:
        taken = snapshot.take(library, file, previews, step)
    if as_json:
        print_json(asdict(taken) | {"file": str(file), "size_bytes": file.stat().st_size})
        return
    say(f"{taken.videos} videos, model {taken.fingerprint}, in {file}: {file.stat().st_size / 1e6:.1f} MB.")
    if taken.in_place:
        say(f"The files of {taken.in_place} videos lie outside the library: the snapshot does not include them.")


@app.command("restore", epilog=examples("library restore"))
def restore_command(
    file: Annotated[Path, typer.Argument(exists=True, help="file that `echolens library snapshot` wrote")],
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Restore a library from a snapshot, into a new or empty directory."""
    from index import snapshot

    with progress(None, "restore") as step:
        taken = snapshot.restore(file, library, step)
    if as_json:
        print_json(asdict(taken) | {"library": str(library)})
    else:
        say(f"{taken.videos} videos as of {taken.created_at} are in {library}.")


@app.command("reencode", epilog=examples("library reencode"))
def reencode_command(
    library: LibraryOption = LIBRARY_DEFAULT,
    frontend: Annotated[
        str | None, typer.Option(callback=front_end_name, help="read the originals again with this front-end")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="checkpoint to use, of that front-end (default: the current one, else the front-end's first)"
        ),
    ] = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="leave out videos whose features and files are both gone")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Give a library another front-end or model. Searches use the old one until the new one is complete.

    You can stop it and run it again: features that were made are kept.
    """
    from app.library.model_swap import reencode

    with opened(library, device, fetch=True) as session:
        videos = session.library.catalogue.stats().videos
        with progress(videos, "encode") as step:
            done = reencode(session, checkpoint, leave_out, step, frontend)
        warnings = () if done.after is None else session.warnings()
    if as_json:
        print_json(asdict(done) | {"warnings": warnings})
    else:
        if done.after is None:
            say(f"{done.videos} videos were read with the front-end {done.frontend}, which has no model yet.")
            say(f"Next: echolens train --library {library}")
        else:
            say(f"{done.videos} videos were encoded with the model {done.after}; before: {done.before or 'none'}.")
        warn(warnings)
        if done.left_out:
            say(f"Left out, these can no longer be found: {', '.join(done.left_out)}.")
    if done.left_out:
        raise typer.Exit(PARTLY)
