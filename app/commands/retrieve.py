"""echolens retrieve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import LIBRARY_DEFAULT, DeviceOption, JsonOption, LibraryOption
from app.commands.question_options import takes_question
from app.commands.terminal import opened, out, print_json, warn
from app.queries.question import Question

if TYPE_CHECKING:
    from app.schemas.search import RetrieveAnswer

MOST_COLUMNS = 1000  # of a line


@takes_question
def retrieve_command(
    question: Question,
    file: Annotated[Path | None, typer.Argument(help="a sound, picture or video")] = None,
    segment_id: Annotated[int | None, typer.Option(help="a second of the library in place of a file")] = None,
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

    query = Query(file, segment_id, question.query_modality, question.at_s)
    with opened(library, device) as session:
        hits = answer(session, Retrieval(question, query), Limits())
        shown = RetrieveAnswer.of(hits, session.library.locate)
    if as_json:
        print_json(shown.model_dump())
    else:
        _show(shown)
        warn(shown.warnings)


def _show(answer: RetrieveAnswer) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("rank", "distance", "file", "second", "label", "path", box=None)
    for hit in answer.hits:
        second = f"{hit.start_s}-{hit.end_s}"
        table.add_row(str(hit.rank), f"{hit.distance:.3f}", hit.file_name, second, hit.label or "", hit.file_path or "")
    Console(width=MOST_COLUMNS).print(table)  # a path is of no use when it is cut
    search = answer.search
    proof = "exact" if search.certified else "not proved exact"
    out.print(
        f"{proof}: {search.examined} of {search.gallery_size} seconds scored; {answer.timings_ms['total']:.0f} ms"
    )
