"""The concepts of seconds in words: what a second holds, and what a query and a hit share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int, UInt8

from app.library.session import Session
from model.concepts.concepts import Concepts
from model.errors import QueryError, UnknownWord
from model.frontends.prior import Prior
from model.modality import Modality

MOST = 5  # concepts that are named of one second
FLOOR = 0.1  # the least strength that is named
ABOUT = 0.1  # a broader concept is named beside a narrower one only if it is stronger by more than this


@dataclass(frozen=True)
class Reason:
    """Name a concept, and how strong it is, 0..1."""

    concept: str
    strength: float


def strengths_of(prior: Prior, stored: UInt8[np.ndarray, "n stored"]) -> Float[np.ndarray, "n concepts"]:
    """Return the strengths, 0..1, that the catalogue holds as bytes; zeros where it holds none."""
    if not stored.shape[1]:
        return np.zeros((len(stored), len(prior.concepts.names)), np.float32)
    return np.asarray(stored / np.float32(255), np.float32)


def named(concepts: Concepts, strengths: Float[np.ndarray, "n concepts"]) -> list[tuple[Reason, ...]]:
    """Return the strongest concepts of each of n rows, strongest first; none that a narrower one says as well."""
    narrower, broader, groups, firsts = _levels(concepts)
    shown = np.ascontiguousarray(strengths.T)  # a row for each concept: many seconds at once
    if len(firsts):
        said = shown[narrower] >= np.maximum(FLOOR, shown[broader] - ABOUT)
        shown[groups] *= ~np.logical_or.reduceat(said, firsts)
    rows = np.ascontiguousarray(shown.T)
    best = np.argsort(-rows, axis=1)[:, :MOST]
    strongest = np.take_along_axis(rows, best, 1)
    return [
        tuple(Reason(concepts.names[i], round(s, 3)) for i, s in zip(*row, strict=True) if s >= FLOOR)
        for row in zip(best.tolist(), strongest.tolist(), strict=True)
    ]


def concepts_of(session: Session, video_id: str, modality: Modality) -> dict[int, tuple[Reason, ...]]:
    """Return the strongest concepts of a video's seconds in one modality, by segment id, as far as there are any."""
    stored = session.library.catalogue.concepts_of(video_id, modality)
    prior = session.front_end.prior if stored else None
    if prior is None:
        return {}
    rows = strengths_of(prior, np.stack(list(stored.values())))
    return dict(zip(stored, named(prior.concepts, rows), strict=True))


def needed(prior: Prior | None, front_end: str, wish: str) -> Prior:
    """Return the prior that a wish needs. Raises QueryError where a front-end has none."""
    if prior is None:
        raise QueryError(
            f"{wish} given, but this library's front-end {front_end} has no prior: it knows no concepts. "
            "Leave that out, or use a library of the front-end pretrained, which knows some"
        )
    return prior


def number_of(concepts: Concepts, name: str) -> int:
    """Return which concept has a name. Raises UnknownWord, which names the nearest."""
    if name not in concepts.names:
        near = " or ".join(concepts.understand(name).wanted)
        raise UnknownWord(f"concept={name} given, the name of a concept expected: ask for {near}")
    return concepts.names.index(name)


@cache
def _levels(concepts: Concepts) -> tuple[Int[np.ndarray, "_"], ...]:
    """Return every pair of a concept and one broader than it, as two columns of numbers, sorted by the broader one.

    And each broader concept once, with where its pairs begin.
    """
    number = {name: i for i, name in enumerate(concepts.names)}
    pairs = sorted((number[above], number[name]) for name in concepts.names for above in concepts.broader(name))
    broader = [above for above, _ in pairs]
    groups = sorted(set(broader))
    columns = [below for _, below in pairs], broader, groups, [broader.index(above) for above in groups]
    return tuple(np.array(column, np.intp) for column in columns)
