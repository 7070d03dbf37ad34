"""echolens localize."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands.options import LIBRARY_DEFAULT, AudioTrackOption, DeviceOption, JsonOption, LibraryOption
from app.commands.terminal import opened, out, print_json, tell, warn

BAR = 40


def localize_command(
    video: Annotated[Path, typer.Argument(help="the clip to search in")],
    direction: Annotated[Literal["a2v", "v2a"], typer.Option(help="a2v: heard, where is it seen? v2a: the reverse")],
    start: Annotated[int | None, typer.Option(help="the query begins here in the same clip, s")] = None,
    length: Annotated[int | None, typer.Option(help="and lasts so many seconds")] = None,
    query: Annotated[Path | None, typer.Option(help="or a second file is the query")] = None,
    audio_track: AudioTrackOption = None,
    query_audio_track: Annotated[int | None, typer.Option(min=1, help="likewise of the second file")] = None,
    library: LibraryOption = LIBRARY_DEFAULT,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find where in a clip one sees what one hears, or hears what one sees."""
    from app.queries.engine import answer  # brings torch
    from app.queries.localization import Localization
    from app.schemas.search import LocalizeAnswer
    from model.media.medium import Limits

    with opened(library, device) as session:
        work = Localization(video, direction, start, length, query, audio_track, query_audio_track)
        found = LocalizeAnswer.of(answer(session, work, Limits()))
    if as_json:
        print_json(found.model_dump())
        return
    best, chance = max(w.probability for w in found.windows), 1 / len(found.windows)
    doubt = "" if found.stands_out else f"  (no window stands out: {best:.0%}, chance {chance:.0%})"
    out.print(f"[bold]{found.start_s}-{found.end_s} s[/]{doubt}")
    for window in found.windows:
        bar = "█" * round(BAR * window.probability)
        distance = "   -  " if window.distance is None else f"{window.distance:6.3f}"
        out.print(f"{window.start_s:3d} s  {distance}  {window.probability:4.0%} {bar}", highlight=False)
    warn(found.warnings)
    tell(found.notes)
