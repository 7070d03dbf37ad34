"""echolens demo."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import LIBRARY_DEFAULT, DeviceOption, JsonOption, LibraryOption
from app.commands.terminal import opened, out, print_json, progress
from model.frontends.names import OF_DRAWN_CLIPS

if TYPE_CHECKING:
    from app.library.ingest import Outcome

CLIPS = 112  # four of each kind
FIRST_SEED = 0  # the shipped model was trained on seeds from 1,000,000, and is evaluated on those from 500,000


def demo(
    library: LibraryOption = LIBRARY_DEFAULT,
    clips: Annotated[int, typer.Option(min=1, help="number of clips")] = CLIPS,
    first_seed: Annotated[int, typer.Option(min=0, help="seed of the first clip")] = FIRST_SEED,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Make a labelled demonstration library of generated clips. Clips that are there already stay."""
    from app.library.demonstration import make_demonstration

    with opened(library, device, OF_DRAWN_CLIPS, create=True) as session, progress(clips, "film") as step:

        def done(outcome: Outcome) -> None:
            step(outcome.path.name)

        outcomes = make_demonstration(session, clips, first_seed, done)
    counts = Counter(o.state for o in outcomes)
    if as_json:
        print_json({"added": counts["added"], "known": counts["known"], "failed": counts["failed"]})
    else:
        out.print(f"{counts['added']} clips made, {counts['known']} were there before, in {library}")
