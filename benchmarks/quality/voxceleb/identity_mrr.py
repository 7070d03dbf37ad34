"""MRR by identity, with intervals over identities: how far would it vary with other people?

Galleries are those of model/judging/evaluation.py: one second of each video; in A-A and V-V the query itself is left
out. Its intervals draw videos. But videos of one person resemble each other, so here a whole person is left out at a
time, as query and as item: the delete-a-group jackknife (Quenouille, 1956; Tukey, 1958).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import t

from model.data.corpus import Timeline
from model.data.draws import draw_seconds
from model.judging.evaluation import DIRECTIONS, Interval, eligible_seconds
from model.judging.ranking import Ranking, rank
from model.judging.scorers import Scorer

FEWEST = 3  # identities: without one of two, one person is alone and always found


@dataclass(frozen=True, eq=False)
class IdentityMrr:
    """Hold the mean over `queries` queries, and the mean without each identity. A difference of two is one, too."""

    mean: float
    without: Float64[np.ndarray, "identities"]
    queries: int

    @staticmethod
    def mean_of(several: Sequence[IdentityMrr]) -> IdentityMrr:
        """Return the mean over seeds."""
        without = np.mean([one.without for one in several], axis=0)
        return IdentityMrr(float(np.mean([one.mean for one in several])), without, several[0].queries)

    def __sub__(self, other: IdentityMrr) -> IdentityMrr:
        return IdentityMrr(self.mean - other.mean, self.without - other.without, self.queries)

    @property
    def interval(self) -> Interval:
        """Return the mean with its 95 % interval by Student's t; none of fewer than three identities."""
        n = len(self.without)
        if n < FEWEST:
            return Interval(self.mean, None, None, self.queries)
        deviation = np.sqrt((n - 1) / n * np.square(self.without - self.without.mean()).sum())
        half = float(t.ppf(0.975, n - 1) * deviation)
        return Interval(self.mean, self.mean - half, self.mean + half, self.queries)


def measure(timeline: Timeline, scorer: Scorer, galleries: int, seed: int) -> dict[str, IdentityMrr]:
    """Return the MRR by direction (AA, AV, VA, VV), a mean over galleries.

    Raises:
        NothingLabelled: fewer than two videos with a second of both modalities.
    """
    rng = np.random.default_rng(seed)
    seconds = eligible_seconds(timeline)
    draws = seconds[draw_seconds(timeline.video[seconds], galleries, rng)]
    label = timeline.label[np.unique(timeline.video[seconds])]
    identity = label[:, None] == np.unique(label)
    relevant, itself = label[:, None] == label, np.eye(len(label), dtype=bool)
    found = {}
    for name, (query, target) in DIRECTIONS.items():
        masked = itself if query == target else None
        rankings = [rank(scorer.score(query, rows, target, rows), relevant, rng, masked) for rows in draws]
        known = ~np.isnan(rankings[0].reciprocal_rank)
        counted = known[:, None] & ~identity
        without = np.mean([_without_each(ranking, identity) for ranking in rankings], axis=0)
        found[name] = IdentityMrr(
            float(np.mean([ranking.reciprocal_rank[known].mean() for ranking in rankings])),
            np.where(counted, without, 0).sum(axis=0) / counted.sum(axis=0),
            int(known.sum()),
        )
    return found


def _without_each(ranking: Ranking, identity: np.ndarray) -> Float64[np.ndarray, "queries identities"]:
    """Return each query's reciprocal rank when the items of an identity, not its own, are gone."""
    first = ranking.hits.argmax(axis=1)[:, None]
    nearer = np.zeros(ranking.hits.shape)
    np.put_along_axis(nearer, ranking.order, (np.arange(ranking.hits.shape[1]) < first).astype(np.float64), axis=1)
    return np.asarray(1 / np.maximum(first + 1 - nearer @ identity, 1))
