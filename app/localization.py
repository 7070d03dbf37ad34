"""Localization: where in a video does one see what one hears, or hear what one sees?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64

from app.query import Timings, encode_segments, modality_of, present
from app.session import Session
from model.distance import distances
from model.errors import QueryError, TooLong
from model.localization import window_distances, window_probabilities
from model.media import Limits, open_medium
from model.msvae import Modality
from model.segments import Segment

Direction = Literal["a2v", "v2a"]
MODALITIES: dict[Direction, tuple[Modality, Modality]] = {
    "a2v": ("audio", "visual"),
    "v2a": ("visual", "audio"),
}
MOST_TARGET_S = 60


@dataclass(frozen=True)
class Place:
    """Ask where in `video`. The query is a stretch of the video itself, or a second file."""

    video: Path
    direction: Direction
    query_start_s: int | None = None
    query_length_s: int | None = None
    query: Path | None = None


@dataclass(frozen=True)
class Window:
    """One candidate; None and 0 where it holds a second without a latent (silence, or no picture)."""

    start_s: int
    distance: float | None
    probability: float


@dataclass(frozen=True, eq=False)
class Found:
    """Hold the best window [start_s, end_s), all windows and D(query second, target second)."""

    start_s: int
    end_s: int
    windows: tuple[Window, ...]
    matrix: Float64[np.ndarray, "length seconds"]
    fingerprint: str
    timings_ms: dict[str, float]


def localize(session: Session, place: Place, limits: Limits) -> Found:
    """Find the window of the target modality that fits the query best.

    Raises:
        MediaError: a file cannot be used. QueryError: the query does not lie in the clip or is longer.
        LibraryError: no model, or one that does not match.
    """
    timings = Timings()
    encoder = session.encoder
    query_modality, target_modality = MODALITIES[place.direction]
    with timings.stage("decode"):
        target, query = _read(place, limits, query_modality, target_modality)
    query_latents = encode_segments(session.front_end, encoder, query, query_modality, timings)
    having = present(target, target_modality, place.video.name)
    target_latents = encode_segments(session.front_end, encoder, having, target_modality, timings)
    with timings.stage("search"):
        matrix = np.full((len(query), len(target)), np.nan)
        columns = [s.start_s for s in having]
        matrix[:, columns] = distances(query_latents, target_latents, encoder.checkpoint.weights).total
        offsets = np.array([s.start_s - query[0].start_s for s in query])
        windows = window_distances(matrix, offsets=offsets)
        probabilities = window_probabilities(windows, encoder.checkpoint.temperature)
    if np.isnan(windows).all():
        raise QueryError(
            f"every window of {offsets[-1] + 1} s in {place.video.name} has a second without {target_modality}: "
            "ask with a shorter query"
        )
    best = int(np.nanargmin(windows))
    return Found(
        best,
        best + int(offsets[-1]) + 1,
        tuple(
            Window(start, None if np.isnan(d) else float(d), float(p))
            for start, (d, p) in enumerate(zip(windows, probabilities, strict=True))
        ),
        matrix,
        encoder.fingerprint,
        timings.report(),
    )


def _read(
    place: Place, limits: Limits, query_modality: Modality, target_modality: Modality
) -> tuple[list[Segment], list[Segment]]:
    """Return all segments of the target, and the query's from its first to its last that has the modality."""
    medium = open_medium(place.video, limits)
    modality_of(medium, target_modality)
    target = list(medium.segments(0, MOST_TARGET_S + 1))
    if len(target) > MOST_TARGET_S:
        raise TooLong(f"{place.video.name} lasts over {MOST_TARGET_S} s: cut out the part to search in")
    if place.query is None:
        modality_of(medium, query_modality)
        return target, present(_stretch(target, place), query_modality, place.video.name)
    if place.query_start_s is not None or place.query_length_s is not None:
        raise QueryError("give a query file, or query_start_s and query_length_s, not both")
    other = open_medium(place.query, limits)
    modality_of(other, query_modality)
    query = present(list(other.segments(0, MOST_TARGET_S + 1)), query_modality, place.query.name)
    length_s = query[-1].start_s - query[0].start_s + 1
    if length_s > len(target):
        raise QueryError(f"the query lasts {length_s} s, the clip {len(target)} s: a query must fit into the clip")
    return target, query


def _stretch(target: list[Segment], place: Place) -> list[Segment]:
    start, length = place.query_start_s, place.query_length_s
    if start is None or length is None:
        raise QueryError("give query_start_s and query_length_s, or a second file as query")
    if start < 0 or length < 1 or start + length > len(target):
        raise QueryError(
            f"the query [{start}, {start + length}) s was given, a stretch of at least 1 s within "
            f"[0, {len(target)}) expected"
        )
    return target[start : start + length]
