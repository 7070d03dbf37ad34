"""What /videos answers and takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from app.queries.dates import iso
from app.schemas.answering import Answering
from app.schemas.links import SecondLinks, poster_link, second_links
from app.schemas.search import Reason
from app.telemetry.current_request import link
from model.modality import Modality

if TYPE_CHECKING:
    from app.queries import reasons
    from index.paging import Page
    from index.records import SegmentRow, Video

    SecondsConcepts = Mapping[Modality, Mapping[int, Sequence[reasons.Reason]]]


class SegmentConcepts(Answering):
    """The strongest concepts of a second's sound and of its look; none where the front-end has no prior."""

    audio: list[Reason]
    visual: list[Reason]


class SegmentAnswer(Answering):
    """One second of a video, whether it is heard and seen, and decoded without damage, and its concepts."""

    segment_id: int
    start_s: int
    heard: bool
    seen: bool
    sound_whole: bool = Field(description="false: its sound is damaged, or a part of it was lost")
    frame_whole: bool = Field(description="false: its frame is damaged, concealed or lost")
    concepts: SegmentConcepts


class SecondAnswer(Answering):
    """One second of the library, and whose it is."""

    segment_id: int
    video_id: str
    file_name: str
    label: str | None
    start_s: int
    end_s: int
    links: SecondLinks

    @staticmethod
    def of(row: SegmentRow, video: Video) -> SecondAnswer:
        """Write a second out."""
        end_s = row.start_s + 1
        return SecondAnswer(
            segment_id=row.segment_id,
            video_id=video.video_id,
            file_name=video.file_name,
            label=video.label,
            start_s=row.start_s,
            end_s=end_s,
            links=SecondLinks.model_validate(second_links(row, video.video_id, end_s)),
        )


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
    modified_at: str | None = Field(description="when the file was last changed; null where that is not known")
    loss_s: float = Field(description="how much of it could not be decoded")
    audio_track: int | None = Field(description="the sound track that was asked for, from 1; null: the default")
    complete: bool = Field(description="false: it has not been read to its end yet")
    missing: bool = Field(description="true: its file went missing, and it is not searched")
    has_sound: bool = Field(description="true: it has a second that is heard")
    has_picture: bool = Field(description="true: it has a second that is seen")
    original: str
    poster: str | None = Field(description="a picture to know it by; null where it has none")

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
            modified_at=None if video.modified_s is None else iso(video.modified_s),
            loss_s=video.loss_s,
            audio_track=video.audio_track,
            complete=video.complete,
            missing=video.missing,
            has_sound=video.has_sound,
            has_picture=video.has_picture,
            original=link(f"videos/{video.video_id}/original"),
            poster=poster_link(video),
        )


class VideoDetailAnswer(VideoAnswer):
    """One file of footage with its seconds."""

    segments: list[SegmentAnswer]

    @staticmethod
    def of_segments(video: Video, rows: list[SegmentRow], concepts: SecondsConcepts) -> VideoDetailAnswer:
        """Write a video and its seconds out; `concepts` by modality and segment id."""
        segments = [
            {
                "segment_id": r.segment_id,
                "start_s": r.start_s,
                "heard": r.heard,
                "seen": r.seen,
                "sound_whole": r.sound_whole,
                "frame_whole": r.frame_whole,
                "concepts": {m: list(map(vars, concepts[m].get(r.segment_id, ()))) for m in concepts},
            }
            for r in rows
        ]
        return VideoDetailAnswer.model_validate(VideoAnswer.of(video).model_dump() | {"segments": segments})


class VideosQuery(Answering):
    """The parameters of GET /videos."""

    limit: int = Field(100, ge=1, le=500)
    cursor: str | None = Field(None, description="`next` of the page before, with the same label, q and folder")
    label: str | None = Field(None, description="videos with this label")
    q: str | None = Field(None, description="videos with this in the file name; A-Z are a-z")
    folder: str | None = Field(None, description="files of the server that lie in this directory or below")


class VideosAnswer(Answering):
    """A page of videos; `next` goes into `cursor` of the next request, null at the end; `total` counts all pages."""

    videos: list[VideoAnswer]
    total: int
    next: str | None
    catalogue_version: int

    @staticmethod
    def of(page: Page, following: str | None) -> VideosAnswer:
        """Write a page out."""
        return VideosAnswer(
            videos=[VideoAnswer.of(video) for video in page.videos],
            total=page.chosen,
            next=following,
            catalogue_version=page.catalogue_version,
        )


class LabelChange(Answering):
    """The body of PATCH /videos/{id}: label and event are replaced as a whole."""

    label: str | None = None
    event_start_s: float | None = None
    event_end_s: float | None = None
