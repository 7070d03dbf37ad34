"""What is asked of a library, and which of its seconds may answer. Form, command line and client read this one list."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool

    from index.records import LatentTable


@dataclass(frozen=True)
class Filters:
    """Say which seconds of a library may be hits; None lets all pass. Questions with equal filters share a search."""

    label: str | None = None
    video_id: str | None = None
    after_s: float | None = None
    before_s: float | None = None
    concept: str | None = None

    def mask(self, table: LatentTable, having: Bool[np.ndarray, "n"] | None = None) -> Bool[np.ndarray, "n"] | None:
        """Return which of a table's n seconds pass; None where all do. `having`: which of them have the concept."""
        masks: list[Bool[np.ndarray, "n"]] = []
        if self.label is not None:
            masks.append(table.labels == self.label)
        if self.video_id is not None:
            masks.append(table.video_ids == self.video_id)
        if self.after_s is not None:
            masks.append(table.start_s >= self.after_s)
        if self.before_s is not None:
            masks.append(table.start_s + 1 <= self.before_s)
        if self.concept is not None:
            assert having is not None, "looked up before"
            masks.append(having)
        return reduce(and_, masks) if masks else None


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
    max_distance: float | None = Field(None, ge=0, allow_inf_nan=False)
    min_match: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="hits that belong to the query with this probability"
    )
    group_by: Literal["segment", "video"] = "segment"
    merge_adjacent: bool = Field(False, description="one hit for neighbouring seconds among the k nearest")

    @property
    def filters(self) -> Filters:
        """Return which seconds may be hits."""
        return Filters(**{field.name: getattr(self, field.name) for field in fields(Filters)})
