"""What is asked and answered of the sound and look of a video's stretch."""

from __future__ import annotations

from pydantic import Field

from app.schemas.answering import Answering


class ExcerptQuery(Answering):
    """The parameters of GET /videos/{id}/excerpt."""

    start_s: float = Field(ge=0, description="where it begins")
    end_s: float = Field(gt=0, description="where it ends, at most 120 s later; the video's end, if that comes before")


class PeaksQuery(Answering):
    """The parameters of GET /videos/{id}/peaks."""

    start_s: float = Field(0, ge=0, description="where the stretch begins")
    length_s: float = Field(60, gt=0, description="how long it is; to the video's end, if that comes before")
    per_s: float = Field(20, gt=0, le=100, description="peaks a second; at most 20,000 in all")


class PeaksAnswer(Answering):
    """How loud a stretch of a video is."""

    start_s: float
    length_s: float = Field(description="what there is of what was asked for")
    per_s: float
    peaks: list[float] = Field(
        description="the largest absolute sample of each 1 / per_s s, 0..1; 0 where it is silent, or its sound is gone"
    )


class FilmstripQuery(Answering):
    """The parameters of GET /videos/{id}/filmstrip.jpg."""

    start_s: float = Field(0, ge=0, description="where the stretch begins")
    length_s: float = Field(60, gt=0, description="how long it is; to the video's end, if that comes before")
    frames: int = Field(12, ge=1, le=60, description="how many frames stand side by side")
    height: int = Field(72, ge=16, le=240, description="pixels")


class PosterQuery(Answering):
    """The parameters of GET /videos/{id}/poster.jpg."""

    height: int = Field(180, ge=16, le=480, description="pixels")
