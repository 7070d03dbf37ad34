"""The clusters of a map in words: their most typical seconds, their concepts and labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from app.library.latent_map import LatentMap
from app.library.session import Session
from app.queries.reasons import Reason, named, strengths_of

MOST_DESCRIBED = 100  # clusters, the largest
TYPICAL = 4  # seconds of a cluster, each of another video where there are enough
MOST_LABELS = 3


@dataclass(frozen=True)
class Cluster:
    """Describe a cluster: its size, its most typical points (as numbers of the map), its concepts and labels."""

    size: int
    typical: tuple[int, ...]
    concepts: tuple[Reason, ...]
    labels: tuple[str, ...]


def describe(session: Session, drawn: LatentMap) -> list[Cluster]:
    """Describe a map's clusters, the largest first, at most MOST_DESCRIBED."""
    latents = np.concatenate([i.table.latents[i.rows].mu for i in drawn.items])
    videos = np.concatenate([i.table.video_ids_at(i.rows) for i in drawn.items])
    labels = np.concatenate([i.table.labels_at(i.rows) for i in drawn.items])
    count = min(drawn.clustering.count, MOST_DESCRIBED)
    members = [np.flatnonzero(drawn.clustering.cluster == cluster) for cluster in range(count)]
    concepts = _concepts(session, drawn, members)
    return [
        Cluster(
            len(rows),
            _typical(rows, latents[rows], videos[rows].tolist()),
            reasons,
            tuple(label for label, _ in Counter(labels[rows].tolist()).most_common() if label)[:MOST_LABELS],
        )
        for rows, reasons in zip(members, concepts, strict=True)
    ]


def _typical(rows: Int64[np.ndarray, "m"], latents: Float32[np.ndarray, "m d"], videos: list[str]) -> tuple[int, ...]:
    """Return the points nearest to the middle of a cluster, the first of each video."""
    nearest = np.argsort(np.linalg.norm(latents - latents.mean(0), axis=1), kind="stable").tolist()
    first: dict[str, int] = {}
    for row in nearest:
        first.setdefault(videos[row], int(rows[row]))
    return tuple(first.values())[:TYPICAL]


def _concepts(session: Session, drawn: LatentMap, members: list[Int64[np.ndarray, "_"]]) -> list[tuple[Reason, ...]]:
    """Return the concepts that a cluster's points have on average; none where the front-end has no prior."""
    prior = session.front_end.prior
    if prior is None or not members:
        return [()] * len(members)
    strengths = np.concatenate([strengths_of(prior, i.table.concepts[i.rows]) for i in drawn.items])
    return named(prior.concepts, np.stack([strengths[rows].mean(0) for rows in members]))
