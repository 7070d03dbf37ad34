"""The form fields of /retrieve and /retrieve/batch: a question, and one query or many."""

from __future__ import annotations

from pathlib import Path

from fastapi import UploadFile
from pydantic import ConfigDict, Field

from app.media.upload import SmallUpload
from app.queries.query import Query
from app.queries.question import Question
from app.settings import Settings
from model.errors import QueryError

MULTIPART = "multipart/form-data"


class QueryForm(Question):
    """Be a question in a form, before its query is known."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def question(self, settings: Settings) -> Question:
        """Return the question alone, without files. Raises QueryError where k is too large."""
        if self.k > settings.most_hits:
            raise QueryError(f"k={self.k} given, at most {settings.most_hits} expected")
        return Question.model_construct(**{name: getattr(self, name) for name in Question.model_fields})

    def query(
        self, file: Path | SmallUpload | None = None, segment_id: int | None = None, text: str | None = None
    ) -> Query:
        """Return a query of the question."""
        return Query(
            file,
            segment_id,
            self.query_modality,
            self.at_s,
            self.length_s,
            text=text,
            audio_track=self.audio_track,
        )


class AskedByOne(QueryForm):
    """A file, a second of the library or a text is the query."""

    file: UploadFile | None = Field(None, description="a sound, picture or video as the query")
    segment_id: int | None = Field(None, description="a second of the library as the query")
    text: str | None = Field(
        None,
        description="words as the query; where the library `knows_concepts`, `not` before a word excludes it",
        examples=["dog barking", "dog barking, not rain"],
    )


class AskedByMany(QueryForm):
    """Files, seconds of the library, or both are the queries."""

    files: list[UploadFile] = Field([], description="sounds, pictures or videos as queries")
    segment_ids: list[int] = Field([], description="seconds of the library as queries")
