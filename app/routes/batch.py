"""POST /retrieve/batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.http.answers import written
from app.http.problems import problem_of
from app.http.route_table import needs
from app.http.uploads import query_file
from app.queries.query import Query
from app.queries.retrieval import Hits, Retrieval
from app.routes.query_form import MULTIPART, AskedByMany
from app.schemas.batch import BatchAnswer, BatchItem
from app.schemas.search import Locate, RetrieveAnswer
from app.service import Current
from app.settings import MOST_BATCH
from model.errors import EcholensError, QueryError

MOST_HITS_IN_ALL = 10_000
router = APIRouter(tags=["search"])


@router.post("/retrieve/batch", form_limits={"max_files": MOST_BATCH}, response_model=BatchAnswer)
@needs("read", cost="question")
async def post_batch(
    service: Current,
    request: Request,
    asked: Annotated[AskedByMany, Form(media_type=MULTIPART)],
) -> Response:
    """Retrieve for several queries alike; each gets its answer or its own problem, and none fails another."""
    question = asked.question(service.settings)  # refused before its files are kept
    service.check_folder(request, question.folder)
    most, given = service.settings.most_batch, len(asked.files) + len(asked.segment_ids)
    if not 1 <= given <= most:
        raise QueryError(f"{given} queries given, 1 to {most} expected: give files, segment_ids or both")
    if given * asked.k > MOST_HITS_IN_ALL:
        raise QueryError(
            f"{given} queries of k={asked.k} given, at most {MOST_HITS_IN_ALL} hits in all expected: ask for fewer"
        )
    async with AsyncExitStack() as held:
        files = [await held.enter_async_context(query_file(file, service.scratch)) for file in asked.files]
        queries = [asked.query(file) for file in files]
        queries += [asked.query(segment_id=segment_id) for segment_id in asked.segment_ids]
        works = [Retrieval(question, query) for query in queries]
        outcomes = await service.answer(request, service.pipeline.retrieve_all(works))
    return await asyncio.to_thread(_written, works, outcomes, service.shown_paths(request))


def _written(works: Sequence[Retrieval], outcomes: Sequence[Hits | EcholensError], locate: Locate | None) -> Response:
    items = [_item(work.query, outcome, locate) for work, outcome in zip(works, outcomes, strict=True)]
    return written(BatchAnswer(items=items, failed=sum(item.problem is not None for item in items)))


def _item(query: Query, outcome: Hits | EcholensError, locate: Locate | None) -> BatchItem:
    return BatchItem(
        file_name=query.file.name if query.file else None,
        segment_id=query.segment_id,
        answer=RetrieveAnswer.of(outcome, locate) if isinstance(outcome, Hits) else None,
        problem=None if isinstance(outcome, Hits) else problem_of(outcome),
    )
