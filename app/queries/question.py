"""What is asked of a library. Form, command line and client read this one list."""

from __future__ import annotations

from dataclasses import fields
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.queries.dates import DateText
from app.queries.filters import Filters

MOST_STRETCH_S = 10


class Question(BaseModel):
    """Ask for the seconds that fit a query best; the query itself, a file or a second, comes beside it.

    One model is read three times as fast from a form as a parameter for each field.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Literal["audio", "visual"] = Field(description="what to find", examples=["visual"])
    query_modality: Literal["audio", "visual"] | None = Field(None, description="required for a video")
    k: int = Field(10, ge=1, description="hits wanted")
    at_s: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="the second that holds it, else the first ten"
    )
    length_s: float | None = Field(
        None,
        gt=0,
        le=MOST_STRETCH_S,
        allow_inf_nan=False,
        description="ask by all seconds from at_s on that this length touches, as one, at most ten",
    )
    audio_track: int | None = Field(
        None, ge=1, description="which sound track of the file to ask by, counted from 1; else the default one"
    )
    label: str | None = None
    video_id: str | None = None
    after_s: float | None = Field(None, allow_inf_nan=False, description="hits that start at or after")
    before_s: float | None = Field(None, allow_inf_nan=False, description="hits that end at or before")
    concept: str | None = Field(
        None, max_length=100, description="seconds in which this concept is heard or seen", examples=["dog"]
    )
    name: str | None = Field(None, description="videos with this in the file name; A-Z are a-z", examples=["holiday"])
    folder: str | None = Field(None, description="files of the server that lie in this directory or below")
    modified_after: DateText | None = Field(
        None, description="files last changed at or after this date or time, in UTC unless it names its zone"
    )
    modified_before: DateText | None = Field(None, description="files last changed before this date or time")
    max_distance: float | None = Field(None, ge=0, allow_inf_nan=False)
    min_match: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="hits that belong to the query with this probability"
    )
    group_by: Literal["segment", "video"] = "segment"
    merge_adjacent: bool = Field(False, description="one hit for neighbouring seconds among the k nearest")
    fold_twins: bool = Field(False, description="one hit for the same picture or sound in several copies")

    @property
    def filters(self) -> Filters:
        """Return which seconds may be hits."""
        return Filters(**{field.name: getattr(self, field.name, None) for field in fields(Filters)})


class QuestionOfNewSeconds(Question):
    """Ask only about seconds that came in after one, up to another; ids of seconds grow as they come."""

    after_segment_id: int
    last_segment_id: int
