"""Retrieval: the seconds of a library whose look or sound fits a query best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from app.library.galleries import ServedGallery, rows_of
from app.library.session import Session
from app.media.decoding import Decoded, decode_text
from app.media.timings import Timings
from app.processes.decoder import Call
from app.queries.encoding import Encoding
from app.queries.query import EncodedQuery, Query, QueryWork
from app.queries.question import Question
from app.queries.reasons import Reason, named, needed, number_of, strengths_of
from app.queries.search import Search, only
from app.queries.work import Answer, Serving
from index.gallery import SearchResult
from index.records import Video
from model.data.latents import Latents
from model.errors import EmptyLibrary, LibraryChanged, QueryError
from model.frontends.prior import Prior
from model.media.medium import Limits
from model.modality import MODALITIES, Modality
from model.network.match import Asked, Verdict, verdict_of


@dataclass(frozen=True)
class Hit:
    """A second of the library, in [start_s, end_s): itself, or a run of hits of which it is the nearest.

    `distance` = `latent` + `generated`, small is close. `match`: the probability that it belongs to the query, None
    where the model has no calibration. `chance`: that the best unrelated second of this library is as good. `reasons`:
    the concepts that it shares with the query. `twins`: the same picture or sound again, in other videos.
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
    match: float | None
    chance: float | None
    reasons: tuple[Reason, ...]
    twins: tuple[Hit, ...] = ()

    @property
    def fit(self) -> Verdict | None:
        """Return in words what its chance means; None without a calibration."""
        return None if self.chance is None else verdict_of(self.chance)


@dataclass(frozen=True)
class HowFound:
    """Say how hits were found, as SearchResult says it."""

    certified: bool
    examined: int
    gallery_size: int
    path: str
    bound_gap: float | None
    recall: float | None

    @staticmethod
    def of(found: SearchResult) -> HowFound:
        """Leave out what the hits hold themselves: an answer goes from one process to another."""
        return HowFound(found.certified, found.examined, found.gallery_size, found.path, found.bound_gap, found.recall)


