"""echolens videos list | label | delete."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.commands.examples import examples
from app.commands.options import LIBRARY_DEFAULT, JsonOption, LibraryOption
from app.commands.terminal import USAGE, err, out, print_json, say

app = typer.Typer(help="List, label and delete the videos of a library.", no_args_is_help=True)


@app.command("list", epilog=examples("videos list"))
def list_command(
    label: Annotated[str | None, typer.Option(help="only videos with this label")] = None,
    search: Annotated[str | None, typer.Option("--search", "--q", help="only files with this in their name")] = None,
    limit: Annotated[int, typer.Option(min=1, help="most videos to list")] = 100,
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """List videos in the order in which they were added."""
    from rich.markup import escape
    from rich.table import Table

    from app.http.cursor import Cursor
    from app.schemas.videos import VideosAnswer
    from index.library import Library
    from index.paging import Choice

    choice = Choice(label, search)
    with Library.open(library, create=False) as opened:
        page = opened.catalogue.page(limit, choice=choice)
    following = str(Cursor(page.following, choice)) if page.following else None
    answer = VideosAnswer.of(page, following)
    if as_json:
        print_json(answer.model_dump())
        return
    table = Table("id", "file", "seconds", "label", "event", box=None)
    for video in answer.videos:
        event = "" if video.event_start_s is None else f"{video.event_start_s:g}-{video.event_end_s:g} s"
        table.add_row(
            video.video_id, escape(video.file_name), f"{video.duration_s:.0f}", escape(video.label or ""), event
        )
    out.print(table)
    say(f"{len(answer.videos)} of {answer.total} videos; --limit shows more" if following else f"{answer.total} videos")


@app.command("label", epilog=examples("videos label"))
def label_command(
    video_id: Annotated[str, typer.Argument(help="id of the video, from `echolens videos list`")],
    label: Annotated[str | None, typer.Argument(help="new label")] = None,
    event_start: Annotated[float | None, typer.Option(help="where the labelled event begins, in seconds")] = None,
    event_end: Annotated[float | None, typer.Option(help="where it ends, in seconds")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="remove the label and the event")] = False,
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Replace the label of a video, and the event in it. Labels serve evaluation and filters, never training."""
    from app.library.labels import checked_annotation
    from app.schemas.videos import VideoAnswer
    from index.library import Library

    if clear == bool(label):
        raise typer.BadParameter("give either a label or --clear", param_hint="LABEL")
    if (event_start is None) != (event_end is None):
        raise typer.BadParameter("give both or neither", param_hint="--event-start, --event-end")
    new = checked_annotation(video_id, label, event_start, event_end, video_id)
    with Library.open(library, create=False) as opened:
        video = opened.catalogue.update_labels(video_id, new.label, new.event_start_s, new.event_end_s)
    if as_json:
        print_json(VideoAnswer.of(video).model_dump())
    else:
        say(f"{video.file_name} now has {f'the label {video.label}' if video.label else 'no label'}.")


@app.command("delete", epilog=examples("videos delete"))
def delete_command(
    video_ids: Annotated[list[str], typer.Argument(help="ids of the videos, from `echolens videos list`")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")] = False,
    library: LibraryOption = LIBRARY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Delete videos from a library. Uploaded files are deleted too; files that were ingested in place stay."""
    from app.library.videos import delete_video
    from index.library import Library

    ids = list(dict.fromkeys(video_ids))
    with Library.open(library, create=False) as opened:
        videos = [opened.catalogue.video(video_id) for video_id in ids]  # a mistyped id deletes nothing
        if not yes:
            for video in videos:
                fate = "its uploaded file is deleted too" if video.uploaded else "its file stays where it is"
                say(f"{video.video_id} {video.file_name}: {fate}", err)
            if not typer.confirm(f"Delete {len(videos)} videos from {library}?", err=True):
                err.print("Nothing was deleted.")
                raise typer.Exit(USAGE)
        deleted: list[dict[str, Any]] = [
            {"video_id": video_id, "file_deleted": delete_video(opened, video_id).uploaded} for video_id in ids
        ]
    if as_json:
        print_json({"deleted": deleted})
        return
    say(f"{len(deleted)} videos were deleted.")
    if stay := sum(not video["file_deleted"] for video in deleted):
        say(f"The files of {stay} of them stay where they are: they were ingested in place.")
