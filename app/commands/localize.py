"""echolens localize."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.commands.options import LIBRARY_DEFAULT, AudioTrackOption, DeviceOption, JsonOption, LibraryOption
from app.commands.terminal import opened, out, print_json, tell, warn
from model.errors import QueryError

if TYPE_CHECKING:
    from app.queries.localization import Localization
    from app.queries.stored_localization import StoredLocalization

BAR = 40
DOUBTS = {"weak": "a weak match", "nothing": "nothing here fits well"}


def localize_command(
    direction: Annotated[Literal["a2v", "v2a"], typer.Option(help="a2v: heard, where is it seen? v2a: the reverse")],
    video: Annotated[Path | None, typer.Argument(help="the clip to search in, at most 60 s")] = None,
    video_id: Annotated[str | None, typer.Option(help="or a video of the library, of any length")] = None,
    from_s: Annotated[
        int | None, typer.Option("--from", help="of a video of the library: where the searched stretch begins, s")
    ] = None,
    length_s: Annotated[
        int | None, typer.Option("--for", help="and how long it is, at most 60 s; else to the end")
    ] = None,
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
    from app.queries.stored_localization import StoredLocalization
    from app.schemas.search import LocalizeAnswer
    from model.media.medium import Limits

    work: Localization | StoredLocalization
    if video_id is not None:
        _check_stored(video, audio_track)
        work = StoredLocalization(
            video_id, direction, from_s or 0, length_s, start, length, None, query, query_audio_track
        )
    else:
        clip = _clip(video, from_s, length_s)
        work = Localization(clip, direction, start, length, query, audio_track, query_audio_track)
    with opened(library, device) as session:
        found = LocalizeAnswer.of(answer(session, work, Limits()))
    if as_json:
        print_json(found.model_dump())
        return
    doubts = [DOUBTS[found.fit]] if found.fit in DOUBTS else []
    doubts += [] if found.stands_out else ["no window stands out"]
    said = f"  ({', '.join(doubts)})" if doubts else ""
    out.print(f"[bold]{found.start_s}-{found.end_s} s[/]{said}")
    for window in found.windows:
        bar = "█" * round(BAR * window.probability)
        distance = "   -  " if window.distance is None else f"{window.distance:6.3f}"
        out.print(f"{window.start_s:3d} s  {distance}  {window.probability:4.0%} {bar}", highlight=False)
    warn(found.warnings)
    tell(found.notes)


def _check_stored(video: Path | None, audio_track: int | None) -> None:
    """Refuse what does not go with --video-id. Raises QueryError."""
    if video is not None:
        raise QueryError(f"{video} and --video-id given, one place to search in expected: leave one of both out")
    if audio_track is not None:
        raise QueryError("--audio-track given with --video-id, whose sound track was chosen when it was taken in")


def _clip(video: Path | None, from_s: int | None, length_s: int | None) -> Path:
    """Return the file to search in. Raises QueryError where none is given, or what goes with --video-id alone."""
    if video is None:
        raise QueryError("no place to search in given: name a clip, or a video of the library by --video-id")
    if (from_s, length_s) != (None, None):
        raise QueryError(
            "--from or --for given without --video-id, which they belong to: a clip is searched as a whole"
        )
    return video
