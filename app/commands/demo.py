"""echolens demo."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from app.commands.terminal import (
    LIBRARY_DEFAULT,
    DeviceOption,
    JsonOption,
    LibraryOption,
    opened,
    out,
    print_json,
    progress,
)
from app.library.demonstration import CLIPS, FIRST_SEED, make_demonstration
from app.library.ingest import Outcome


def demo(
    library: LibraryOption = LIBRARY_DEFAULT,
    clips: Annotated[int, typer.Option(min=1, help="how many")] = CLIPS,
    first_seed: Annotated[int, typer.Option(min=0, help="the seed of the first")] = FIRST_SEED,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Make a labelled demonstration library of generated clips; what is there already stays."""
    with opened(library, device, create=True) as session, progress(clips, "film") as step:

        def done(outcome: Outcome) -> None:
            step(outcome.path.name)

        outcomes = make_demonstration(session, clips, first_seed, done)
    counts = Counter(o.state for o in outcomes)
    if as_json:
        print_json({"added": counts["added"], "known": counts["known"], "failed": counts["failed"]})
    else:
        out.print(f"{counts['added']} clips made, {counts['known']} there before, in {library}")
