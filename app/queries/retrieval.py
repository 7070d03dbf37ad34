"""Retrieval: the seconds of a library whose look or sound fits a query best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool

from app.library.galleries import ServedGallery
from app.library.session import Session, rows_of
from app.media.decoding import decode_query
from app.media.timings import Timings
from app.media.upload import SmallUpload
from app.queries.encoding import Encoding, encode_many
from index.gallery import SearchResult
from index.records import Video
from model.data.latents import Latents
from model.errors import Mismatch, QueryError
from model.media.medium import Limits
from model.modality import Modality
from model.network.encoder import Encoder


@dataclass(frozen=True)
class Question:
    """Ask a library. Either a file or a segment of the library is the query; times are in seconds."""

    target: Modality
    file: Path | SmallUpload | None = None
    segment_id: int | None = None
    query_modality: Modality | None = None
    k: int = 10
    at_s: float | None = None
    label: str | None = None
    video_id: str | None = None
    after_s: float | None = None
    before_s: float | None = None
    max_distance: float | None = None
    group_by: Literal["segment", "video"] = "segment"
    merge_adjacent: bool = False

    @property
    def filters(self) -> tuple[object, ...]:
        """Return what decides which seconds may be hits."""
        return self.label, self.video_id, self.after_s, self.before_s


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


@dataclass(frozen=True, eq=False)
class Query:
    """Hold one row of latents to search by, and the modality that it was read from."""

    modality: Modality
    latents: Latents


@dataclass(frozen=True, eq=False)
class Search:
    """Look for a question's hits in a gallery."""

    served: ServedGallery
    query: Latents
    question: Question


@dataclass(frozen=True, eq=False)
class Answer:
    """Hold the hits and how they were found."""

    hits: tuple[Hit, ...]
    modality: Modality
    uncertainty: float
    fingerprint: str
    search: SearchResult
    catalogue_version: int
    timings_ms: dict[str, float]


def retrieve(session: Session, question: Question, limits: Limits) -> Answer:
    """Answer a question, step after step in this thread; `app.queries.pipeline` answers many at once by the same steps.

    Raises:
        MediaError: the query file cannot be used. QueryError: the question makes no sense.
        LibraryError: nothing to search, no model, or one that does not match.
    """
    check(question)
    timings = Timings()
    served = session.gallery(question.target)  # with its encoder: a model that is swapped in meanwhile changes nothing
    query = read_query(session, served.encoder, question, limits, timings)
    with timings.stage("search"):
        (found,) = search_many([Search(served, query.latents, question)])
    return answer(served, question, query, found, timings)


def read_query(session: Session, encoder: Encoder, question: Question, limits: Limits, timings: Timings) -> Query:
    """Return what a question asks by. Raises what `retrieve` raises of its file or segment."""
    if question.file is None:
        return stored_query(session, encoder, question)
    decoded = session.decoder.submit(
        decode_query, question.file, limits, question.at_s, question.query_modality
    ).result()
    timings.stages_ms |= decoded.timings_ms
    track = decoded.query
    with timings.stage("encode"):
        (latents,) = encode_many([Encoding(encoder, track.modality, track.rows, averaged=True)])
    return Query(track.modality, latents)


def answer(served: ServedGallery, question: Question, query: Query, found: SearchResult, timings: Timings) -> Answer:
    """Describe what was found as the gallery's version has it: the catalogue may have gone on since."""
    hits = _hits(served, found)
    rerank_ms = 1000 * found.rerank_s
    timings.add("rerank", rerank_ms)
    timings.add("search", -rerank_ms)
    return Answer(
        _merged(hits) if question.merge_adjacent else hits,
        query.modality,
        float(query.latents.sigma.mean()),
        served.encoder.fingerprint,
        found,
        served.table.catalogue_version,
        timings.report(),
    )


def check(question: Question) -> None:
    """Refuse a question that makes no sense, before its file is read. Raises QueryError."""
    if question.k < 1:
        raise QueryError(f"k={question.k} given, at least 1 expected")
    if (question.file is None) == (question.segment_id is None):
        raise QueryError("give either a file or a segment_id as the query, not both and not neither")
    if question.merge_adjacent and question.group_by == "video":
        raise QueryError("merge_adjacent and group_by=video given: a video's one second has no neighbours: give one")
    for name, value in (("at_s", question.at_s), ("max_distance", question.max_distance)):
        if value is not None and not 0 <= value < math.inf:
            raise QueryError(f"{name}={value} given, a finite number of at least 0 expected")


