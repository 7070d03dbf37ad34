"""echolens ingest."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import LIBRARY_DEFAULT, AudioTrackOption, DeviceOption, JsonOption, LibraryOption
from app.commands.terminal import MEDIUM, PARTLY, err, opened, print_json, progress, say, warn
from model.errors import NotAMedium, QueryError
from model.frontends.names import FrontEndName

if TYPE_CHECKING:
    from app.library.ingest import Outcome


def ingest_command(
    paths: Annotated[list[Path], typer.Argument(help="files and directories")],
    library: LibraryOption = LIBRARY_DEFAULT,
    frontend: Annotated[FrontEndName | None, typer.Option(help="front-end of a new library; else pretrained")] = None,
    labels: Annotated[
        Path | None,
        typer.Option(exists=True, help="CSV with file,label[,event_start_s,event_end_s]; labels serve evaluation only"),
    ] = None,
    audio_track: AudioTrackOption = None,
    most_loss: Annotated[
        float,
        typer.Option(min=0, max=1, envvar="ECHOLENS_MOST_LOSS", help="share of a file that damage may take"),
    ] = 0.5,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Add footage to a library. You can stop it and run it again; a bad file is reported and skipped."""
    if missing := [str(path) for path in paths if not os.path.exists(path)]:
        raise NotAMedium(f"{', '.join(missing)}: there is no such file or directory; nothing was ingested")
    from app.library.ingest import Source, find_files, ingest
    from app.library.labels import read_labels
    from model.media.medium import FOOTAGE

    annotations = read_labels(labels) if labels else {}
    files = find_files(paths)
    if not files:
        raise QueryError(f"no file found at {', '.join(map(str, paths))}; name files or directories of media")
    unused = set(annotations) - set(files)
    if unused:
        err.print(f"The labels name {len(unused)} files that are not ingested now, such as {sorted(unused)[0]}.")
    sources = [Source(path, path.name, annotations.get(path), audio_track=audio_track) for path in files]
    with opened(library, device, frontend, create=True, fetch=True) as session:
        with progress(len(sources), "ingest") as step:

            def done(outcome: Outcome) -> None:
                step(outcome.path.name)
                if outcome.note:
                    say(f"{outcome.path.name}: {outcome.note}", err)
                if outcome.state == "failed":
                    say(f"{outcome.path.name}: {outcome.code}: {outcome.detail}", err)

            outcomes = ingest(session, sources, replace(FOOTAGE, most_loss=most_loss), done)
        untrained = session.library.catalogue.fingerprint is None
        warnings = () if untrained else session.warnings()
        begins = not untrained and session.encoder.checkpoint.training.get("videos") == 0
    counts = Counter(o.state for o in outcomes)
    if as_json:
        failed = [asdict(o) for o in outcomes if o.state == "failed"]
        notes = {o.path.name: o.note for o in outcomes if o.note}
        counted = {state: counts[state] for state in ("added", "known")}
        print_json(counted | {"failed": failed, "notes": notes, "untrained": untrained, "warnings": warnings})
    else:
        say(f"Files added: {counts['added']}, already in the library: {counts['known']}, failed: {counts['failed']}.")
        if untrained:
            say(f"No model has been trained on this footage yet. Next: echolens train --library {library}")
        if begins and counts["added"] + counts["known"]:
            say(
                f"You can search it now. Training on it may make the answers better: echolens train --library {library}"
            )
        warn(warnings)
    if counts["failed"]:
        raise typer.Exit(MEDIUM if counts["failed"] == len(outcomes) else PARTLY)
