"""POST /edit-list."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from app.http.route_table import needs
from app.media.edit_list import MEDIA_TYPES, Cut, read_timing, write_list
from app.media.previews import original_of
from app.schemas.edit_list import CutOrder, EditListOrder
from app.service import Current, Service
from model.errors import MediaError, NotFound, QueryError
from model.media.timecode import FrameTiming

router = APIRouter(tags=["search"])


@router.post(
    "/edit-list",
    response_class=Response,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()}}},
)
@needs("read", cost="question")
def post_edit_list(service: Current, request: Request, order: Annotated[EditListOrder, Body()]) -> Response:
    """Write stretches of recordings as an edit list that editing programs open, or as a table."""
    locate, timings = service.shown_paths(request), dict[str, FrameTiming]()
    cuts = []
    for asked in order.cuts:
        cut = _cut(service, asked)
        if order.format != "csv":
            if cut.video_id not in timings:
                timings[cut.video_id] = _timing(service, cut)
            cut = replace(cut, timing=timings[cut.video_id])
        cuts.append(cut if locate else replace(cut, path=None))
    text = write_list(order.format, order.title, cuts)
    name = "".join(letter for letter in order.title if letter.isascii() and (letter.isalnum() or letter in " -_"))
    headers = {"Content-Disposition": f'attachment; filename="{name.strip() or "echolens"}.{order.format}"'}
    return Response(text.encode(errors="replace"), media_type=MEDIA_TYPES[order.format], headers=headers)


def _cut(service: Service, asked: CutOrder) -> Cut:
    library = service.session.library
    video = library.catalogue.video(asked.video_id)
    if not 0 <= asked.start_s < asked.end_s:
        raise QueryError(
            f"a cut from {asked.start_s:g} to {asked.end_s:g} s given, one that ends after it begins expected"
        )
    if asked.start_s >= video.duration_s:
        raise QueryError(
            f"a cut from {asked.start_s:g} s on given, but {video.file_name} lasts {video.duration_s:g} s: leave it out"
        )
    return Cut(
        video.video_id,
        video.file_name,
        library.locate(video.path),
        asked.start_s,
        min(asked.end_s, video.duration_s),  # the last second of a video may be a part of one
        video.duration_s,
        video.has_sound,
        video.has_picture,
        asked.note or "",
    )


def _timing(service: Service, cut: Cut) -> FrameTiming:
    """Return a file's own frames; of one that is gone or no recording, those that sound is given."""
    try:
        path = original_of(service.session.library, cut.video_id)
        timing: FrameTiming = service.session.decoder.submit(read_timing, path).result(service.settings.most_request_s)
        return timing
    except (NotFound, MediaError):
        return cut.timing
