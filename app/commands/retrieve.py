"""echolens retrieve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands.terminal import LIBRARY_DEFAULT, DeviceOption, JsonOption, LibraryOption, opened, out, print_json


def retrieve_command(
    file: Annotated[Path, typer.Argument(help="a sound, picture or video")],
    target: Annotated[Literal["audio", "visual"], typer.Option(help="what to find")],
    query_modality: Annotated[Literal["audio", "visual"] | None, typer.Option(help="required for a video")] = None,
    at: Annotated[float | None, typer.Option(help="the second that holds it, else the first ten")] = None,
    k: Annotated[int, typer.Option(help="hits wanted")] = 10,
    label: Annotated[str | None, typer.Option()] = None,
    max_distance: Annotated[float | None, typer.Option()] = None,
    group_by: Annotated[Literal["segment", "video"], typer.Option()] = "segment",
    merge_adjacent: Annotated[
        bool, typer.Option("--merge-adjacent", help="one hit for neighbouring seconds among the k nearest")
    ] = False,
    library: LibraryOption = LIBRARY_DEFAULT,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find the seconds of a library whose look or sound fits a query best."""
    from rich.table import Table

    from app.queries.retrieval import Question, retrieve
    from app.schemas.search import RetrieveAnswer
    from model.media.medium import Limits

    question = Question(
        target=target,
        file=file,
        query_modality=query_modality,
        k=k,
        at_s=at,
        label=label,
        max_distance=max_distance,
        group_by=group_by,
        merge_adjacent=merge_adjacent,
    )
    with opened(library, device) as session:
        answer = RetrieveAnswer.of(retrieve(session, question, Limits()))
    if as_json:
        print_json(answer.model_dump())
        return
    table = Table("rank", "distance", "file", "second", "label", box=None)
    for hit in answer.hits:
        table.add_row(
            str(hit.rank), f"{hit.distance:.3f}", hit.file_name, f"{hit.start_s}-{hit.end_s}", hit.label or ""
        )
    out.print(table)
    search = answer.search
    proof = "exact" if search.certified else "not proved exact"
    out.print(
        f"{proof}: {search.examined} of {search.gallery_size} seconds scored; {answer.timings_ms['total']:.0f} ms"
    )
