"""What the service answers, as JSON. Times are in seconds; a small distance is close."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.localization import Found
from app.measurement import Measurement
from app.retrieval import Answer, Hit
from index.catalogue import Job, SegmentRow, Video
from model.evaluation import Interval, Report


class Answering(BaseModel):
    """Be frozen, and closed to what is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Parts(Answering):
    """The weighted parts of a distance; they sum to it."""

    latent: float
    generated: float


class HitLinks(Answering):
    """Where a hit can be seen and heard; null where it has no frame or no sound."""

    frame: str | None
    sound: str | None
    original: str


class HitAnswer(Answering):
    """One second of the library."""

    rank: int
    segment_id: int
    video_id: str
    file_name: str
    start_s: int
    end_s: int
    distance: float
    parts: Parts
    label: str | None
    links: HitLinks


class SearchAnswer(Answering):
    """How the hits were found; `certified`: proved equal to scoring every item; `recall`: measured, of what is not."""

    certified: bool
    examined: int
    gallery_size: int
    path: str
    bound_gap: float | None
    recall: float | None
    catalogue_version: int


class QueryAnswer(Answering):
    """What was asked; `uncertainty` is the mean standard deviation of the query's posterior."""

    modality: Literal["audio", "visual"]
    uncertainty: float
    fingerprint: str


class RetrieveAnswer(Answering):
    """The answer of POST /retrieve."""

    hits: list[HitAnswer]
    search: SearchAnswer
    query: QueryAnswer
    timings_ms: dict[str, float]

    @staticmethod
    def of(answer: Answer) -> RetrieveAnswer:
        """Write an answer out."""
        found = answer.search
        return RetrieveAnswer(
            hits=[_hit(hit) for hit in answer.hits],
            search=SearchAnswer(
                certified=found.certified,
                examined=found.examined,
                gallery_size=found.gallery_size,
                path=found.path,
                bound_gap=found.bound_gap,
                recall=found.recall,
                catalogue_version=answer.catalogue_version,
            ),
            query=QueryAnswer(modality=answer.modality, uncertainty=answer.uncertainty, fingerprint=answer.fingerprint),
            timings_ms=answer.timings_ms,
        )


class WindowAnswer(Answering):
    """One candidate; distance is null where a second of it is silent or has no picture."""

    start_s: int
    distance: float | None
    probability: float


class LocalizeAnswer(Answering):
    """The answer of POST /localize; `distances` has a row per query second, a column per target second."""

    start_s: int
    end_s: int
    windows: list[WindowAnswer]
    distances: list[list[float | None]]
    fingerprint: str
    timings_ms: dict[str, float]

    @staticmethod
    def of(found: Found) -> LocalizeAnswer:
        """Write a finding out; NaN becomes null."""
        return LocalizeAnswer(
            start_s=found.start_s,
            end_s=found.end_s,
            windows=[WindowAnswer(**vars(window)) for window in found.windows],
            distances=[[None if d != d else d for d in row] for row in found.matrix.tolist()],
            fingerprint=found.fingerprint,
            timings_ms=found.timings_ms,
        )


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


class SegmentAnswer(Answering):
    """One second of a video, and whether it is heard and seen."""

    segment_id: int
    start_s: int
    heard: bool
    seen: bool


class VideoAnswer(Answering):
    """One file of footage."""

    video_id: str
    file_name: str
    media_type: str
    duration_s: float
    label: str | None
    event_start_s: float | None
    event_end_s: float | None
    added_at: str
    original: str

    @staticmethod
    def of(video: Video) -> VideoAnswer:
        """Write a video out."""
        return VideoAnswer(
            video_id=video.video_id,
            file_name=video.file_name,
            media_type=video.media_type,
            duration_s=video.duration_s,
            label=video.label,
            event_start_s=video.event_start_s,
            event_end_s=video.event_end_s,
            added_at=video.added_at,
            original=f"/videos/{video.video_id}/original",
        )


class VideoDetailAnswer(VideoAnswer):
    """One file of footage with its seconds."""

    segments: list[SegmentAnswer]

    @staticmethod
    def of_segments(video: Video, rows: list[SegmentRow]) -> VideoDetailAnswer:
        """Write a video and its seconds out."""
        segments = [SegmentAnswer(segment_id=r.segment_id, start_s=r.start_s, heard=r.heard, seen=r.seen) for r in rows]
        return VideoDetailAnswer(**VideoAnswer.of(video).model_dump(), segments=segments)


class VideosAnswer(Answering):
    """A page of videos; `next` goes into `after` of the next request, null at the end."""

    videos: list[VideoAnswer]
    total: int
    next: str | None


class LabelChange(Answering):
    """The body of PATCH /videos/{id}: label and event are replaced as a whole."""

    label: str | None = None
    event_start_s: float | None = None
    event_end_s: float | None = None


class JobAnswer(Answering):
    """A piece of work."""

    job_id: str
    kind: str
    state: str
    progress: float
    result: dict[str, Any]
    created_at: str
    updated_at: str

    @staticmethod
    def of(job: Job) -> JobAnswer:
        """Write a job out."""
        return JobAnswer(**{name: getattr(job, name) for name in JobAnswer.model_fields})


class HealthAnswer(Answering):
    """`ready` has been through model and index just now, in `canary_ms`."""

    status: Literal["live", "ready"]
    fingerprint: str | None = None
    catalogue_version: int | None = None
    device: str | None = None
    canary_ms: float | None = None


class ProblemAnswer(BaseModel):
    """An error (RFC 9457); `code` is stable, `detail` says what was given, what was expected, what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str


def _hit(hit: Hit) -> HitAnswer:
    links = f"/segments/{hit.segment_id}"
    return HitAnswer(
        rank=hit.rank,
        segment_id=hit.segment_id,
        video_id=hit.video.video_id,
        file_name=hit.video.file_name,
        start_s=hit.start_s,
        end_s=hit.end_s,
        distance=hit.distance,
        parts=Parts(latent=hit.latent, generated=hit.generated),
        label=hit.video.label,
        links=HitLinks(
            frame=f"{links}/frame.jpg" if hit.seen else None,
            sound=f"{links}/sound.wav" if hit.heard else None,
            original=f"/videos/{hit.video.video_id}/original#t={hit.start_s},{hit.end_s}",
        ),
    )
