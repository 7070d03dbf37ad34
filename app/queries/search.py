"""Searches in galleries, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from app.library.galleries import ServedGallery, rows_of
from app.queries.question import Question
from app.queries.twins import better_of
from index.gallery import SearchResult
from model.data.latents import Latents

MOST_FOLDED = 2000  # hits among which twins are looked for


@dataclass(frozen=True, eq=False)
class Search:
    """Look for a question's hits in a gallery, by one row of latents; `having`: which items have its concept."""

    served: ServedGallery
    query: Latents
    question: Question
    having: Bool[np.ndarray, "n"] | None = None

    @property
    def allowed(self) -> Bool[np.ndarray, "n"] | None:
        """Return which items may be hits; None: all."""
        return self.question.filters.mask(self.served.table, self.having)


def search_many(searches: Sequence[Search]) -> list[SearchResult]:
    """Return what each finds; those of one gallery, one k and equal filters are searched for together."""
    found: dict[int, SearchResult] = {}
    together: dict[tuple[object, ...], list[int]] = {}
    for row, search in enumerate(searches):
        if search.question.fold_twins:
            found[row] = _with_twins(search)
        elif search.question.group_by == "video":
            found[row] = _best_of_videos(search, search.question.k)
        else:
            alike = (id(search.served), search.question.k, search.question.filters)
            together.setdefault(alike, []).append(row)
    for rows in together.values():
        served, question = searches[rows[0]].served, searches[rows[0]].question
        queries = Latents.concatenate(searches[row].query for row in rows)
        allowed = searches[rows[0]].allowed
        found |= zip(rows, served.gallery.search_batch(queries, question.k, allowed), strict=True)
    return [_near(found[row], search.question.max_distance) for row, search in enumerate(searches)]


def _with_twins(search: Search) -> SearchResult:
    """Return the nearest and whose twins they are: so many that k are left folded, if that is not too many or all."""
    served, k = search.served, search.question.k
    wanted, most = 2 * k, max(2 * k, min(8 * k, MOST_FOLDED))
    while True:
        if search.question.group_by == "video":
            found = _best_of_videos(search, wanted)
        else:
            found = served.gallery.search(search.query, wanted, search.allowed)
        better = better_of(served.table, rows_of(served.table, found.ids), served.latents_of(found))
        if len(np.unique(better)) >= k or len(found.ids) < wanted or wanted == most:
            return replace(found, twin_of=found.ids[better])
        wanted = min(2 * wanted, most)


def _best_of_videos(search: Search, k: int) -> SearchResult:
    """Return the best second of each of the k best videos: search on until there are k, or no more."""
    served = search.served
    allowed, wanted = search.allowed, k
    while True:
        found = served.gallery.search(search.query, wanted, allowed)
        videos = served.table.video_numbers[rows_of(served.table, found.ids)]
        _, first = np.unique(videos, return_index=True)
        if len(first) >= k or len(found.ids) < wanted:
            return only(found, np.sort(first)[:k])
        wanted *= 4


def _near(found: SearchResult, max_distance: float | None) -> SearchResult:
    return found if max_distance is None else only(found, np.flatnonzero(found.distance <= max_distance))


def only(found: SearchResult, rows: np.ndarray) -> SearchResult:
    """Return the hits at some rows alone."""
    return replace(
        found,
        ids=found.ids[rows],
        distance=found.distance[rows],
        latent=found.latent[rows],
        generated=found.generated[rows],
        latents=None if found.latents is None else found.latents[rows],
        twin_of=None if found.twin_of is None else found.twin_of[rows],
    )