def stored_query(session: Session, encoder: Encoder, question: Question) -> Query:
    """Return the latents of a second of the library itself. Raises NotFound, Mismatch, QueryError."""
    segment_id = question.segment_id
    assert segment_id is not None, "checked before"
    segment = session.library.catalogue.segment(segment_id)
    modality: Modality = question.query_modality or ("audio" if segment.heard else "visual")
    table = session.library.catalogue.latent_of(segment_id, modality)  # it may be newer than what is searched
    if table.fingerprint != encoder.fingerprint:
        raise Mismatch("the library was encoded anew just now; ask again")
    if not len(table.ids):
        raise QueryError(f"segment {segment_id} has no {modality} latent: ask by its other modality")
    return Query(modality, table.latents)


def search_many(searches: Sequence[Search]) -> list[SearchResult]:
    """Return what each finds; those of one gallery, one k and the same filters are searched for together."""
    found: dict[int, SearchResult] = {}
    together: dict[tuple[object, ...], list[int]] = {}
    for place, (served, query, question) in enumerate((s.served, s.query, s.question) for s in searches):
        if question.group_by == "video":
            found[place] = _best_of_videos(served, query, question.k, _allowed(served, question))
        else:
            together.setdefault((id(served), question.k, *question.filters), []).append(place)
    for places in together.values():
        served, question = searches[places[0]].served, searches[places[0]].question
        queries = Latents.concatenate(searches[place].query for place in places)
        allowed = _allowed(served, question)
        found |= zip(places, served.gallery.search_batch(queries, question.k, allowed), strict=True)
    return [_near(found[place], search.question.max_distance) for place, search in enumerate(searches)]


def _near(found: SearchResult, max_distance: float | None) -> SearchResult:
    return found if max_distance is None else _only(found, np.flatnonzero(found.distance <= max_distance))


def _best_of_videos(
    served: ServedGallery, query: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None
) -> SearchResult:
    """Return the best second of each of the k best videos: search on until there are k, or no more."""
    wanted = k
    while True:
        found = served.gallery.search(query, wanted, allowed)
        videos = served.table.video_ids[rows_of(served.table, found.ids)]
        _, first = np.unique(videos, return_index=True)
        if len(first) >= k or len(found.ids) < wanted:
            return _only(found, np.sort(first)[:k])
        wanted *= 4


def _allowed(served: ServedGallery, question: Question) -> Bool[np.ndarray, "n"] | None:
    table = served.table
    masks = []
    if question.label is not None:
        masks.append(table.labels == question.label)
    if question.video_id is not None:
        masks.append(table.video_ids == question.video_id)
    if question.after_s is not None:
        masks.append(table.start_s >= question.after_s)
    if question.before_s is not None:
        masks.append(table.start_s + 1 <= question.before_s)
    return np.asarray(np.logical_and.reduce(masks)) if masks else None


def _only(found: SearchResult, rows: np.ndarray) -> SearchResult:
    return replace(
        found,
        ids=found.ids[rows],
        distance=found.distance[rows],
        latent=found.latent[rows],
        generated=found.generated[rows],
    )


def _hits(served: ServedGallery, found: SearchResult) -> tuple[Hit, ...]:
    table, hits = served.table, []
    for place, row in enumerate(rows_of(table, found.ids).tolist()):
        hits.append(
            Hit(
                rank=place + 1,
                segment_id=int(found.ids[place]),
                video=table.videos[str(table.video_ids[row])],
                start_s=int(table.start_s[row]),
                end_s=int(table.start_s[row]) + 1,
                heard=bool(table.heard[row]),
                seen=bool(table.seen[row]),
                distance=float(found.distance[place]),
                latent=float(found.latent[place]),
                generated=float(found.generated[place]),
            )
        )
    return tuple(hits)


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
    return tuple(replace(hit, rank=place) for place, hit in enumerate(best, 1))
