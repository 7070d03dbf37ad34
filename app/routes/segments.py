"""/segments: single seconds, and their previews."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response

from app.http.etags import PREVIEW, tag, unchanged
from app.http.openapi import UNCHANGED, binary
from app.http.route_table import needs
from app.media.footage import decode_preview
from app.media.previews import Make, Previews
from app.schemas.videos import SecondAnswer
from app.service import Current, Service
from index.records import SegmentRow, Video

router = APIRouter(prefix="/segments", tags=["library"])
FRAME, SOUND = binary("image/jpeg") | UNCHANGED, binary("audio/wav") | UNCHANGED


@router.get("/{segment_id}", response_model=SecondAnswer)
@needs("read")
def get_segment(service: Current, segment_id: int) -> SecondAnswer:
    """Say of which video a second is, and which."""
    catalogue = service.session.library.catalogue
    row = catalogue.segment(segment_id)
    return SecondAnswer.of(row, catalogue.video(row.video_id))


@router.head("/{segment_id}/frame.jpg", response_class=Response, responses=FRAME, name="head_frame")
@router.get("/{segment_id}/frame.jpg", response_class=Response, responses=FRAME)
@needs("read")
def get_frame(service: Current, request: Request, segment_id: int) -> Response:
    """Send the frame of a second, at most 480 pixels a side."""
    row, video, etag = _found(service, segment_id, "frame")
    if row.seen and (answer := unchanged(request, etag, PREVIEW)):
        return answer
    content = Previews(service.session.library, row.video_id).frame(row, _maker(service, video))
    return Response(content, 200, PREVIEW | {"ETag": etag}, "image/jpeg")


@router.head("/{segment_id}/sound.wav", response_class=Response, responses=SOUND, name="head_sound")
@router.get("/{segment_id}/sound.wav", response_class=Response, responses=SOUND)
@needs("read")
def get_sound(service: Current, request: Request, segment_id: int) -> Response:
    """Send the sound of a second, 16 kHz mono."""
    row, video, etag = _found(service, segment_id, "sound")
    if row.heard and (answer := unchanged(request, etag, PREVIEW)):
        return answer
    content = Previews(service.session.library, row.video_id).sound(row, _maker(service, video))
    return Response(content, 200, PREVIEW | {"ETag": etag}, "audio/wav")


def _found(service: Service, segment_id: int, kind: str) -> tuple[SegmentRow, Video, str]:
    """Return a second, its video and the tag of its preview: what it is made of, how, which second, and what of it."""
    catalogue = service.session.library.catalogue
    row = catalogue.segment(segment_id)
    video = catalogue.video(row.video_id)
    return row, video, tag(video.sha256, video.decoding, video.audio_track, row.start_s, kind)


def _maker(service: Service, video: Video) -> Make:
    """Make previews that are gone where queries are decoded."""

    def make(original: Path, start_s: int, directory: Path) -> None:
        decoder = service.session.decoder
        decoder.submit(decode_preview, original, start_s, directory, video.audio_track).result()

    return make
