"""The form fields of /retrieve and /retrieve/batch: a question, and one query or many."""

from __future__ import annotations

from typing import Any

from fastapi import UploadFile
from pydantic import ConfigDict, Field

from app.queries.query import Query
from app.queries.question import Question
from app.queries.retrieval import Retrieval
from app.settings import Settings
from model.errors import QueryError

MULTIPART = "multipart/form-data"


class QueryForm(Question):
    """Be a question in a form, before its query is known."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def retrieval(self, settings: Settings, **query: Any) -> Retrieval:
        """Return the question with a query: a `file` or a `segment_id`. Raises QueryError where k is too large."""
        if self.k > settings.most_hits:
            raise QueryError(f"k={self.k} given, at most {settings.most_hits} expected")
        question = Question.model_construct(**{name: getattr(self, name) for name in Question.model_fields})
        return Retrieval(question, Query(modality=self.query_modality, at_s=self.at_s, **query))


class AskedByOne(QueryForm):
    """Either a file or a second of the library is the query."""

    file: UploadFile | None = Field(None, description="a sound, picture or video as the query")
    segment_id: int | None = Field(None, description="a second of the library as the query")


class AskedByMany(QueryForm):
    """Files, seconds of the library, or both are the queries."""

    files: list[UploadFile] = Field([], description="sounds, pictures or videos as queries")
    segment_ids: list[int] = Field([], description="seconds of the library as queries")
