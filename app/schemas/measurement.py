"""What GET /metrics/mrr answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from app.schemas.answering import Answering

if TYPE_CHECKING:
    from app.library.measurement import Measurement
    from model.judging.evaluation import Interval, Report
    from model.judging.own_video import OwnVideo, OwnVideoMRR, OwnVideoRecall


class IntervalAnswer(Answering):
    """A mean over videos and its 95 % interval; null where nothing could be measured."""

    mean: float | None
    low: float | None = Field(description="null, too, where one video alone decides the figure")
    high: float | None
    n: int

    @staticmethod
    def of(interval: Interval) -> IntervalAnswer:
        """Write an interval out."""
        return IntervalAnswer(**vars(interval))


class ReportAnswer(Answering):
    """Retrieval by direction (AA, AV, VA, VV), localization by view and crossing."""

    retrieval: dict[str, dict[str, IntervalAnswer]]
    localization: dict[str, dict[str, dict[str, IntervalAnswer]]]
    excluded_queries: int

    @staticmethod
    def of(report: Report) -> ReportAnswer:
        """Write a report out."""
        return ReportAnswer(
            retrieval={
                direction: {name: IntervalAnswer.of(i) for name, i in figures.items()}
                for direction, figures in report.retrieval.items()
            },
            localization={
                view: {c: {n: IntervalAnswer.of(i) for n, i in figures.items()} for c, figures in crossings.items()}
                for view, crossings in report.localization.items()
            },
            excluded_queries=report.excluded_queries,
        )


class OwnVideoMRRAnswer(Answering):
    """MRR of the own video: the sound of a second asks for pictures (AV), its picture for sounds (VA)."""

    mrr: dict[str, IntervalAnswer]
    chance: float = Field(description="the MRR of a random order")
    gallery: int = Field(description="videos in a gallery, one second of each")

    @staticmethod
    def of(measured: OwnVideoMRR) -> OwnVideoMRRAnswer:
        """Write the figures out."""
        mrr = {direction: IntervalAnswer.of(interval) for direction, interval in measured.mrr.items()}
        return OwnVideoMRRAnswer(mrr=mrr, chance=measured.chance, gallery=measured.gallery)


class OwnVideoRecallAnswer(Answering):
    """The share of queries whose own video is among the first ones, by direction as the MRR is."""

    recall: dict[str, IntervalAnswer]
    chance: float = Field(description="the recall of a random order")

    @staticmethod
    def of(measured: OwnVideoRecall) -> OwnVideoRecallAnswer:
        """Write the figures out."""
        recall = {direction: IntervalAnswer.of(interval) for direction, interval in measured.recall.items()}
        return OwnVideoRecallAnswer(recall=recall, chance=measured.chance)


class OwnVideoAnswer(Answering):
    """Retrieval without labels: does a second find its own video?"""

    all: OwnVideoMRRAnswer = Field(description="among all videos measured, at most 400")
    nine: OwnVideoMRRAnswer | None = Field(
        description="among the own and eight other videos at random, comparable between libraries; null under nine"
    )
    recall_at: dict[str, OwnVideoRecallAnswer] = Field(
        description="by how many of the first are looked at, 1, 5 and 10; among all videos measured"
    )
    trained_on: int = Field(description="of the videos measured, those that the model was trained on")

    @staticmethod
    def of(measured: OwnVideo, trained_on: int) -> OwnVideoAnswer:
        """Write the figures out."""
        nine = measured.nine and OwnVideoMRRAnswer.of(measured.nine)
        recall_at = {k: OwnVideoRecallAnswer.of(recall) for k, recall in measured.recall_at.items()}
        every = OwnVideoMRRAnswer.of(measured.all)
        return OwnVideoAnswer(all=every, nine=nine, recall_at=recall_at, trained_on=trained_on)


class MeasuredModelAnswer(Answering):
    """What the model was trained on."""

    recipe: str | None = Field(description="null where the checkpoint does not say")
    trained_videos: int


class MeasurementAnswer(Answering):
    """The answer of GET /metrics/mrr."""

    own_video: OwnVideoAnswer
    echolens: ReportAnswer | None = Field(description="by label; null where fewer than two videos are labelled")
    chance: ReportAnswer | None = Field(description="by label, in random order")
    videos: int = Field(description="labelled videos measured")
    labelled: int = Field(description="labelled videos in the library")
    trained_on: int = Field(description="of the labelled videos measured, those that the model was trained on")
    model: MeasuredModelAnswer
    notes: list[str] = Field(description="what the figures do not say")
    galleries: int
    seed: int
    protocol: str = "corrected"
    fingerprint: str
    catalogue_version: int

    @staticmethod
    def of(measurement: Measurement) -> MeasurementAnswer:
        """Write a measurement out."""
        same = ("videos", "labelled", "trained_on", "galleries", "seed", "fingerprint", "catalogue_version")
        return MeasurementAnswer(
            **{name: getattr(measurement, name) for name in same},
            own_video=OwnVideoAnswer.of(measurement.own_video, measurement.own_trained_on),
            echolens=measurement.echolens and ReportAnswer.of(measurement.echolens),
            chance=measurement.chance and ReportAnswer.of(measurement.chance),
            model=MeasuredModelAnswer(**vars(measurement.model)),
            notes=list(measurement.notes),
        )
