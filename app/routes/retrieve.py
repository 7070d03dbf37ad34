"""POST /retrieve."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from app.retrieval import Question, retrieve
from app.schemas.search import RetrieveAnswer
from app.service import Current
from app.uploads import query_file
from model.errors import QueryError

router = APIRouter(tags=["search"])
CSV_COLUMNS = ("rank", "segment_id", "video_id", "file_name", "start_s", "end_s", "distance", "label")


@router.post("/retrieve", response_model=RetrieveAnswer)
def post_retrieve(
    service: Current,
    request: Request,
    target: Annotated[Literal["audio", "visual"], Form(description="what to find", examples=["visual"])],
    file: Annotated[UploadFile | None, File(description="a sound, picture or video as the query")] = None,
    segment_id: Annotated[int | None, Form(description="a second of the library as the query")] = None,
    query_modality: Annotated[Literal["audio", "visual"] | None, Form(description="required for a video")] = None,
    k: Annotated[int, Form(ge=1, description="hits wanted", examples=[10])] = 10,
    at_s: Annotated[
        float | None, Form(ge=0, allow_inf_nan=False, description="the second that holds it, else the first ten")
    ] = None,
    label: Annotated[str | None, Form()] = None,
    video_id: Annotated[str | None, Form()] = None,
    after_s: Annotated[float | None, Form(allow_inf_nan=False, description="hits that start at or after")] = None,
    before_s: Annotated[float | None, Form(allow_inf_nan=False, description="hits that end at or before")] = None,
    max_distance: Annotated[float | None, Form(ge=0, allow_inf_nan=False)] = None,
    group_by: Annotated[Literal["segment", "video"], Form()] = "segment",
    merge_adjacent: Annotated[bool, Form(description="one hit for neighbouring seconds among the k nearest")] = False,
) -> RetrieveAnswer | Response:
    """Find the seconds whose look or sound fits a query best; `Accept: text/csv` gives the hits as CSV."""
    if k > service.settings.most_hits:
        raise QueryError(f"k={k} given, at most {service.settings.most_hits} expected")
    with query_file(file) as path:
        question = Question(
            target=target,
            file=path,
            segment_id=segment_id,
            query_modality=query_modality,
            k=k,
            at_s=at_s,
            label=label,
            video_id=video_id,
            after_s=after_s,
            before_s=before_s,
            max_distance=max_distance,
            group_by=group_by,
            merge_adjacent=merge_adjacent,
        )
        answer = RetrieveAnswer.of(retrieve(service.session, question, service.query_limits))
    if "text/csv" in request.headers.get("accept", ""):
        return Response(_csv(answer), media_type="text/csv")
    return answer


def _csv(answer: RetrieveAnswer) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    writer.writerows([getattr(hit, column) for column in CSV_COLUMNS] for hit in answer.hits)
    return out.getvalue()
