"""echolens ingest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import (
    LIBRARY_DEFAULT,
    AudioTrackOption,
    ClusterOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    NewFrontEndOption,
)
from app.commands.terminal import MEDIUM, PARTLY, err, opened, print_json, progress, say, warn
from model.errors import NotAMedium, NotReadable, QueryError

if TYPE_CHECKING:
    from app.library.ingest import MakeReader, Outcome
    from app.library.listing import Listing


def ingest_command(
    paths: Annotated[list[Path], typer.Argument(help="files and directories")],
    library: LibraryOption = LIBRARY_DEFAULT,
    frontend: NewFrontEndOption = None,
    labels: Annotated[
        Path | None,
        typer.Option(exists=True, help="CSV with file,label[,event_start_s,event_end_s]; labels serve evaluation only"),
    ] = None,
    audio_track: AudioTrackOption = None,
    most_loss: Annotated[
        float,
        typer.Option(min=0, max=1, envvar="ECHOLENS_MOST_LOSS", help="share of a file that damage may take"),
    ] = 0.5,
    ray: ClusterOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Add footage to a library. You can stop it and run it again; a bad file is reported and skipped."""
    if absent := [str(path) for path in paths if _is_absent(path)]:
        raise NotAMedium(f"{', '.join(absent)}: there is no such file or directory; nothing was ingested")
    from app.library.examined import sort_out
    from app.library.ingest import Source, ingest
    from app.library.labels import of_files, read_labels
    from app.library.listing import NO_MEDIA, list_files
    from app.library.missing import mark_back, mark_gone, report, report_back
    from model.media.medium import FOOTAGE

    given = read_labels(labels) if labels else {}
    listing = list_files(paths)
    _check_found(listing, paths)
    annotations, unused = of_files(given, listing.files)
    if unused:
        err.print(f"The labels name {len(unused)} files that are not ingested now, such as {unused[0]}.")
    unread = _unread(listing)
    sources = [
        Source(f.path, f.path.name, annotations.get(f.path), listed=not f.named, audio_track=audio_track)
        for f in listing.files
    ]
    with _reading(ray) as make_reader, opened(library, device, frontend, create=True, fetch=True) as session:
        found = sort_out(session.library, sources)
        at_hand = (source.file_name for source in found.to_read)
        with progress(len(found.to_read), "ingest", next(at_hand, "")) as step:

            def done(outcome: Outcome) -> None:
                step(next(at_hand, ""))
                if outcome.state == "passed":
                    listing.passed.count(NO_MEDIA, outcome.path.name)
                if line := told(outcome):
                    say(f"{outcome.path.name}: {line}", err)

            limits = replace(FOOTAGE, most_loss=most_loss)
            outcomes = ingest(session, found.to_read, limits, done, make_reader=make_reader)
        back = mark_back(session.library, found.back)
        gone = mark_gone(session.library, [Path(os.path.abspath(path)) for path in paths if os.path.isdir(path)])
        untrained = session.library.catalogue.fingerprint is None
        warnings = () if untrained else session.warnings()
        begins = not untrained and session.encoder.checkpoint.training.get("videos") == 0
    counts = Counter(o.state for o in (*outcomes, *unread))
    counts["known"] += len(sources) - len(found.to_read)
    if as_json:
        failed = [asdict(o) for o in (*unread, *outcomes) if o.state == "failed"]
        notes = {o.path.name: o.note for o in outcomes if o.note}
        counted: dict[str, object] = {state: counts[state] for state in ("added", "known")}
        counted |= {"changing": [str(o.path) for o in outcomes if o.state == "changing"]}
        counted |= {"passed_over": dict(listing.passed.counts), "missing": [video.video_id for video in gone]}
        print_json(counted | {"failed": failed, "notes": notes, "untrained": untrained, "warnings": warnings})
    else:
        say(f"Files added: {counts['added']}, already in the library: {counts['known']}, failed: {counts['failed']}.")
        if counts["changing"]:
            say(f"Files that changed while they were read, and are taken next time: {counts['changing']}.")
        if line := str(listing.passed):
            say(line)
        if back:
            say(report_back(back))
        if gone:
            say(report(gone))
        if untrained:
            say(f"No model has been trained on this footage yet. Next: echolens train --library {library}")
        if begins and counts["added"] + counts["known"]:
            say(
                f"You can search it now. Training on it may make the answers better: echolens train --library {library}"
            )
        warn(warnings)
    if counts["failed"]:
        raise typer.Exit(PARTLY if counts["added"] + counts["known"] + counts["changing"] else MEDIUM)


@contextmanager
def _reading(cluster: str | None) -> Iterator[MakeReader | None]:
    """Join the cluster that is to read the files; None where this process does."""
    if cluster is None:
        yield None
        return
    from app.processes.cluster import joined

    with joined(cluster):
        from app.library.cluster_reading import ClusterReader

        yield ClusterReader


def _is_absent(path: Path) -> bool:
    """Say whether there is surely nothing at a path; where the rights hide it, reading it says so."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _check_found(listing: Listing, paths: list[Path]) -> None:
    """Raise where nothing is to be read: QueryError, or NotReadable where the rights forbid it."""
    if listing.files:
        return
    from app.library.listing import refusal

    if listing.unreadable:
        path, reason = listing.unreadable[0]
        raise NotReadable(refusal(str(path), reason))
    raise QueryError(f"no file found at {', '.join(map(str, paths))}; name files or directories of media")


def _unread(listing: Listing) -> list[Outcome]:
    """Tell which directories cannot be looked into; each is a failure."""
    from app.library.ingest import Outcome
    from app.library.listing import refusal

    unread = [
        Outcome(path, "failed", None, NotReadable.code, refusal(str(path), reason))
        for path, reason in listing.unreadable
    ]
    for outcome in unread:
        say(f"{outcome.code}: {outcome.detail}", err)
    return unread


def told(outcome: Outcome) -> str | None:
    """Return what a person should know of a file."""
    if outcome.state == "failed":
        return f"{outcome.code}: {outcome.detail}"
    return outcome.detail if outcome.state == "changing" else outcome.note
