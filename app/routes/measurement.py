"""GET /metrics/mrr."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.http.route_table import needs
from app.schemas.measurement import MeasurementAnswer
from app.service import Current

router = APIRouter(tags=["measurement"])


@router.get("/metrics/mrr", response_model=MeasurementAnswer)
@needs("read")
def get_mrr(service: Current, seed: Annotated[int, Query(ge=0)] = 0) -> MeasurementAnswer:
    """Measure retrieval by own video and, on labelled videos, retrieval and localization by label.

    409 where fewer than two videos have both sound and picture.
    """
    return MeasurementAnswer.of(service.measure.current(seed))
