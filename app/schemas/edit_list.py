"""What POST /edit-list takes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CutOrder(BaseModel):
    """A stretch of a video."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    video_id: str
    start_s: float = Field(ge=0, allow_inf_nan=False, le=10**7)
    end_s: float = Field(gt=0, allow_inf_nan=False, le=10**7)
    note: str | None = Field(None, max_length=1000)


class EditListOrder(BaseModel):
    """The body of POST /edit-list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["edl", "fcpxml", "csv"] = Field(description="CMX 3600 EDL, Final Cut Pro XML, or a table")
    title: str = Field("Echolens", max_length=200)
    cuts: list[CutOrder] = Field(min_length=1, max_length=999, description="in the order of the list")
