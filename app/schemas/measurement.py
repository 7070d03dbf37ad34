"""What GET /metrics/mrr answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from app.schemas.answering import Answering

if TYPE_CHECKING:
    from app.library.measurement import Measurement
    from model.judging.evaluation import Interval, Report


class IntervalAnswer(Answering):
    """A mean over videos and its 95 % bootstrap interval; null where nothing could be measured."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


class ReportAnswer(Answering):
    """Retrieval by direction (AA, AV, VA, VV), localization by view and crossing."""

    retrieval: dict[str, dict[str, IntervalAnswer]]
    localization: dict[str, dict[str, dict[str, IntervalAnswer]]]
    excluded_queries: int

    @staticmethod
    def of(report: Report) -> ReportAnswer:
        """Write a report out."""

        def written(interval: Interval) -> IntervalAnswer:
            return IntervalAnswer(**vars(interval))

        return ReportAnswer(
            retrieval={
                direction: {name: written(i) for name, i in figures.items()}
                for direction, figures in report.retrieval.items()
            },
            localization={
                view: {c: {n: written(i) for n, i in figures.items()} for c, figures in crossings.items()}
                for view, crossings in report.localization.items()
            },
            excluded_queries=report.excluded_queries,
        )


class MeasurementAnswer(Answering):
    """The answer of GET /metrics/mrr."""

    echolens: ReportAnswer
    chance: ReportAnswer
    videos: int = Field(description="labelled videos measured")
    labelled: int = Field(description="labelled videos in the library")
    trained_on: int = Field(description="of the videos measured, those that the model was trained on, unlabelled")
    galleries: int
    seed: int
    protocol: str = "corrected"
    fingerprint: str
    catalogue_version: int

    @staticmethod
    def of(measurement: Measurement) -> MeasurementAnswer:
        """Write a measurement out."""
        reports = {n: ReportAnswer.of(getattr(measurement, n)) for n in ("echolens", "chance")}
        return MeasurementAnswer(**(vars(measurement) | reports))
