"""echolens ingest."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands.terminal import (
    LIBRARY_DEFAULT,
    MEDIUM,
    PARTLY,
    DeviceOption,
    JsonOption,
    LibraryOption,
    err,
    opened,
    out,
    print_json,
    progress,
)
from app.library.ingest import Outcome, Source, find_files, ingest
from app.library.labels import read_labels
from model.errors import QueryError
from model.media.medium import FOOTAGE


def ingest_command(
    paths: Annotated[list[Path], typer.Argument(help="files and directories")],
    library: LibraryOption = LIBRARY_DEFAULT,
    frontend: Annotated[Literal["raw", "pretrained"] | None, typer.Option(help="of a new library")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV file,label[,event_start_s,event_end_s], for evaluation alone")
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Take footage into a library; it may be stopped and run again, a bad file is reported and skipped."""
    annotations = read_labels(labels) if labels else {}
    files = find_files(paths)
    if not files:
        raise QueryError(f"no file found at {', '.join(map(str, paths))}; name files or directories of media")
    unused = set(annotations) - set(files)
    if unused:
        err.print(f"{len(unused)} labelled files are not among those given, such as {sorted(unused)[0]}")
    sources = [Source(path, path.name, annotations.get(path)) for path in files]
    with opened(library, device, frontend, create=True) as session:
        with progress(len(sources), "ingest") as step:

            def done(outcome: Outcome) -> None:
                step(outcome.path.name)
                if outcome.note:
                    err.print(f"{outcome.path.name}: {outcome.note}", markup=False, highlight=False)
                if outcome.state == "failed":
                    err.print(
                        f"{outcome.path.name}: {outcome.code}: {outcome.detail}",
                        markup=False,
                        highlight=False,
                    )

            outcomes = ingest(session, sources, FOOTAGE, done)
        untrained = session.library.catalogue.fingerprint is None
    counts = Counter(o.state for o in outcomes)
    if as_json:
        failed = [asdict(o) for o in outcomes if o.state == "failed"]
        notes = {o.path.name: o.note for o in outcomes if o.note}
        counted = {state: counts[state] for state in ("added", "known")}
        print_json(counted | {"failed": failed, "notes": notes, "untrained": untrained})
    else:
        out.print(f"{counts['added']} added, {counts['known']} known before, {counts['failed']} failed")
        if untrained:
            out.print(f"No model has learnt this footage yet; next: echolens train --library {library}")
    if counts["failed"]:
        raise typer.Exit(MEDIUM if counts["failed"] == len(outcomes) else PARTLY)
