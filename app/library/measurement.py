"""How good the library's answers are, on its own labelled videos, through the latents that it serves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.library.features import annotation_of
from app.library.one_at_a_time import OneAtATime
from app.library.session import Session
from index.records import LatentTable, SegmentRow, Video
from model.data.corpus import Timeline
from model.data.latents import Latents
from model.errors import LibraryBusy, MeasureBusy, NotFound, NothingLabelled
from model.judging.evaluation import Report, evaluate
from model.judging.scorers import LatentScorer, RandomScorer
from model.modality import MODALITIES, Modality
from model.network.encoder import Encoder

GALLERIES = 20
TRIES = 3  # to read the library while others write to it
MOST_VIDEOS = 400  # a random part of a larger library is measured
MOST_WAITING = 4  # requests beside the one that measures


@dataclass(frozen=True)
class Measurement:
    """Hold the library's report and chance's, and what they were measured on."""

    echolens: Report
    chance: Report
    videos: int
    labelled: int
    trained_on: int
    galleries: int
    seed: int
    fingerprint: str
    catalogue_version: int


class Measure:
    """Measure a session's library; the last result is kept as long as the library does not change."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._one_at_a_time = OneAtATime(MOST_WAITING, _busy)
        self._last: Measurement | None = None

    def current(self, seed: int = 0) -> Measurement:
        """Return the figures of the library as it is. NothingLabelled, MeasureBusy, LibraryError."""
        with self._one_at_a_time.take():
            version = self._session.library.catalogue.catalogue_version
            if self._last is None or (self._last.catalogue_version, self._last.seed) != (version, seed):
                self._last = measure(self._session, seed)
            return self._last


def measure(session: Session, seed: int = 0) -> Measurement:
    """Score the latents of the catalogue with the distance that search ranks by.

    Raises NothingLabelled, and LibraryBusy where the library changes faster than it can be read.
    """
    catalogue = session.library.catalogue
    for _ in range(TRIES):
        version = catalogue.catalogue_version
        try:
            read = _read(session, seed)
        except NotFound:  # a video was deleted while the videos were read
            continue
        if {version, catalogue.catalogue_version} == read.versions:
            return _evaluated(read, seed)
    raise LibraryBusy("the library changed while it was read, three times over: measure when nothing is being written")


@dataclass(frozen=True, eq=False)
class Read:
    """Hold what is measured: the chosen labelled videos' seconds, and their latents in rows alike."""

    encoder: Encoder
    tables: dict[Modality, LatentTable]
    chosen: list[Video]
    labelled: int
    seconds: list[list[SegmentRow]]

    @property
    def versions(self) -> set[int]:
        """Return the catalogue versions that the latents are of."""
        return {table.catalogue_version for table in self.tables.values()}


def _read(session: Session, seed: int) -> Read:
    tables: dict[Modality, LatentTable] = {m: session.table(m) for m in MODALITIES}
    labelled = [v for v in session.library.catalogue.every_video() if v.label is not None]
    chosen = labelled
    if len(labelled) > MOST_VIDEOS:
        rows = np.random.default_rng(seed).choice(len(labelled), MOST_VIDEOS, replace=False)
        chosen = [labelled[row] for row in np.sort(rows)]
    if not chosen:
        raise NothingLabelled(
            "the library has no labelled video to measure with; label some with: "
            "echolens ingest DIR --labels CSV, or PATCH /videos/{id}"
        )
    seconds = [session.library.catalogue.segments_of(v.video_id) for v in chosen]
    return Read(session.encoder, tables, chosen, len(labelled), seconds)


def _evaluated(read: Read, seed: int) -> Measurement:
    timeline = Timeline.of(
        [
            (
                annotation_of(video),
                np.array([r.start_s for r in rows], np.int64),
                np.array([r.heard for r in rows], bool),
                np.array([r.seen for r in rows], bool),
            )
            for video, rows in zip(read.chosen, read.seconds, strict=True)
        ]
    )
    ids = np.array([r.segment_id for rows in read.seconds for r in rows], np.int64)
    checkpoint = read.encoder.checkpoint
    scorer = LatentScorer({m: _aligned(read.tables[m], ids) for m in MODALITIES}, checkpoint.weights)
    return Measurement(
        evaluate(timeline, scorer, GALLERIES, seed),
        evaluate(timeline, RandomScorer(seed), GALLERIES, seed),
        len(read.chosen),
        read.labelled,
        checkpoint.trained_on(v.video_id for v in read.chosen),
        GALLERIES,
        seed,
        read.encoder.fingerprint,
        *read.versions,
    )


def _aligned(table: LatentTable, ids: np.ndarray) -> Latents:
    """Return one row per segment; one without a latent gets another's, which the timeline's masks leave out."""
    rows = np.minimum(np.searchsorted(table.ids, ids), len(table.ids) - 1)
    return table.latents[rows]


def _busy() -> MeasureBusy:
    return MeasureBusy(f"the library is being measured and {MOST_WAITING} more wait for it: ask again in a moment")
