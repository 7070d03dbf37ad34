"""Retrieval: the seconds of a library whose look or sound fits a query best."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.library.galleries import ServedGallery, rows_of
from app.media.timings import Timings
from app.queries.query import EncodedQuery, Query, QueryWork
from app.queries.question import Question
from app.queries.search import Search
from app.queries.work import Answer, Serving
from index.gallery import SearchResult
from index.records import Video
from model.errors import QueryError
from model.modality import Modality


@dataclass(frozen=True)
class Hit:
    """A second of the library, in [start_s, end_s): itself, or a run of hits of which it is the nearest.

    `distance` = `latent` + `generated`, small is close.
    """

    rank: int
    segment_id: int
    video: Video
    start_s: int
    end_s: int
    heard: bool
    seen: bool
    distance: float
    latent: float
    generated: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Hits(Answer):
    """Hold the hits and how they were found."""

    hits: tuple[Hit, ...]
    modality: Modality
    uncertainty: float
    search: SearchResult
    catalogue_version: int


@dataclass(frozen=True, eq=False)
class Retrieval(QueryWork[Hits]):
    """Ask a question by a query."""

    question: Question
    query: Query

    @property
    def target(self) -> Modality:
        """Return the modality of the seconds that are looked for."""
        return self.question.target

    def check(self) -> None:
        """Refuse what makes no sense. Raises QueryError."""
        super().check()
        if self.question.merge_adjacent and self.question.group_by == "video":
            raise QueryError(
                "merge_adjacent and group_by=video given: with one second a video there are no neighbours to merge; "
                "give one of the two"
            )

    def search(self, gallery: ServedGallery, encoded: EncodedQuery) -> Search:
        """Look for the query's neighbours."""
        return Search(gallery, encoded.latents, self.question)

    def finish(self, serving: Serving, encoded: EncodedQuery, found: SearchResult | None, timings: Timings) -> Hits:
        """Describe what was found as the gallery's version has it: the catalogue may have gone on since."""
        assert serving.gallery is not None, "a retrieval has a target"
        assert found is not None, "it was searched for"
        hits = _hits(serving.gallery, found)
        rerank_ms = 1000 * found.rerank_s
        timings.add("rerank", rerank_ms)
        timings.add("search", -rerank_ms)
        return Hits(
            hits=_merged(hits) if self.question.merge_adjacent else hits,
            modality=encoded.modality,
            uncertainty=encoded.uncertainty,
            fingerprint=serving.encoder.fingerprint,
            search=found,
            catalogue_version=serving.gallery.table.catalogue_version,
            timings_ms=timings.report(),
        )


def _hits(served: ServedGallery, found: SearchResult) -> tuple[Hit, ...]:
    table = served.table
    return tuple(
        Hit(
            rank=rank,
            segment_id=int(found.ids[rank - 1]),
            video=table.videos[str(table.video_ids[row])],
            start_s=int(table.start_s[row]),
            end_s=int(table.start_s[row]) + 1,
            heard=bool(table.heard[row]),
            seen=bool(table.seen[row]),
            distance=float(found.distance[rank - 1]),
            latent=float(found.latent[rank - 1]),
            generated=float(found.generated[rank - 1]),
        )
        for rank, row in enumerate(rows_of(table, found.ids).tolist(), 1)
    )


def _merged(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Return one hit for each run of adjacent seconds of a video: its nearest, over the whole run."""
    runs: list[list[Hit]] = []
    for hit in sorted(hits, key=lambda hit: (hit.video.video_id, hit.start_s)):
        last = runs[-1][-1] if runs else None
        if last and (last.video.video_id, last.end_s) == (hit.video.video_id, hit.start_s):
            runs[-1].append(hit)
        else:
            runs.append([hit])
    best = [replace(min(run, key=lambda hit: hit.rank), start_s=run[0].start_s, end_s=run[-1].end_s) for run in runs]
    best.sort(key=lambda hit: hit.rank)
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(best, 1))
