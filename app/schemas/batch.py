"""What POST /retrieve/batch answers."""

from __future__ import annotations

from pydantic import Field

from app.schemas.answering import Answering
from app.schemas.problem import ProblemAnswer
from app.schemas.search import RetrieveAnswer


class BatchItem(Answering):
    """One query's answer, or the problem that it alone has."""

    file_name: str | None = Field(description="the file that was the query")
    segment_id: int | None = Field(description="or the second of the library")
    answer: RetrieveAnswer | None
    problem: ProblemAnswer | None


class BatchAnswer(Answering):
    """The answer of POST /retrieve/batch: the files in order, then the seconds in order."""

    items: list[BatchItem]
    failed: int
