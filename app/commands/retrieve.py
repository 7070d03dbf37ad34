"""echolens retrieve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import LIBRARY_DEFAULT, DeviceOption, JsonOption, LibraryOption
from app.commands.question_options import takes_question
from app.commands.terminal import opened, out, print_json, say, tell, warn
from app.queries.question import Question

if TYPE_CHECKING:
    from app.schemas.search import RetrieveAnswer

MOST_COLUMNS = 1000  # of a line


@takes_question
def retrieve_command(
    question: Question,
    file: Annotated[Path | None, typer.Argument(help="a sound, picture or video")] = None,
    segment_id: Annotated[int | None, typer.Option(help="a second of the library in place of a file")] = None,
    text: Annotated[
        str | None, typer.Option(help="words in place of a file; with pretrained, `not` before a word excludes it")
    ] = None,
    library: LibraryOption = LIBRARY_DEFAULT,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find the seconds of a library whose look or sound fits a query best."""
    from app.queries.engine import answer  # brings torch
    from app.queries.query import Query
    from app.queries.retrieval import Retrieval
    from app.schemas.search import RetrieveAnswer
    from model.media.medium import Limits

    query = Query(
        file,
        segment_id,
        question.query_modality,
        question.at_s,
        question.length_s,
        text=text,
        audio_track=question.audio_track,
    )
    if question.folder is not None:
        question = question.model_copy(update={"folder": os.path.realpath(question.folder)})  # as files are kept
    with opened(library, device) as session:
        hits = answer(session, Retrieval(question, query), Limits())
        shown = RetrieveAnswer.of(hits, session.library.path_text)
    if as_json:
        print_json(shown.model_dump())
    else:
        _show(shown)
        warn(shown.warnings)
        tell(shown.notes)


def _show(answer: RetrieveAnswer) -> None:
    from rich.console import Console
    from rich.table import Table

    if answer.verdict == "nothing":
        say("nothing here matches; the nearest are:" if answer.hits else "nothing here matches")
    hits = answer.hits
    columns = {
        "rank": [str(hit.rank) for hit in hits],
        "distance": [f"{hit.distance:.3f}" for hit in hits],
        "match": ["" if hit.match is None else f"{hit.match:.0%}" for hit in hits],
        "file": [hit.file_name for hit in hits],
        "second": [f"{hit.start_s}-{hit.end_s}" for hit in hits],
        "copies": [str(len(hit.twins) or "") for hit in hits],
        "shares": [", ".join(reason.concept for reason in hit.reasons) for hit in hits],
        "label": [hit.label or "" for hit in hits],
        "path": [hit.file_path or "" for hit in hits],
    }
    for unknown in [name for name in ("match", "copies", "shares") if not any(columns[name])]:
        del columns[unknown]
    table = Table(*columns, box=None)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    Console(width=MOST_COLUMNS).print(table)  # a path is of no use when it is cut
    search = answer.search
    proof = "exact" if search.certified else "not proved exact"
    out.print(
        f"{proof}: {search.examined} of {search.gallery_size} seconds scored; {answer.timings_ms['total']:.0f} ms"
    )
