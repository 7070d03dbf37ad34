"""/videos: the library's footage, its labels and originals."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from fastapi.responses import FileResponse

from app.labels import checked_annotation
from app.previews import Previews, original_of
from app.schemas.footage import LabelChange, VideoAnswer, VideoDetailAnswer, VideosAnswer
from app.schemas.job import JobAnswer
from app.service import Current
from app.uploads import keep, plain_name
from model.errors import EcholensError
from model.media import Limits, open_medium

router = APIRouter(prefix="/videos", tags=["library"])


@router.post("", status_code=202, response_model=JobAnswer)
def post_video(
    service: Current,
    response: Response,
    file: Annotated[UploadFile, File(description="a video, sound or picture")],
    label: Annotated[str | None, Form()] = None,
    event_start_s: Annotated[float | None, Form()] = None,
    event_end_s: Annotated[float | None, Form()] = None,
) -> JobAnswer:
    """Take in a file; the answer names the job that ingests it, and the file is on the disk by then."""
    annotation = checked_annotation("", label, event_start_s, event_end_s, "the upload")
    name = plain_name(file)
    path = keep(file, service.session.library.media)
    try:
        open_medium(path, Limits())
    except EcholensError as error:
        path.unlink()
        raise type(error)(str(error).replace(path.name, name)) from error
    job = service.jobs.ingest_upload(path, name, annotation)
    response.headers["Location"] = f"/jobs/{job.job_id}"
    return JobAnswer.of(job)


@router.get("", response_model=VideosAnswer)
def get_videos(
    service: Current, limit: Annotated[int, Query(ge=1, le=500)] = 100, after: str | None = None
) -> VideosAnswer:
    """List videos in the order they were added."""
    catalogue = service.session.library.catalogue
    videos = catalogue.videos(limit + 1, after)
    page, more = videos[:limit], len(videos) > limit
    return VideosAnswer(
        videos=[VideoAnswer.of(v) for v in page],
        total=catalogue.stats().videos,
        next=page[-1].video_id if more else None,
    )


@router.get("/{video_id}", response_model=VideoDetailAnswer)
def get_video(service: Current, video_id: str) -> VideoDetailAnswer:
    """Describe a video and its seconds."""
    catalogue = service.session.library.catalogue
    return VideoDetailAnswer.of_segments(catalogue.video(video_id), catalogue.segments_of(video_id))


@router.patch("/{video_id}", response_model=VideoAnswer)
def patch_video(service: Current, video_id: str, change: LabelChange) -> VideoAnswer:
    """Replace a video's label and event."""
    a = checked_annotation(video_id, change.label, change.event_start_s, change.event_end_s, "the body")
    catalogue = service.session.library.catalogue
    return VideoAnswer.of(catalogue.update_labels(video_id, a.label, a.event_start_s, a.event_end_s))


@router.delete("/{video_id}", status_code=204)
def delete_video(service: Current, video_id: str) -> None:
    """Forget a video; an uploaded file goes with it, one that was ingested in place stays where it is."""
    library = service.session.library
    video = library.catalogue.delete_video(video_id)
    Previews(library, video_id).remove()
    library.features_path(video.sha256, service.session.front_end.identity).unlink(missing_ok=True)
    if video.uploaded:
        library.locate(video.path).unlink(missing_ok=True)


@router.get("/{video_id}/original", response_class=FileResponse)
def get_original(service: Current, video_id: str) -> FileResponse:
    """Send the file as it was taken in; `Range` is honoured."""
    library = service.session.library
    video = library.catalogue.video(video_id)
    return FileResponse(
        original_of(library, video_id),
        media_type=video.media_type,
        filename=video.file_name,
        content_disposition_type="inline",
        headers={"X-Content-Type-Options": "nosniff"},
    )
