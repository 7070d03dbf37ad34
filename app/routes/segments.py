"""/segments: previews of single seconds."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.previews import Previews
from app.service import Current

router = APIRouter(prefix="/segments", tags=["library"])
CACHED = {"Cache-Control": "private, max-age=86400"}


@router.get("/{segment_id}/frame.jpg", response_class=Response)
def get_frame(service: Current, segment_id: int) -> Response:
    """Send the frame of a second, at most 480 pixels a side."""
    row = service.session.library.catalogue.segment(segment_id)
    return Response(Previews(service.session.library, row.video_id).frame(row), 200, CACHED, "image/jpeg")


@router.get("/{segment_id}/sound.wav", response_class=Response)
def get_sound(service: Current, segment_id: int) -> Response:
    """Send the sound of a second, 16 kHz mono."""
    row = service.session.library.catalogue.segment(segment_id)
    return Response(Previews(service.session.library, row.video_id).sound(row), 200, CACHED, "audio/wav")
