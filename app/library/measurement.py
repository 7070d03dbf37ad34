"""How good the library's answers are, by own video and by label, through the latents that it serves."""

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
from model.judging.own_video import OwnVideo, own_video
from model.judging.scorers import LatentScorer, RandomScorer
from model.modality import MODALITIES, Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

GALLERIES = 20
TRIES = 3  # to read the library while others write to it
MOST_VIDEOS = 400  # a random part of a larger library is measured
MOST_WAITING = 4  # requests beside the one that measures
COPIES = "by own video, a copy of a video counts as another video: finding it is a miss"
UNLABELLED_LIBRARY = (
    "the library has no labelled video; label some with: echolens ingest DIR --labels CSV, or PATCH /videos/{id}"
)


@dataclass(frozen=True)
class MeasuredModel:
    """Say which recipe made the model, if it is known, and on how many videos it was trained."""

    recipe: str | None
    trained_videos: int

    @staticmethod
    def of(checkpoint: Checkpoint) -> MeasuredModel:
        """Read it from the checkpoint's report of its training."""
        recipe = checkpoint.training.get("recipe")
        name = recipe.get("name") if isinstance(recipe, dict) else recipe
        return MeasuredModel(name, len(checkpoint.training.get("trained_on", ())))


@dataclass(frozen=True)
class Measurement:
    """Hold the figures by own video and by label, and what they were measured on.

    By label: the library's report and chance's, None where fewer than two videos are labelled; `videos` labelled videos
    of `labelled` were measured. `trained_on` counts those of them that the model was trained on, `own_trained_on` those
    of the videos measured by own video.
    """

    own_video: OwnVideo
    own_trained_on: int
    echolens: Report | None
    chance: Report | None
    videos: int
    labelled: int
    trained_on: int
    model: MeasuredModel
    notes: tuple[str, ...]
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
        """Return the figures of the library as it is. NothingToMeasure, MeasureBusy, LibraryError."""
        with self._one_at_a_time.take():
            version = self._session.library.catalogue.catalogue_version
            if self._last is None or (self._last.catalogue_version, self._last.seed) != (version, seed):
                self._last = measure(self._session, seed)
            return self._last


def measure(session: Session, seed: int = 0) -> Measurement:
    """Score the latents of the catalogue with the distance that search ranks by.

    Raises NothingToMeasure, and LibraryBusy where the library changes faster than it can be read.
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
    """Hold what is measured: the latents of all videos, and the seconds of the chosen labelled ones."""

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
    seconds = [session.library.catalogue.segments_of(v.video_id) for v in chosen]
    return Read(session.encoder, tables, chosen, len(labelled), seconds)


def _evaluated(read: Read, seed: int) -> Measurement:
    checkpoint = read.encoder.checkpoint
    own, ids = _own_video(read, seed)
    own_trained_on = checkpoint.trained_on(ids)
    notes = notes_of(own_trained_on, own.all.gallery)
    try:
        echolens, chance = _by_label(read, seed)
    except NothingLabelled as error:
        echolens, chance = None, None
        notes = (*notes, f"nothing is measured by label: {error}")
    measured = read.chosen if echolens else []
    return Measurement(
        own,
        own_trained_on,
        echolens,
        chance,
        len(measured),
        read.labelled,
        checkpoint.trained_on(v.video_id for v in measured),
        MeasuredModel.of(checkpoint),
        notes,
        GALLERIES,
        seed,
        read.encoder.fingerprint,
        *read.versions,
    )


def notes_of(trained_on: int, videos: int) -> tuple[str, ...]:
    """Return what a reader of figures by own video must know."""
    if not trained_on:
        return (COPIES,)
    learnt = (
        f"the model was trained on {trained_on} of these {videos} videos: on those, the figures show what it learnt by "
        "heart, not how well it finds new footage"
    )
    return COPIES, learnt


def _own_video(read: Read, seed: int) -> tuple[OwnVideo, list[str]]:
    """Return the figures of at most 400 videos with sound and picture, and the ids of these videos."""
    audio, visual = (read.tables[m] for m in MODALITIES)
    _, rows, visual_rows = np.intersect1d(audio.ids, visual.ids, return_indices=True)
    numbers, video = np.unique(audio.video_numbers[rows], return_inverse=True)
    names = audio.video_columns.ids[numbers]
    video, names = np.argsort(np.argsort(names))[video], np.sort(names)  # drawn by id, whatever their order
    chosen = np.sort(np.random.default_rng(seed).permutation(len(names))[:MOST_VIDEOS])
    kept = np.flatnonzero(np.isin(video, chosen))
    kept = kept[np.argsort(video[kept], kind="stable")]
    latents: dict[Modality, Latents] = {"audio": audio.latents[rows[kept]], "visual": visual.latents[visual_rows[kept]]}
    scorer = LatentScorer(latents, read.encoder.checkpoint.weights)
    return own_video(scorer, np.arange(len(kept)), video[kept], GALLERIES, seed), names[chosen].tolist()


def _by_label(read: Read, seed: int) -> tuple[Report, Report]:
    """Return the report of the chosen labelled videos, and chance's. Raises NothingLabelled."""
    if not read.chosen:
        raise NothingLabelled(UNLABELLED_LIBRARY)
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
    scorer = LatentScorer({m: _aligned(read.tables[m], ids) for m in MODALITIES}, read.encoder.checkpoint.weights)
    return evaluate(timeline, scorer, GALLERIES, seed), evaluate(timeline, RandomScorer(seed), GALLERIES, seed)


def _aligned(table: LatentTable, ids: np.ndarray) -> Latents:
    """Return one row per segment; one without a latent gets another's, which the timeline's masks leave out."""
    rows = np.minimum(np.searchsorted(table.ids, ids), len(table.ids) - 1)
    return table.latents[rows]


def _busy() -> MeasureBusy:
    return MeasureBusy(f"the library is being measured and {MOST_WAITING} more wait for it: ask again in a moment")