@dataclass(frozen=True, eq=False, kw_only=True)
class Hits(Answer):
    """Hold the hits and how they were found, and what is known of the query: its modality or "text", its concepts."""

    hits: tuple[Hit, ...]
    verdict: Verdict | None
    modality: Modality | Literal["text"]
    uncertainty: float
    concepts: tuple[Reason, ...]
    search: HowFound
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

    def decoding(self, limits: Limits) -> Call[Decoded] | None:
        """Return how the file is decoded, or the text read. The call also raises UnknownWord."""
        if self.query.text is None:
            return super().decoding(limits)
        return Call(decode_text, (self.query.text, self.target))

    def encodings(self, serving: Serving) -> list[Encoding]:
        """Return the rows of a file, or the one of a text with what is usual where it says nothing."""
        encodings = super().encodings(serving)
        if self.query.text is None:
            return encodings
        (asked,) = encodings
        rows = np.where(np.isnan(asked.track.rows), serving.encoder.usual(self.target), asked.track.rows)
        return [replace(asked, track=replace(asked.track, rows=rows))]

    def encoded(self, session: Session, serving: Serving, latents: Sequence[Latents]) -> EncodedQuery:
        """Return the query, and which items have the concept that is asked for. Raises as `QueryWork.encoded`."""
        match, asked = serving.encoder.checkpoint.match, self.question
        if self.query.text is None:
            query = super().encoded(session, serving, latents)
        else:
            query = EncodedQuery(self.target, latents[0], self._wanted(serving))
        by = self._asked_by(query)
        if asked.min_match is not None and (match is None or not match.knows(by, self.target)):
            raise QueryError(
                f"min_match={asked.min_match} given, but the model {serving.encoder.fingerprint} has no calibration "
                f"of {by} that asks for {self.target}: leave it out, or use max_distance"
            )
        if asked.concept is None:
            return query
        assert serving.gallery is not None, "a retrieval has a target"
        return replace(query, having=_having(session, serving.gallery, self.target, asked.concept))

    def search(self, gallery: ServedGallery, encoded: EncodedQuery) -> Search:
        """Look for the query's neighbours."""
        return Search(gallery, encoded.latents, self.question, encoded.having)

    def finish(self, serving: Serving, encoded: EncodedQuery, found: SearchResult | None, timings: Timings) -> Hits:
        """Describe what was found as the gallery's version has it: the catalogue may have gone on since."""
        assert serving.gallery is not None, "a retrieval has a target"
        assert found is not None, "it was searched for"
        matches = _matches(serving, self._asked_by(encoded), self.target, encoded.latents, found)
        if matches is not None and self.question.min_match is not None:
            kept = np.flatnonzero(matches >= self.question.min_match)
            found, matches = only(found, kept), matches[kept]
        chances = self._chances(serving.gallery, encoded, matches)
        hits = _hits(serving.gallery, found, matches, chances, encoded.concepts)
        if found.twin_of is not None:
            hits = _folded(hits, found.twin_of)[: self.question.k]
        rerank_ms = 1000 * found.rerank_s
        timings.add("rerank", rerank_ms)
        timings.add("search", -rerank_ms)
        return Hits(
            hits=_merged(hits) if self.question.merge_adjacent else hits,
            verdict=self._verdict(serving.gallery, encoded, found, chances),
            modality=self._asked_by(encoded),
            concepts=_own_concepts(serving.prior, encoded.concepts),
            uncertainty=encoded.uncertainty,
            fingerprint=serving.encoder.fingerprint,
            search=HowFound.of(found),
            catalogue_version=serving.gallery.table.catalogue_version,
            timings_ms=timings.report(),
        )

    def _verdict(
        self,
        served: ServedGallery,
        encoded: EncodedQuery,
        found: SearchResult,
        chances: Float64[np.ndarray, "k"] | None,
    ) -> Verdict | None:
        """Judge an answer by its best hit; None without a calibration, or if all hits are of the query's own video.

        A second of the library finds itself and its neighbours by the same modality: those say nothing.
        """
        if chances is None:
            return None
        if encoded.video_id is not None and self._asked_by(encoded) == self.target:
            others = served.table.video_ids_at(rows_of(served.table, found.ids)) != encoded.video_id
            if len(chances) and not others.any():
                return None
            chances = chances[others]
        return verdict_of(float(chances.min(initial=1.0)))

    def _chances(
        self, served: ServedGallery, encoded: EncodedQuery, matches: Float64[np.ndarray, "k"] | None
    ) -> Float64[np.ndarray, "k"] | None:
        """Return for each hit the chance that an unrelated one is as good; None without a calibration."""
        match = served.encoder.checkpoint.match
        if match is None or matches is None:
            return None
        videos = served.count_videos(self.question.filters.mask(served.table, encoded.having))
        return match.chance(self._asked_by(encoded), self.target, matches, videos)

    def _asked_by(self, encoded: EncodedQuery) -> Asked:
        """Return the query's modality; a text has none."""
        return encoded.modality if self.query.text is None else "text"

    def _wanted(self, serving: Serving) -> Float[np.ndarray, "concepts"] | None:
        """Return 1 for each concept that the text wants, else 0; None without a prior."""
        assert self.query.text is not None, "a question of words"
        if serving.prior is None:
            return None
        wanted = serving.prior.concepts.understand(self.query.text).wanted
        return np.array([name in wanted for name in serving.prior.concepts.names], np.float32)


def _having(session: Session, served: ServedGallery, target: Modality, concept: str) -> Bool[np.ndarray, "n"]:
    """Return in which of a gallery's n seconds a concept is heard or seen.

    Raises QueryError, UnknownWord, LibraryChanged.
    """
    prior = needed(served.prior, served.encoder.checkpoint.front_end, f"concept={concept}")
    column = number_of(prior.concepts, concept)

    (other,) = (modality for modality in MODALITIES if modality != target)
    try:
        beside = session.gallery(other)
    except EmptyLibrary:
        return served.table.has_concept(column)
    if beside.encoder.fingerprint != served.encoder.fingerprint:
        raise LibraryChanged("the library was encoded anew just now: ask again")
    there = beside.table.ids[beside.table.has_concept(column)]
    return served.table.has_concept(column) | np.isin(served.table.ids, there)


