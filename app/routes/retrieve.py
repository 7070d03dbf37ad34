"""POST /retrieve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.routing import APIRoute

from app.http.answers import written_as_it_is
from app.http.forms import plain_form
from app.http.route_table import needs
from app.http.uploads import query_file
from app.media.spreadsheet import written_csv
from app.queries.retrieval import Hits, Retrieval
from app.routes.query_form import MULTIPART, AskedByOne
from app.schemas.search import HitAnswer, Locate, RetrieveAnswer, retrieve_answer
from app.service import Current, current


class OfPlainForms(APIRoute):
    """Answer a plain form at once; the framework reads any other, and describes the route."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        by_framework = super().get_route_handler()

        async def handle(request: Request) -> Response:
            asked = await plain_form(request, AskedByOne)
            if asked is None:
                return await by_framework(request)
            return await post_retrieve(await current(request), request, asked)

        return handle


router = APIRouter(tags=["search"], route_class=OfPlainForms)
MANY = 100  # hits: to write down a thousand takes 37 ms, which is done beside the event loop
CSV_COLUMNS = (
    "rank",
    "segment_id",
    "video_id",
    "file_name",
    "start_s",
    "end_s",
    "distance",
    "label",
    "file_path",
    "match",
)


@router.post(
    "/retrieve",
    form_limits={"max_files": 1},
    response_model=RetrieveAnswer,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
@needs("read", cost="question")
async def post_retrieve(
    service: Current,
    request: Request,
    asked: Annotated[AskedByOne, Form(media_type=MULTIPART)],
) -> Response:
    """Find the seconds whose look or sound fits a query best; `Accept: text/csv` gives the hits as CSV."""
    question = asked.question(service.settings)  # refused before its file is kept
    service.check_folder(request, question.folder)
    async with query_file(asked.file, service.scratch) as file:
        work = Retrieval(question, asked.query(file, asked.segment_id, asked.text))
        hits = await service.answer(request, service.pipeline.retrieve(work))
    as_csv = "text/csv" in request.headers.get("accept", "")
    locate = service.shown_paths(request)
    if len(hits.hits) > MANY:
        return await asyncio.to_thread(_written, hits, locate, as_csv)
    return _written(hits, locate, as_csv)


def _written(hits: Hits, locate: Locate | None, as_csv: bool) -> Response:
    if not as_csv:
        return written_as_it_is(retrieve_answer(hits, locate))
    shown = RetrieveAnswer.of(hits, locate)
    said = [*shown.warnings, *shown.notes]
    headers = {"Warning": ", ".join(f'299 echolens "{text}"' for text in said)}  # RFC 7234, 5.5
    return Response(_csv(shown), media_type="text/csv", headers=headers if said else None)


def _in_words(hit: HitAnswer) -> str:
    return "; ".join(f"{reason.concept} {reason.strength:.2f}" for reason in hit.reasons)


def _csv(answer: RetrieveAnswer) -> str:
    rows = ((*(getattr(hit, column) for column in CSV_COLUMNS), _in_words(hit)) for hit in answer.hits)
    return written_csv((*CSV_COLUMNS, "reasons"), rows)
