"""GET /latents/map."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from app.http.answers import written
from app.http.route_table import needs
from app.library.latent_map import FEWEST, View
from app.queries.clusters import describe
from app.schemas.latent_map import LatentMapAnswer
from app.service import Current

router = APIRouter(prefix="/latents", tags=["library"])
MOST_POINTS = 20_000  # a quarter of a minute on one core
LARGEST_SEED = 2**32 - 1  # numpy takes no larger one


@router.get("/map", response_model=LatentMapAnswer)
@needs("read")
def get_map(
    service: Current,
    modality: Annotated[
        Literal["audio", "visual", "both"], Query(description="both: a second's sound and its picture are two points")
    ] = "both",
    points: Annotated[int, Query(ge=FEWEST, le=MOST_POINTS, description="a larger library gives a sample")] = 2000,
    seed: Annotated[int, Query(ge=0, le=LARGEST_SEED)] = 0,
) -> Response:
    """Map the library's latents on a plane (t-SNE), with clusters (DBSCAN).

    It takes seconds on first asking. Then it is kept, also over a restart; seconds that are added join it.
    """
    drawn = service.maps.current(View(modality, points, seed))
    return written(LatentMapAnswer.of(drawn, describe(service.session, drawn)))
