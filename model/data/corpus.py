"""The features of many recordings, concatenated: what a model is trained and judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int64

from model.data.features import Features
from model.errors import TrainingError

Mask = Bool[np.ndarray, "_"]  # one per second; recordings differ in length, so the axis has no name

UNLABELLED = -1
FEWEST_VIDEOS = 6  # under this no part of them can be held out


@dataclass(frozen=True)
class Annotation:
    """Say what a recording shows, and when; only evaluation uses it, training never does."""

    video_id: str
    label: str | None = None
    event_start_s: float | None = None
    event_end_s: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Timeline:
    """Hold what is known of n seconds of N videos; the seconds of a video are neighbours, in order of time.

    Per second: masks `heard`, `seen`, `event` (n,), `video` (n,) the row of its video, `start_s` (n,).
    Per video: `video_ids` (N,), `label` (N,) a row of `classes`, or -1.
    """

    heard: Bool[np.ndarray, "n"]
    seen: Bool[np.ndarray, "n"]
    event: Bool[np.ndarray, "n"]
    video: Int64[np.ndarray, "n"]
    start_s: Int64[np.ndarray, "n"]
    video_ids: tuple[str, ...]
    label: Int64[np.ndarray, "N"]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self.video_ids)

    @property
    def paired(self) -> Bool[np.ndarray, "n"]:
        """Return which seconds have both modalities."""
        return np.asarray(self.heard & self.seen)

    @staticmethod
    def of(seconds: Sequence[tuple[Annotation, Int64[np.ndarray, "_"], Mask, Mask]]) -> Timeline:
        """Join recordings, each (annotation, start_s, heard, seen).

        A second is of the event where it lies within the marked interval; where a label has no interval,
        the whole recording is the event.
        """
        annotations = [row[0] for row in seconds]
        classes = tuple(sorted({a.label for a in annotations if a.label is not None}))
        return Timeline(
            heard=np.concatenate([heard for _, _, heard, _ in seconds]),
            seen=np.concatenate([seen for _, _, _, seen in seconds]),
            event=np.concatenate([_event(a, start_s) for a, start_s, _, _ in seconds]),
            video=np.repeat(np.arange(len(seconds)), [len(start_s) for _, start_s, _, _ in seconds]),
            start_s=np.concatenate([start_s for _, start_s, _, _ in seconds]),
            video_ids=tuple(a.video_id for a in annotations),
            label=np.array([UNLABELLED if a.label is None else classes.index(a.label) for a in annotations], np.int64),
            classes=classes,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Corpus(Timeline):
    """Add the features of each second: `audio` (n, *A), `visual` (n, *V)."""

    audio: Float32[np.ndarray, "n *A"]
    visual: Float32[np.ndarray, "n *V"]

    def of_videos(self, rows: Int64[np.ndarray, "m"]) -> Corpus:
        """Return the videos in `rows`, in that order."""
        members = [np.flatnonzero(self.video == row) for row in rows]
        seconds = np.concatenate([np.empty(0, np.int64), *members])
        return replace(
            self,
            audio=self.audio[seconds],
            visual=self.visual[seconds],
            heard=self.heard[seconds],
            seen=self.seen[seconds],
            event=self.event[seconds],
            video=np.repeat(np.arange(len(rows)), [len(m) for m in members]),
            start_s=self.start_s[seconds],
            video_ids=tuple(self.video_ids[row] for row in rows),
            label=self.label[rows],
        )

    @staticmethod
    def assemble(videos: Sequence[tuple[Annotation, Features]]) -> Corpus:
        """Join recordings and their features."""
        timeline = Timeline.of([(a, f.start_s, f.heard, f.seen) for a, f in videos])
        return Corpus(
            **vars(timeline),
            audio=np.concatenate([f.audio for _, f in videos]),
            visual=np.concatenate([f.visual for _, f in videos]),
        )


def fold(corpus: Corpus, folds: int, seed: int) -> list[tuple[Corpus, Corpus]]:
    """Split whole videos with pairs at random into `folds` parts; return (the rest, the part) for each.

    The order is that of a hash of their ids: where videos are added later, most of a part's videos are those of before.

    Raises:
        TrainingError: fewer than six videos have a second with both sound and picture.
    """
    usable = np.unique(corpus.video[corpus.paired])
    if len(usable) < FEWEST_VIDEOS:
        raise TrainingError(
            f"{len(usable)} videos with both sound and picture given, at least {FEWEST_VIDEOS} expected; "
            "add footage and train again"
        )
    hashes = [hashlib.sha256(f"{seed} {corpus.video_ids[row]}".encode()).digest() for row in usable]
    order = usable[sorted(range(len(usable)), key=hashes.__getitem__)]
    parts = np.array_split(order, min(folds, len(usable) // 2))
    return [(corpus.of_videos(np.sort(np.setdiff1d(usable, part))), corpus.of_videos(np.sort(part))) for part in parts]


def _event(annotation: Annotation, start_s: Int64[np.ndarray, "t"]) -> Bool[np.ndarray, "t"]:
    if annotation.label is None:
        return np.zeros(len(start_s), bool)
    start = -np.inf if annotation.event_start_s is None else annotation.event_start_s
    end = np.inf if annotation.event_end_s is None else annotation.event_end_s
    return (start_s >= start) & (start_s + 1 <= end)
