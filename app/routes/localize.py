"""POST /localize."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile

from app.http.route_table import needs
from app.http.uploads import query_file
from app.media.decoding import Direction
from app.queries.localization import Localization
from app.schemas.search import LocalizeAnswer
from app.service import Current

router = APIRouter(tags=["search"])


@router.post("/localize", form_limits={"max_files": 2}, response_model=LocalizeAnswer)
@needs("read", cost="question")
async def post_localize(
    service: Current,
    request: Request,
    video: Annotated[UploadFile, File(description="the clip to search in, at most 60 s")],
    direction: Annotated[Direction, Form(description="a2v: heard, where is it seen? v2a: the reverse")],
    query_start_s: Annotated[int | None, Form(description="the query begins here in the same clip")] = None,
    query_length_s: Annotated[int | None, Form(description="and lasts so many seconds")] = None,
    query: Annotated[UploadFile | None, File(description="or a second file is the query")] = None,
    audio_track: Annotated[
        int | None, Form(ge=1, description="which sound track of the clip, counted from 1; else the default one")
    ] = None,
    query_audio_track: Annotated[int | None, Form(ge=1, description="likewise of the second file")] = None,
) -> LocalizeAnswer:
    """Find where in a clip one sees what one hears, or hears what one sees."""
    async with query_file(video, service.scratch) as video_path, query_file(query, service.scratch) as query_path:
        assert video_path is not None, "the upload is required"
        tracks = audio_track, query_audio_track
        work = Localization(video_path, direction, query_start_s, query_length_s, query_path, *tracks)
        return LocalizeAnswer.of(await service.answer(request, service.pipeline.answer(work)))
