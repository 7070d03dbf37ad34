"""What each version of a library held, and which answers are not of the version that they name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from index.brute_force import BruteForceGallery
from index.catalogue import Catalogue
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.modality import MODALITIES, Modality

ROUNDING = 1e-5  # of a latent that was encoded alone, against one of a batch
Item = tuple[int, float, str, str | None]  # segment id, distance, video id, label


@dataclass(frozen=True)
class Question:
    """Ask with the query of a number; `label` filters, `by_video` groups."""

    query: int
    target: Modality
    k: int
    label: str | None
    by_video: bool

    @property
    def fields(self) -> dict[str, Any]:
        """Return it as fields of a request, without the query."""
        group_by = "video" if self.by_video else "segment"
        return {"target": self.target, "k": self.k, "group_by": group_by, "label": self.label}


@dataclass(frozen=True)
class Answer:
    """Hold what was answered, of which version, and how long it took."""

    question: Question
    version: int
    gallery_size: int
    path: str
    hits: tuple[Item, ...]
    spent_ms: float


@dataclass(frozen=True, eq=False)
class State:
    """Hold what one version of the catalogue has of one modality: ids ascending, each with its video and label."""

    ids: np.ndarray
    videos: np.ndarray
    labels: np.ndarray


@dataclass
class History:
    """Keep what a catalogue held, by version and modality.

    `latents` is by modality and segment id: those of a segment never change here, which is checked.
    """

    versions: dict[int, dict[Modality, State]] = field(default_factory=dict)
    latents: dict[tuple[Modality, int], Latents] = field(default_factory=dict)

    def note(self, catalogue: Catalogue) -> None:
        """Note what a catalogue holds now, while nobody writes. RuntimeError if a segment's latents have changed."""
        tables = {modality: catalogue.latents(modality) for modality in MODALITIES}
        (version,) = {table.catalogue_version for table in tables.values()}
        self.versions[version] = {m: State(t.ids, t.video_ids, t.labels) for m, t in tables.items()}
        for modality, table in tables.items():
            for row, segment_id in enumerate(table.ids.tolist()):
                here = table.latents[[row]]
                kept = self.latents.setdefault((modality, segment_id), here)
                if not all(np.array_equal(getattr(kept, name), value) for name, value in vars(here).items()):
                    raise RuntimeError(f"the {modality} latents of segment {segment_id} have changed")

    def gallery(self, version: int, modality: Modality, weights: ScoreWeights) -> BruteForceGallery:
        """Return a gallery of what a version held."""
        ids = self.versions[version][modality].ids
        rows = [self.latents[modality, segment_id] for segment_id in ids.tolist()]
        return BruteForceGallery(ids, Latents.concatenate(rows), weights)

    def torn_among(self, answers: Iterable[Answer], queries: Sequence[Latents], weights: ScoreWeights) -> Iterator[str]:
        """Yield what is odd of each answer that is not what a search of everything finds in the version it names."""
        galleries: dict[Modality, BruteForceGallery] = {}
        at = None
        for answer in sorted(answers, key=lambda answer: answer.version):
            question, version = answer.question, answer.version
            if version not in self.versions:
                yield f"{question}: version {version} is none that was written"
                continue
            if version != at:
                galleries, at = {}, version
            if question.target not in galleries:
                galleries[question.target] = self.gallery(version, question.target, weights)
            gallery, state = galleries[question.target], self.versions[version][question.target]
            ranked = ranking(gallery, state, question, queries[question.query])
            expected = expected_hits(ranked, question)
            if answer.gallery_size != len(gallery) or not are_right(answer, expected, ranked):
                odd = [(there, due) for there, due in zip(answer.hits, expected, strict=False) if there != due]
                yield (
                    f"{question}: version {version}, {len(answer.hits)} hits of {answer.gallery_size} given, "
                    f"{len(expected)} of {len(gallery)} expected; (given, expected) differ in {odd[:2]}"
                )


def ranking(gallery: BruteForceGallery, state: State, question: Question, query: Latents) -> list[Item]:
    """Return all that a question allows, nearest first."""
    allowed = None if question.label is None else state.labels == question.label
    if allowed is not None and not allowed.any():
        return []
    found = gallery.search(query, len(gallery), allowed)
    rows = np.searchsorted(state.ids, found.ids)
    return [
        (int(found.ids[i]), float(found.distance[i]), str(state.videos[row]), str(state.labels[row]) or None)
        for i, row in enumerate(rows)
    ]


def expected_hits(ranked: Sequence[Item], question: Question) -> list[Item]:
    """Return the answer to a question: the first k, of each video the first where it asks for videos."""
    if question.by_video:
        first: dict[str, Item] = {}
        for item in ranked:
            first.setdefault(item[2], item)
        ranked = list(first.values())
    return list(ranked[: question.k])


def are_right(answer: Answer, expected: Sequence[Item], ranked: Sequence[Item]) -> bool:
    """Say whether an answer is the expected one but for what encoding in another batch rounds.

    Items that are as near as that may change places: each hit is an item as it is, once, at its place's distance.
    """
    items = {item[0]: item for item in ranked}
    once = {hit[2] if answer.question.by_video else hit[0] for hit in answer.hits}
    return (
        len(answer.hits) == len(expected) == len(once)
        and all(hit[0] in items and is_alike(hit, items[hit[0]]) for hit in answer.hits)
        and all(is_near(hit[1], due[1]) for hit, due in zip(answer.hits, expected, strict=True))
    )


def is_alike(given: Item, expected: Item) -> bool:
    """Say whether two hits are the same but for rounding."""
    return (given[0], *given[2:]) == (expected[0], *expected[2:]) and is_near(given[1], expected[1])


def is_near(given: float, expected: float) -> bool:
    """Say whether two distances are the same but for rounding."""
    return math.isclose(given, expected, rel_tol=ROUNDING, abs_tol=ROUNDING)
