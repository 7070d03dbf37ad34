"""POST /generate."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from app.http.openapi import binary
from app.http.route_table import needs
from app.http.uploads import query_file
from app.queries.generation import Generation
from app.queries.query import Query
from app.schemas.generation import GenerateAnswer
from app.service import Current
from model.errors import NotAcceptable

router = APIRouter(tags=["search"])
BYTES = {"image/png": "frame_png", "audio/wav": "sound_wav"}
JSON = ("application/json", "*/*")


@router.post(
    "/generate",
    form_limits={"max_files": 1},
    response_model=GenerateAnswer,
    responses=binary(*BYTES),
)
@needs("read", cost="question")
async def post_generate(
    service: Current,
    request: Request,
    file: Annotated[UploadFile | None, File(description="a sound, picture or video as the query")] = None,
    segment_id: Annotated[int | None, Form(description="a second of the library as the query")] = None,
    query_modality: Annotated[Literal["audio", "visual"] | None, Form(description="required for a video")] = None,
    at_s: Annotated[
        float | None, Form(ge=0, allow_inf_nan=False, description="the second that holds it, else the first ten")
    ] = None,
    audio_track: Annotated[
        int | None, Form(ge=1, description="which sound track of the file, counted from 1; else the default one")
    ] = None,
) -> GenerateAnswer | Response:
    """Imagine the sound and the look that belong to a query; `Accept: image/png` or `audio/wav` gives one alone."""
    async with query_file(file, service.scratch) as path:
        work = Generation(Query(path, segment_id, query_modality, at_s, audio_track=audio_track))
        imagined = await service.answer(request, service.pipeline.answer(work))
    answer = GenerateAnswer.of(imagined)
    return _alone(answer, request.headers.get("accept", "")) or answer


def _alone(answer: GenerateAnswer, accept: str) -> Response | None:
    """Return the picture or the sound alone where it comes first in what is accepted."""
    names = (part.partition(";")[0].strip() for part in accept.split(","))
    first = next((name for name in names if name in BYTES or name in JSON), "*/*")
    if first not in BYTES:
        return None
    content: bytes | None = getattr(answer, BYTES[first])
    if content is None:
        raise NotAcceptable(
            f"{first} asked for, but the features of the front-end {answer.front_end} determine none: "
            "ask for application/json, which has the features"
        )
    return Response(content, media_type=first)
