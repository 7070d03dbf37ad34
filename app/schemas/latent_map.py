"""What GET /latents/map answers: columns, since 20,000 points travel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from app.schemas.answering import Answering
from app.schemas.search import Reason
from model.modality import Modality

if TYPE_CHECKING:
    from app.library.latent_map import LatentMap
    from app.queries.clusters import Cluster

DECIMALS = 2  # of a plane that is tens to hundreds wide


class MappedVideo(Answering):
    """A video that has points."""

    video_id: str
    file_name: str
    label: str | None


class PointColumns(Answering):
    """The points, a column for each property: the sound or the picture of one second each, sounds first."""

    segment_id: list[int]
    video: list[int] = Field(description="number in `videos`")
    start_s: list[int]
    x: list[float]
    y: list[float]
    cluster: list[int] = Field(description="0 is the largest; -1 is in none")


class ClusterAnswer(Answering):
    """A cluster of the map."""

    size: int
    typical: list[int] = Field(description="numbers of its most typical points, of different videos")
    concepts: list[Reason] = Field(description="what its points have on average; none where the front-end has no prior")
    labels: list[str] = Field(description="its most frequent labels")


class LatentMapAnswer(Answering):
    """The answer of GET /latents/map."""

    points: PointColumns
    sounds: int = Field(description="so many points, the first, are sounds; all others are pictures")
    videos: list[MappedVideo]
    clusters: list[ClusterAnswer] = Field(description="largest first; the hundred largest are described")
    cluster_count: int
    noise: float = Field(description="share of the points in no cluster")
    eps: float = Field(description="DBSCAN's reach: the knee of the sorted distances to the k-th neighbour")
    modality: Literal[Modality, "both"]
    total: int = Field(description="latents in the library")
    sampled: bool = Field(description="the points are a random sample of them, chosen by the seed")
    joined: int = Field(description="so many points joined since the map was drawn; the others did not move")
    seed: int
    fingerprint: str
    catalogue_version: int
    computed_ms: float

    @staticmethod
    def of(drawn: LatentMap, clusters: Sequence[Cluster]) -> LatentMapAnswer:
        """Write a map out."""
        view, clustering = drawn.view, drawn.clustering
        videos = {str(v): one for i in drawn.items for v, one in i.table.videos.items()}
        number: dict[str, int] = {}
        for item in drawn.items:
            for video in item.table.video_ids_at(item.rows).tolist():
                number.setdefault(str(video), len(number))
        return LatentMapAnswer(
            points=_columns(drawn, number),
            sounds=sum(len(i.rows) for i in drawn.items if i.modality == "audio"),
            videos=[
                MappedVideo(video_id=v, file_name=videos[v].file_name, label=videos[v].label or None) for v in number
            ],
            clusters=[ClusterAnswer.model_validate(cluster, from_attributes=True) for cluster in clusters],
            cluster_count=clustering.count,
            noise=clustering.noise,
            eps=clustering.eps,
            modality=view.modality,
            total=drawn.total,
            sampled=drawn.total > len(drawn.positions),
            joined=drawn.joined,
            seed=view.seed,
            fingerprint=drawn.fingerprint or "",
            catalogue_version=drawn.version,
            computed_ms=round(drawn.computed_ms, 3),
        )


def _columns(drawn: LatentMap, number: dict[str, int]) -> PointColumns:
    ids, starts = (
        np.concatenate([getattr(i.table, name)[i.rows] for i in drawn.items]).tolist() for name in ("ids", "start_s")
    )
    x, y = np.round(drawn.positions.T, DECIMALS).tolist()
    return PointColumns(
        segment_id=ids,
        video=[number[str(v)] for i in drawn.items for v in i.table.video_ids_at(i.rows).tolist()],
        start_s=starts,
        x=x,
        y=y,
        cluster=drawn.clustering.cluster.tolist(),
    )
