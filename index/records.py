"""The records of the catalogue, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int64, Shaped, UInt8

from index.job_state import JobState
from index.latents_on_disk import PRESENT, ConceptsOnDisk, LatentsOnDisk
from index.video_columns import VideoColumns
from model.data.latents import Latents

SAMPLE = 256  # items that stand for a library


@dataclass(frozen=True)
class Video:
    """Describe one file of footage; `video_id` is the first 16 hex digits of `sha256`, times in seconds.

    `size_bytes` is None for videos that an older release ingested. `loss_s`: how much of it could not be decoded.
    `audio_track`: the sound track that was asked for, counted from 1; None for the default. `decoding`: the version of
    the rules that it was decoded by, 0 while newer ones write it anew. `complete`: it has been read to its end.
    `missing`: its file went missing, and it is not searched. `modified_s`: when the file was last changed, in Unix
    time; None for one that an older release ingested in place. `has_sound`, `has_picture`: it has a second that is
    heard, or seen; found out when it is read from the catalogue.
    """

    video_id: str
    sha256: str
    path: str
    file_name: str
    media_type: str
    duration_s: float
    uploaded: bool
    label: str | None
    event_start_s: float | None
    event_end_s: float | None
    added_at: str
    size_bytes: int | None = None
    loss_s: float = 0.0
    audio_track: int | None = None
    decoding: int = 1
    complete: bool = True
    missing: bool = False
    modified_s: float | None = None
    has_sound: bool = field(default=False, compare=False)
    has_picture: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class SegmentRow:
    """Describe the second [start_s, start_s + 1) of a video, and whether it has a sound and a frame.

    `sound_whole`, `frame_whole`: whether they were decoded without damage; true where there is none.
    """

    segment_id: int
    video_id: str
    start_s: int
    heard: bool
    seen: bool
    sound_whole: bool = True
    frame_whole: bool = True


class Second(NamedTuple):
    """Describe a second that goes into the catalogue; fields as of a SegmentRow."""

    start_s: int
    heard: bool
    seen: bool
    sound_whole: bool = True
    frame_whole: bool = True


@dataclass(frozen=True)
class Failure:
    """Say why a file could not be ingested; `code` and `detail` are the error's."""

    path: str
    code: str
    detail: str
    at: str


class FileStamp(NamedTuple):
    """Hold what tells that a file was written to, replaced or renamed, times in nanoseconds of Unix time.

    `changed_ns`: when its inode was changed (ctime), which nobody can set back.
    """

    size_bytes: int
    modified_ns: int
    changed_ns: int


class VideoFile(NamedTuple):
    """Say where a video's file lies, and how well it was read; fields as of a Video."""

    video_id: str
    path: str
    complete: bool
    missing: bool
    decoding: int


@dataclass(frozen=True)
class ExaminedFile:
    """Say how a file was when ingest last read it to its end, and which video its content is; None for none.

    `video`: that video as the catalogue has it now, None where it was deleted, or there was none.
    """

    stamp: FileStamp
    video_id: str | None
    video: VideoFile | None


@dataclass(frozen=True)
class Job:
    """Describe one piece of work; `payload` and `result` are JSON objects, `progress` lies in 0..1.

    `cancelling`: it was cancelled and ends at the next file or epoch. `error_count`: files that failed.
    """

    job_id: str
    kind: str
    state: JobState
    payload: dict[str, Any]
    progress: float
    result: dict[str, Any]
    created_at: str
    updated_at: str
    cancelling: bool = False
    error_count: int = 0


@dataclass(frozen=True)
class JobMessage:
    """Report on a file of a job: an error with its `code`, or a note with code None; `file_name` "" is no file."""

    file_name: str
    code: str | None
    detail: str


@dataclass(frozen=True)
class Alert:
    """Describe a saved question: what is asked of new footage, and where a webhook goes that tells of it.

    `question` is a JSON object; `text` or a file, whose name is `file_name`, is its query. `asked_segment_id`: the last
    second that it was asked about. `delivered`, `given_up`, `waiting`: how many messages were, or are still to be sent.
    `problem`: why it could not be asked last, or else why a message was not delivered.
    """

    alert_id: str
    title: str | None
    question: dict[str, Any]
    text: str | None
    file_name: str | None
    url: str
    secret: str = field(repr=False)
    created_at: str
    asked_segment_id: int
    delivered: int = 0
    given_up: int = 0
    problem: str | None = None
    waiting: int = 0