def _matches(
    serving: Serving, query: Asked, target: Modality, asked: Latents, found: SearchResult
) -> Float64[np.ndarray, "k"] | None:
    """Return the probability that each hit belongs to the query; None without a calibration of such queries."""
    match = serving.encoder.checkpoint.match
    if match is None or not match.knows(query, target) or serving.gallery is None:
        return None
    return match.probability(query, target, asked, serving.gallery.latents_of(found), found.distance)


def _own_concepts(prior: Prior | None, concepts: Float[np.ndarray, "concepts"] | None) -> tuple[Reason, ...]:
    return () if prior is None or concepts is None else named(prior.concepts, concepts[None])[0]


def _reasons(
    served: ServedGallery, rows: Int[np.ndarray, "k"], concepts: Float[np.ndarray, "concepts"] | None
) -> list[tuple[Reason, ...]]:
    """Return which concepts each hit shares with the query: as strong as they are in the weaker of both."""
    prior = served.prior
    if prior is None or concepts is None:
        return [()] * len(rows)
    return named(prior.concepts, np.minimum(concepts, strengths_of(prior, served.table.concepts[rows])))


def _hits(
    served: ServedGallery,
    found: SearchResult,
    matches: Float64[np.ndarray, "k"] | None,
    chances: Float64[np.ndarray, "k"] | None,
    concepts: Float[np.ndarray, "concepts"] | None,
) -> tuple[Hit, ...]:
    table, rows = served.table, rows_of(served.table, found.ids)
    reasons = _reasons(served, rows, concepts)
    videos = table.video_ids_at(rows).tolist()
    return tuple(
        Hit(
            rank=rank,
            segment_id=int(found.ids[rank - 1]),
            video=table.videos[videos[rank - 1]],
            start_s=int(table.start_s[row]),
            end_s=int(table.start_s[row]) + 1,
            heard=bool(table.heard[row]),
            seen=bool(table.seen[row]),
            distance=float(found.distance[rank - 1]),
            latent=float(found.latent[rank - 1]),
            generated=float(found.generated[rank - 1]),
            match=None if matches is None else float(matches[rank - 1]),
            chance=None if chances is None else float(chances[rank - 1]),
            reasons=reasons[rank - 1],
        )
        for rank, row in enumerate(rows.tolist(), 1)
    )


def _folded(hits: tuple[Hit, ...], twin_of: Int[np.ndarray, "k"]) -> tuple[Hit, ...]:
    """Return the best hit of each set of twins, with the others, ranked anew."""
    twins: dict[int, list[Hit]] = {}
    for hit, of in zip(hits, twin_of.tolist(), strict=True):
        twins.setdefault(of, []).append(hit)
    folded = ((first, rest) for first, *rest in twins.values())
    return tuple(replace(hit, rank=rank, twins=tuple(rest)) for rank, (hit, rest) in enumerate(folded, 1))


def _merged(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Return one hit for each run of adjacent seconds of a video: its nearest, over the whole run."""
    runs: list[list[Hit]] = []
    for hit in sorted(hits, key=lambda hit: (hit.video.video_id, hit.start_s)):
        last = runs[-1][-1] if runs else None
        if last and (last.video.video_id, last.end_s) == (hit.video.video_id, hit.start_s):
            runs[-1].append(hit)
        else:
            runs.append([hit])
    best = [
        replace(
            min(run, key=lambda hit: hit.rank),
            start_s=run[0].start_s,
            end_s=run[-1].end_s,
            twins=tuple(twin for hit in run for twin in hit.twins),
        )
        for run in runs
    ]
    best.sort(key=lambda hit: hit.rank)
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(best, 1))
