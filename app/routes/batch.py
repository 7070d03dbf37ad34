"""POST /retrieve/batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile
from pydantic import Field

from app.http.answers import written
from app.http.problems import problem_of
from app.http.route_table import needs
from app.http.uploads import query_file
from app.queries.batch_retrieval import retrieve_batch
from app.queries.retrieval import Answer, Question
from app.routes.query_form import MULTIPART, QueryForm
from app.schemas.batch import BatchAnswer, BatchItem
from app.schemas.search import RetrieveAnswer
from app.service import Current
from app.settings import MOST_BATCH
from model.errors import EcholensError, QueryError

MOST_HITS_IN_ALL = 10_000
router = APIRouter(tags=["search"])


class BatchForm(QueryForm):
    """Files, seconds of the library, or both are the queries."""

    files: list[UploadFile] = Field([], description="sounds, pictures or videos as queries")
    segment_ids: list[int] = Field([], description="seconds of the library as queries")


@router.post("/retrieve/batch", form_limits={"max_files": MOST_BATCH}, response_model=BatchAnswer)
@needs("read", cost="question")
async def post_batch(
    service: Current,
    request: Request,
    asked: Annotated[BatchForm, Form(media_type=MULTIPART)],
) -> Response:
    """Retrieve for several queries alike; each gets its answer or its own problem, and none fails another."""
    question, files, segment_ids = asked.question(service.settings), asked.files, asked.segment_ids
    most, given = service.settings.most_batch, len(files) + len(segment_ids)
    if not 1 <= given <= most:
        raise QueryError(f"{given} queries given, 1 to {most} expected: give files, segment_ids or both")
    if given * question.k > MOST_HITS_IN_ALL:
        raise QueryError(
            f"{given} queries of k={question.k} given, at most {MOST_HITS_IN_ALL} hits in all expected: ask for fewer"
        )
    async with AsyncExitStack() as held:
        paths = [await held.enter_async_context(query_file(file, service.scratch)) for file in files]
        questions = [replace(question, file=path) for path in paths]
        questions += [replace(question, segment_id=segment_id) for segment_id in segment_ids]
        outcomes = await service.answer(request, retrieve_batch(service.pipeline, questions))
    return await asyncio.to_thread(_written, questions, outcomes)


def _written(questions: Sequence[Question], outcomes: Sequence[Answer | EcholensError]) -> Response:
    items = list(map(_item, questions, outcomes))
    return written(BatchAnswer(items=items, failed=sum(item.problem is not None for item in items)))


def _item(question: Question, outcome: Answer | EcholensError) -> BatchItem:
    return BatchItem(
        file_name=question.file.name if question.file else None,
        segment_id=question.segment_id,
        answer=RetrieveAnswer.of(outcome) if isinstance(outcome, Answer) else None,
        problem=None if isinstance(outcome, Answer) else problem_of(outcome),
    )
