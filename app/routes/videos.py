"""/videos: the library's footage, its labels and originals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse

from app.http.answers import written
from app.http.cursor import Cursor
from app.http.etags import ORIGINAL, tag, unchanged
from app.http.headers import ORIGINAL_POLICY, POLICY, is_playable
from app.http.idempotency import IdempotencyKey, tell_job, token_of
from app.http.openapi import UNCHANGED, binary
from app.http.route_table import needs
from app.http.uploads import date_file, keep, plain_name
from app.library import videos
from app.library.labels import checked_annotation
from app.media.decoding import Facts, inspect
from app.media.previews import original_of
from app.queries.dates import DateText, unix_s
from app.queries.reasons import concepts_of
from app.schemas.job import JobAnswer
from app.schemas.videos import LabelChange, SecondAnswer, VideoAnswer, VideoDetailAnswer, VideosAnswer, VideosQuery
from app.service import Current, Service
from index.paging import BEGINNING, Choice
from model.errors import MediaError, PastDeadline
from model.media.medium import Limits
from model.modality import MODALITIES

router = APIRouter(prefix="/videos", tags=["library"])
ORIGINAL_ANSWERS = binary("*/*", statuses=(200, 206)) | UNCHANGED


@router.post("", status_code=202, response_model=JobAnswer)
@needs("admin", cost="upload")
def post_video(
    service: Current,
    request: Request,
    response: Response,
    file: Annotated[UploadFile, File(description="a video, sound or picture")],
    label: Annotated[str | None, Form()] = None,
    event_start_s: Annotated[float | None, Form()] = None,
    event_end_s: Annotated[float | None, Form()] = None,
    audio_track: Annotated[
        int | None, Form(ge=1, description="which of its sound tracks, counted from 1; else the default one")
    ] = None,
    modified_at: Annotated[
        DateText | None, Form(description="when the file was last changed where it comes from; else now")
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> JobAnswer:
    """Take in a file; the answer names the job that ingests it, and the file is on the disk by then."""
    annotation = checked_annotation("", label, event_start_s, event_end_s, "the upload")
    name = plain_name(file)
    path = keep(file, service.session.library.media)
    try:
        if modified_at is not None:
            date_file(path, unix_s(modified_at))
        facts = _inspected(service, path, audio_track)
        fields = {"label": label, "event_start_s": event_start_s, "event_end_s": event_end_s}
        fields |= {} if audio_track is None else {"audio_track": audio_track}
        fields |= {} if modified_at is None else {"modified_at": modified_at}
        token = token_of(request, idempotency_key, "POST /videos", sha256=facts.sha256, file_name=name, **fields)
        job, replayed = service.jobs.ingest_upload(path, name, annotation, token, audio_track)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, MediaError):
            raise type(error)(str(error).replace(path.name, name)) from error
        raise
    if replayed:
        path.unlink(missing_ok=True)
    tell_job(response, job, replayed)
    return JobAnswer.of(job, *service.jobs.at_work(job.job_id))


def _inspected(service: Service, path: Path, audio_track: int | None) -> Facts:
    """Read a file's head where questions are decoded. Raises MediaError, PastDeadline."""
    future = service.session.decoder.submit(inspect, path, Limits(), audio_track)
    limit_s = service.settings.most_request_s
    try:
        return future.result(limit_s)
    except TimeoutError as error:
        future.cancel()
        raise PastDeadline(f"the file was not looked at within {limit_s:g} s: too much waits; send it later") from error


@router.get("", response_model=VideosAnswer)
@needs("read")
def get_videos(service: Current, request: Request, asked: Annotated[VideosQuery, Query()]) -> Response:
    """List videos in the order they were added, page by page."""
    service.check_folder(request, asked.folder)
    choice = Choice(asked.label, asked.q, asked.folder)
    cursor = Cursor.read(asked.cursor, choice) if asked.cursor is not None else None
    page = service.session.library.catalogue.page(asked.limit, cursor.trail if cursor else BEGINNING, choice)
    if cursor:
        cursor.check(page)
    following = None
    if page.following is not None:
        following = str(Cursor(page.following, choice))
    return written(VideosAnswer.of(page, following))


@router.get("/{video_id}", response_model=VideoDetailAnswer)
@needs("read")
def get_video(
    service: Current,
    video_id: str,
    segments: Annotated[bool, Query(description="false: without its seconds, of which a long one has many")] = True,
) -> Response:
    """Describe a video and its seconds."""
    catalogue = service.session.library.catalogue
    if not segments:
        return written(VideoDetailAnswer.of_segments(catalogue.video(video_id), [], {}))
    concepts = {modality: concepts_of(service.session, video_id, modality) for modality in MODALITIES}
    return written(VideoDetailAnswer.of_segments(catalogue.video(video_id), catalogue.segments_of(video_id), concepts))


@router.get("/{video_id}/seconds/{start_s}", response_model=SecondAnswer)
@needs("read")
def get_second(service: Current, video_id: str, start_s: int) -> SecondAnswer:
    """Describe a second of a video; its `segment_id` can be asked by."""
    catalogue = service.session.library.catalogue
    return SecondAnswer.of(catalogue.second(video_id, start_s), catalogue.video(video_id))


@router.patch("/{video_id}", response_model=VideoAnswer)
@needs("admin")
def patch_video(service: Current, video_id: str, change: LabelChange) -> VideoAnswer:
    """Replace a video's label and event."""
    a = checked_annotation(video_id, change.label, change.event_start_s, change.event_end_s, "the body")
    catalogue = service.session.library.catalogue
    return VideoAnswer.of(catalogue.update_labels(video_id, a.label, a.event_start_s, a.event_end_s))


@router.delete("/{video_id}", status_code=204)
@needs("admin")
def delete_video(service: Current, video_id: str) -> None:
    """Forget a video; an uploaded file goes with it, one that was ingested in place stays where it is."""
    videos.delete_video(service.session.library, video_id)


@router.head("/{video_id}/original", response_class=FileResponse, responses=ORIGINAL_ANSWERS, name="head_original")
@router.get("/{video_id}/original", response_class=FileResponse, responses=ORIGINAL_ANSWERS)
@needs("read")
def get_original(service: Current, request: Request, video_id: str) -> Response:
    """Send the file as it was taken in; `Range` is honoured."""
    library = service.session.library
    video = library.catalogue.video(video_id)
    path = original_of(library, video_id)
    there = path.stat()
    etag = tag(video.sha256, there.st_mtime_ns, there.st_size)  # a file that is ingested in place may be replaced
    return unchanged(request, etag, ORIGINAL) or FileResponse(
        path,
        media_type=video.media_type,
        filename=video.file_name,
        stat_result=there,
        content_disposition_type="inline" if is_playable(video.media_type) else "attachment",
        headers={POLICY: ORIGINAL_POLICY, "ETag": etag, **ORIGINAL},
    )
