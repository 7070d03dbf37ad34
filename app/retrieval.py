"""Retrieval: the seconds of a library whose look or sound fits a query best."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool

from app.query import Timings, encode_segments, read_query
from app.session import Session, rows_of
from app.shelves import Shelf
from index.catalogue import Video
from index.gallery import SearchResult
from model.encoder import Encoder
from model.errors import Mismatch, QueryError
from model.latents import Latents
from model.media import Limits
from model.msvae import Modality


@dataclass(frozen=True)
class Question:
    """Ask a library. Either a file or a segment of the library is the query; times are in seconds."""

    target: Modality
    file: Path | None = None
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
    """Answer a question.

    Raises:
        MediaError: the query file cannot be used. QueryError: the question makes no sense.
        LibraryError: nothing to search, no model, or one that does not match.
    """
    _check(question)
    timings = Timings()
    shelf = session.shelf(question.target)  # with its encoder: a model that is swapped in meanwhile changes nothing
    modality, query = _encode(session, shelf.encoder, question, limits, timings)
    with timings.stage("search"):
        found = _search(shelf, query, question)
        hits = _hits(shelf, found)
        hits = _merged(hits) if question.merge_adjacent else hits
    return Answer(
        hits,
        modality,
        float(query.sigma.mean()),
        shelf.encoder.fingerprint,
        found,
        shelf.table.catalogue_version,
        timings.report(),
    )


def _check(question: Question) -> None:
    if question.k < 1:
        raise QueryError(f"k={question.k} given, at least 1 expected")
    if (question.file is None) == (question.segment_id is None):
        raise QueryError("give either a file or a segment_id as the query, not both and not neither")
    if question.merge_adjacent and question.group_by == "video":
        raise QueryError("merge_adjacent and group_by=video given: a video's one second has no neighbours: give one")
    for name, value in (("at_s", question.at_s), ("max_distance", question.max_distance)):
        if value is not None and not 0 <= value < math.inf:
            raise QueryError(f"{name}={value} given, a finite number of at least 0 expected")


def _encode(
    session: Session, encoder: Encoder, question: Question, limits: Limits, timings: Timings
) -> tuple[Modality, Latents]:
    if question.file is None:
        assert question.segment_id is not None, "checked above"
        return _stored(session, encoder, question.segment_id, question.query_modality)
    with timings.stage("decode"):
        modality, segments = read_query(question.file, limits, question.at_s, question.query_modality)
    latents = encode_segments(session.front_end, encoder, segments, modality, timings)
    return modality, latents if len(latents) == 1 else encoder.average(latents)


def _stored(session: Session, encoder: Encoder, segment_id: int, asked: Modality | None) -> tuple[Modality, Latents]:
    """Return the latents of a second of the library itself."""
    segment = session.library.catalogue.segment(segment_id)
    modality: Modality = asked or ("audio" if segment.heard else "visual")
    for fresh in (False, True):  # it may be newer than what is searched
        table = session.shelf(modality, fresh).table
        if table.fingerprint != encoder.fingerprint:
            raise Mismatch("the library was encoded anew just now; ask again")
        rows = np.flatnonzero(table.ids == segment_id)
        if len(rows):
            break
    else:
        raise QueryError(f"segment {segment_id} has no {modality} latent: ask by its other modality")
    return modality, table.latents[rows]


def _search(shelf: Shelf, query: Latents, question: Question) -> SearchResult:
    allowed = _allowed(shelf, question)
    if question.group_by == "segment":
        found = shelf.gallery.search(query, question.k, allowed)
    else:
        found = _best_of_videos(shelf, query, question.k, allowed)
    if question.max_distance is None:
        return found
    return _only(found, np.flatnonzero(found.distance <= question.max_distance))


def _best_of_videos(shelf: Shelf, query: Latents, k: int, allowed: Bool[np.ndarray, "n"] | None) -> SearchResult:
    """Return the best second of each of the k best videos: search on until there are k, or no more."""
    wanted = k
    while True:
        found = shelf.gallery.search(query, wanted, allowed)
        videos = shelf.table.video_ids[rows_of(shelf.table, found.ids)]
        _, first = np.unique(videos, return_index=True)
        if len(first) >= k or len(found.ids) < wanted:
            return _only(found, np.sort(first)[:k])
        wanted *= 4


def _allowed(shelf: Shelf, question: Question) -> Bool[np.ndarray, "n"] | None:
    table = shelf.table
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


def _hits(shelf: Shelf, found: SearchResult) -> tuple[Hit, ...]:
    """Describe what was found as the shelf's version has it: the catalogue may have gone on since."""
    table, hits = shelf.table, []
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
