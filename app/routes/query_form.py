"""What is asked of every query alike, one or many: the form fields of /retrieve and /retrieve/batch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.queries.retrieval import Question
from app.settings import Settings
from model.errors import QueryError

MULTIPART = "multipart/form-data"


class QueryForm(BaseModel):
    """Be a form without its query. One model is read three times as fast as a parameter for each field."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    target: Literal["audio", "visual"] = Field(description="what to find", examples=["visual"])
    query_modality: Literal["audio", "visual"] | None = Field(None, description="required for a video")
    k: int = Field(10, ge=1, description="hits wanted")
    at_s: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="the second that holds it, else the first ten"
    )
    label: str | None = None
    video_id: str | None = None
    after_s: float | None = Field(None, allow_inf_nan=False, description="hits that start at or after")
    before_s: float | None = Field(None, allow_inf_nan=False, description="hits that end at or before")
    max_distance: float | None = Field(None, ge=0, allow_inf_nan=False)
    group_by: Literal["segment", "video"] = "segment"
    merge_adjacent: bool = Field(False, description="one hit for neighbouring seconds among the k nearest")

    def question(self, settings: Settings) -> Question:
        """Return the question without its query: a file or a segment is added by `dataclasses.replace`."""
        if self.k > settings.most_hits:
            raise QueryError(f"k={self.k} given, at most {settings.most_hits} expected")
        return Question(**{name: getattr(self, name) for name in QueryForm.model_fields})