@dataclass(frozen=True)
class Delivery:
    """Hold a message of an alert that is to be sent.

    `attempts`: how often that was tried. `made_s`: when it was made, Unix time.
    """

    delivery_id: str
    alert_id: str
    body: str
    attempts: int
    made_s: float
    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class IdempotencyToken:
    """Identify a request that may be repeated: the client's key, and the SHA-256 of the whole request.

    `owner`: the id of the API key that sent it, None without one. The same `key` of another owner is another key.
    """

    key: str
    sha256: str
    owner: str | None = None

    @property
    def stored_key(self) -> str:
        """Return the key as the catalogue keeps it; a client's own key has no line break."""
        return self.key if self.owner is None else f"{self.owner}\n{self.key}"


@dataclass(frozen=True, eq=False)
class LatentBatch:
    """Hold n items of one modality of one video; `concepts` as in a LatentTable, None where there are none."""

    start_s: Int[np.ndarray, "n"]
    latents: Latents
    concepts: UInt8[np.ndarray, "n concepts"] | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """Hold the latents of some rows of a table."""

    rows: Int64[np.ndarray, "m"]
    latents: Latents


@dataclass(frozen=True, eq=False)
class LatentTable:
    """Hold n items of one modality of one catalogue version, ids ascending.

    `videos`: the videos of the items in that version, by id; `video_numbers`: which of them each item is of, by their
    order. `concepts`: how strongly each item has each concept of its front-end, 255 is sure; no columns where no item
    has any, zeros for an item that has none. `stamps`: of a table that leaves its latents on the disk, what an item has
    another of once its latents were written anew. `columns`: of `videos`, where tables share them.
    """

    ids: Int64[np.ndarray, "n"]
    video_numbers: Int[np.ndarray, "n"]
    start_s: Int[np.ndarray, "n"]
    heard: Bool[np.ndarray, "n"]
    seen: Bool[np.ndarray, "n"]
    latents: Latents | LatentsOnDisk
    fingerprint: str | None
    catalogue_version: int
    videos: dict[str, Video]
    concepts: UInt8[np.ndarray, "n concepts"] | ConceptsOnDisk
    stamps: Int64[np.ndarray, "n"] | None = None
    columns: VideoColumns | None = None

    @property
    def video_ids(self) -> Shaped[np.ndarray, "n"]:
        """Return of which video each item is, made anew each time: large where there are many items."""
        return self.video_ids_at(slice(None))

    @property
    def labels(self) -> Shaped[np.ndarray, "n"]:
        """Return the labels of all items, made anew each time."""
        return self.labels_at(slice(None))

    def video_ids_at(self, rows: slice | Int[np.ndarray, "m"]) -> Shaped[np.ndarray, "m"]:
        """Return the ids of the videos of some items."""
        return np.asarray(self.video_columns.ids[self.video_numbers[rows]])

    def labels_at(self, rows: slice | Int[np.ndarray, "m"]) -> Shaped[np.ndarray, "m"]:
        """Return the labels of the videos of some items; "" is none."""
        return np.asarray(self.video_columns.labels[self.video_numbers[rows]])

    def has_concept(self, column: int) -> Bool[np.ndarray, "n"]:
        """Return which items have a concept."""
        if isinstance(self.concepts, ConceptsOnDisk):
            return self.concepts.present_in(column)
        if not self.concepts.shape[1]:
            return np.zeros(len(self.ids), bool)
        return np.asarray(self.concepts[:, column] >= PRESENT, bool)

    @cached_property
    def video_columns(self) -> VideoColumns:
        """Return what is asked of `videos`, in their order."""
        return self.columns or VideoColumns(self.videos)

    @cached_property
    def sample(self) -> Sample:
        """Return items that stand for all of them, evenly spread."""
        rows = np.unique(np.linspace(0, len(self.ids) - 1, SAMPLE).astype(np.int64))
        return Sample(rows, self.latents[rows])

    def count_videos(self, allowed: Bool[np.ndarray, "n"] | None) -> int:
        """Return how many videos the allowed items are of; None allows all."""
        numbers = self.video_numbers if allowed is None else self.video_numbers[allowed]
        return int(np.count_nonzero(np.bincount(numbers)))


@dataclass(frozen=True)
class Stats:
    """Count what a catalogue holds.

    `lossy`: videos of which something could not be decoded, `loss_s` seconds in all. `incomplete`: videos that have not
    been read to their end. `missing`: those whose files went missing.
    """

    videos: int
    segments: int
    audio_latents: int
    visual_latents: int
    failed: int
    labelled: int
    duration_s: float
    lossy: int
    loss_s: float
    incomplete: int
    missing: int
    frontend: str | None
    fingerprint: str | None
    catalogue_version: int
