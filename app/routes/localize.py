"""POST /localize."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from app.http.route_table import needs
from app.http.uploads import query_file
from app.media.decoding import Direction
from app.media.upload import SmallUpload
from app.queries.localization import Localization
from app.queries.stored_localization import StoredLocalization
from app.schemas.search import LocalizeAnswer
from app.service import Current
from model.errors import QueryError

router = APIRouter(tags=["search"])


class Asked(BaseModel):
    """The form of POST /localize."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    video: UploadFile | None = Field(None, description="the clip to search in, at most 60 s")
    video_id: str | None = Field(None, description="or a video of the library, of any length: nothing is decoded")
    from_s: int | None = Field(None, description="of a video of the library: where the searched stretch begins")
    length_s: int | None = Field(None, description="and how long it is, at most 60 s; else to the end")
    direction: Direction = Field(description="a2v: heard, where is it seen? v2a: the reverse")
    query_start_s: int | None = Field(None, description="the query begins here in the same video")
    query_length_s: int | None = Field(None, description="and lasts so many seconds")
    query_segment_id: int | None = Field(None, description="or a second of the library is the query, with video_id")
    query: UploadFile | None = Field(None, description="or a second file is the query")
    audio_track: int | None = Field(
        None, ge=1, description="which sound track of the clip, counted from 1; else the default one"
    )
    query_audio_track: int | None = Field(None, ge=1, description="likewise of the second file")

    def work(
        self, video: Path | SmallUpload | None, query: Path | SmallUpload | None
    ) -> Localization | StoredLocalization:
        """Return the question. Raises QueryError where it is none, or two."""
        if (video is None) == (self.video_id is None):
            raise QueryError("one place to search in expected: a file as video, or the video_id of the library")
        asked = (self.query_start_s, self.query_length_s)
        if self.video_id is not None:
            if self.audio_track is not None:
                raise QueryError("audio_track given with video_id, whose sound track was chosen when it was taken in")
            place = (self.video_id, self.direction, self.from_s or 0, self.length_s)
            return StoredLocalization(*place, *asked, self.query_segment_id, query, self.query_audio_track)
        assert video is not None, "one of both"
        if (self.from_s, self.length_s, self.query_segment_id) != (None, None, None):
            raise QueryError("from_s, length_s or query_segment_id given without video_id, which they belong to")
        return Localization(video, self.direction, *asked, query, self.audio_track, self.query_audio_track)


@router.post("/localize", form_limits={"max_files": 2}, response_model=LocalizeAnswer)
@needs("read", cost="question")
async def post_localize(
    service: Current, request: Request, asked: Annotated[Asked, Form(media_type="multipart/form-data")]
) -> LocalizeAnswer:
    """Find where in a clip, or in a video of the library, one sees what one hears, or hears what one sees."""
    async with query_file(asked.video, service.scratch) as video, query_file(asked.query, service.scratch) as query:
        return LocalizeAnswer.of(await service.answer(request, service.pipeline.answer(asked.work(video, query))))
