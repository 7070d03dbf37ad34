"""What GET /latents/map answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from app.schemas.answering import Answering
from model.modality import Modality

if TYPE_CHECKING:
    from app.library.latent_map import LatentMap


class PointAnswer(Answering):
    """The sound or the picture of one second."""

    segment_id: int
    video_id: str
    file_name: str
    start_s: int
    modality: Modality
    label: str | None
    x: float
    y: float
    cluster: int | None = Field(description="0 is the largest; null is in none")


class LatentMapAnswer(Answering):
    """The answer of GET /latents/map."""

    points: list[PointAnswer]
    modality: Literal[Modality, "both"]
    total: int = Field(description="latents in the library")
    sampled: bool = Field(description="the points are a random sample of them, chosen by the seed")
    seed: int
    clusters: int
    noise: float = Field(description="share of the points in no cluster")
    eps: float = Field(description="DBSCAN's reach: the knee of the sorted distances to the fourth neighbour")
    fingerprint: str
    catalogue_version: int
    computed_ms: float

    @staticmethod
    def of(drawn: LatentMap) -> LatentMapAnswer:
        """Write a map out."""
        view, clustering = drawn.view, drawn.clustering
        return LatentMapAnswer(
            points=_points(drawn),
            modality=view.modality,
            total=drawn.total,
            sampled=drawn.total > len(drawn.positions),
            seed=view.seed,
            clusters=clustering.count,
            noise=clustering.noise,
            eps=clustering.eps,
            fingerprint=drawn.fingerprint or "",
            catalogue_version=drawn.version,
            computed_ms=round(drawn.computed_ms, 3),
        )


def _points(drawn: LatentMap) -> list[PointAnswer]:
    positions = iter(zip(drawn.positions.tolist(), drawn.clustering.cluster.tolist(), strict=True))
    return [
        PointAnswer(
            segment_id=int(item.table.ids[row]),
            video_id=str(item.table.video_ids[row]),
            file_name=item.table.videos[str(item.table.video_ids[row])].file_name,
            start_s=int(item.table.start_s[row]),
            modality=item.modality,
            label=str(item.table.labels[row]) or None,
            x=x,
            y=y,
            cluster=None if cluster < 0 else cluster,
        )
        for item in drawn.items
        for row, ((x, y), cluster) in zip(item.rows.tolist(), positions, strict=False)
    ]
