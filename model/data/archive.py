"""Feature archives: recordings as features that were extracted before.

Two layouts: the project's npz (`audio` (N,T,Da), `visual` (N,T,Dv), `label`, `event`, `split`, `video_id`,
`classes`; where it has them `heard` and `seen` (N,T)), and the AVE data set's directory of HDF5 files beside its
annotation file.
"""

from __future__ import annotations

import hashlib
import logging
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from model.data.corpus import UNLABELLED, Corpus
from model.data.hdf5 import read_hdf5, read_whole_rows
from model.errors import ArchiveError
from model.modality import Modality

log = logging.getLogger("echolens")
SPLITS = ("train", "val", "test")
NPZ_KEYS = ("audio", "visual", "label", "event", "split", "video_id", "classes")
MASKS = ("heard", "seen")  # an npz without them has sound and picture in every second
AVE_FILES: dict[Modality, str] = {"audio": "audio_feature.h5", "visual": "visual_feature.h5"}
AVE_ANNOTATIONS = "Annotations.txt"
AVE_SPLITS = {split: f"{split}_order.h5" for split in SPLITS}
AVE_DATASET = "avadataset"
AVE_FIELDS = "Category&VideoID&Quality&Start&End"

BROKEN_ZIP = (EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
UNREADABLE = (OSError, LookupError, TypeError, ValueError, *BROKEN_ZIP)


@dataclass(frozen=True, eq=False)
class FeatureArchive:
    """Hold N videos of at most T seconds; labels and events serve evaluation alone.

    `heard`, `seen`: which seconds have sound, and a picture; a video of fewer seconds ends with seconds of neither.
    `label`: a row of `classes`, or -1.
    """

    audio: Float32[np.ndarray, "N T Da"]
    visual: Float32[np.ndarray, "N T Dv"]
    label: Int64[np.ndarray, "N"]
    event: Bool[np.ndarray, "N T"]
    heard: Bool[np.ndarray, "N T"]
    seen: Bool[np.ndarray, "N T"]
    split: Shaped[np.ndarray, "N"]
    video_id: tuple[str, ...]
    classes: tuple[str, ...]
    sha256: str

    def __post_init__(self) -> None:
        if self.audio.ndim != 3 or self.visual.ndim != 3:
            raise ArchiveError(
                f"audio {self.audio.shape} and visual {self.visual.shape} given, (videos, seconds, numbers) expected"
            )
        videos, seconds = self.audio.shape[:2]
        expected = {
            "visual": (videos, seconds),
            "event": (videos, seconds),
            "heard": (videos, seconds),
            "seen": (videos, seconds),
            "label": (videos,),
            "split": (videos,),
        }
        for name, shape in expected.items():
            given = getattr(self, name).shape[: len(shape)]
            if given != shape:
                raise ArchiveError(f"{name} has the shape {given}, {shape} expected as audio has")
        if len(self.video_id) != videos:
            raise ArchiveError(f"{len(self.video_id)} video ids for {videos} videos given, one each expected")
        if unknown := sorted({str(s) for s in self.split} - {*SPLITS, ""}):
            raise ArchiveError(f"split holds {', '.join(unknown)}, only {', '.join(SPLITS)} expected")
        if not (np.isfinite(self.audio).all() and np.isfinite(self.visual).all()):
            raise ArchiveError("features hold NaN or infinite numbers; write them again without")
        if videos and not (self.label.min() >= UNLABELLED and self.label.max() < len(self.classes)):
            raise ArchiveError(f"labels must be rows of the {len(self.classes)} classes, or {UNLABELLED}")

    @property
    def identity(self) -> str:
        """Name the kind of features by their sizes: a checkpoint says which kind it needs."""
        return f"archive-{self.audio.shape[2]}-{self.visual.shape[2]}"

    def corpus(self, split: str) -> Corpus:
        """Return the videos of `train`, `val` or `test`.

        Raises:
            ArchiveError: an unknown split, or one without videos.
        """
        rows = np.flatnonzero(self.split == split)
        if split not in SPLITS or not len(rows):
            raise ArchiveError(f"split {split!r} given, one of {', '.join(SPLITS)} that has videos expected")
        heard, seen = self.heard[rows], self.seen[rows]
        there = heard | seen
        video, start_s = np.nonzero(there)
        return Corpus(
            audio=self.audio[rows][there],
            visual=self.visual[rows][there],
            heard=heard[there],
            seen=seen[there],
            event=self.event[rows][there],
            video=video,
            start_s=start_s,
            video_ids=tuple(self.video_id[row] for row in rows),
            label=self.label[rows],
            classes=self.classes,
        )


def load_archive(path: Path) -> FeatureArchive:
    """Read an npz file, or a directory in AVE's layout; of HDF5 files that were cut off, what is whole.

    The log warns of what was left out of damaged files.

    Raises:
        ArchiveError: nothing there, not such a layout, or arrays that do not fit each other.
    """
    try:
        return _load_ave(path) if path.is_dir() else _load_npz(path)
    except UNREADABLE as error:
        raise ArchiveError(
            f"{path} is no feature archive ({error}); an npz with {', '.join(NPZ_KEYS)}, or a directory with "
            f"{', '.join(AVE_FILES.values())} and {AVE_ANNOTATIONS}, is expected"
        ) from error


def _load_npz(path: Path) -> FeatureArchive:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # numpy leaks a path it cannot read
        event = arrays["event"].astype(bool)
        heard, seen = (arrays[name].astype(bool) if name in arrays else np.ones_like(event) for name in MASKS)
        return FeatureArchive(
            arrays["audio"].astype(np.float32),
            arrays["visual"].astype(np.float32),
            _whole(arrays["label"]),
            event,
            heard,
            seen,
            arrays["split"].astype(str),
            tuple(arrays["video_id"].astype(str)),
            tuple(arrays["classes"].astype(str)),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )


def _whole(labels: Shaped[np.ndarray, "..."]) -> Int64[np.ndarray, "..."]:
    if labels.dtype.kind not in "iu":
        raise ValueError(f"label holds {labels.dtype}, whole numbers expected")
    return labels.astype(np.int64)


def _load_ave(directory: Path) -> FeatureArchive:
    annotations = parse_ave_annotations((directory / AVE_ANNOTATIONS).read_text())
    videos, arrays = len(annotations), dict[Modality, np.ndarray]()
    for modality, file_name in AVE_FILES.items():
        arrays[modality], rows = read_whole_rows(directory / file_name, AVE_DATASET)
        if rows != len(annotations):
            raise ValueError(f"{len(annotations)} annotated rows for {rows} feature rows")
        if (whole := len(arrays[modality])) < rows:
            _warn(
                f"{directory / file_name} was cut off: the videos from row {whole + 1} "
                f"({annotations[whole].video_id}) to {rows} are left out; copy it again"
            )
        videos = min(videos, whole)
    split = _ave_splits(directory, len(annotations))
    audio, visual = arrays["audio"][:videos], arrays["visual"][:videos]
    if visual.ndim == 5:  # (N, T, 7, 7, 512): the mean over the grid
        visual = visual.mean(axis=(2, 3))
    annotations = annotations[:videos]
    classes = tuple(sorted({a.category for a in annotations}))
    seconds = np.arange(audio.shape[1])
    files = (*AVE_FILES.values(), AVE_ANNOTATIONS, *AVE_SPLITS.values())
    digest = hashlib.sha256(b"".join((directory / f).read_bytes() for f in files))
    everywhere = np.ones(audio.shape[:2], bool)
    return FeatureArchive(
        audio.astype(np.float32),
        visual.astype(np.float32),
        np.array([classes.index(a.category) for a in annotations], np.int64),
        np.array([(seconds >= a.start_s) & (seconds < a.end_s) for a in annotations]),
        everywhere,
        everywhere,
        split[:videos],
        tuple(a.video_id for a in annotations),
        classes,
        digest.hexdigest(),
    )


def _ave_splits(directory: Path, videos: int) -> Shaped[np.ndarray, "videos"]:
    split = np.full(videos, "", "U5")
    for name, file_name in AVE_SPLITS.items():
        path = directory / file_name
        try:
            split[read_ave_order(path)] = name
        except OSError as error:
            if not path.is_file():
                raise
            _warn(f"{path} cannot be read, so no video is in {name} ({error}); copy it again")
    return split


@cache
def _warn(of_what: str) -> None:
    """Log a warning, once in a process: a study loads its archive for each fit."""
    log.warning(of_what)


@dataclass(frozen=True)
class AveAnnotation:
    """Hold a line of AVE's annotation file; the event is [start_s, end_s)."""

    category: str
    video_id: str
    quality: str
    start_s: int
    end_s: int


def parse_ave_annotations(text: str) -> list[AveAnnotation]:
    """Parse lines `Category&VideoID&Quality&Start&End`, with or without a header line, LF or CRLF.

    Raises:
        ValueError: a line without five fields or with times that are no whole numbers.
    """
    rows = [line.split("&") for line in text.splitlines() if line.strip()]
    if rows and not rows[0][-1].strip().isdigit():
        rows = rows[1:]
    for number, row in enumerate(rows, 1):
        if len(row) != 5:
            raise ValueError(f"row {number} has {len(row)} fields, {AVE_FIELDS} expected")
    return [AveAnnotation(c, v, q, int(start), int(end)) for c, v, q, start, end in rows]


def read_ave_order(path: Path) -> Int64[np.ndarray, "n"]:
    """Return which rows of the annotation file are in a split. Raises UNREADABLE, as for a file that was cut off."""
    return read_hdf5(path, "order").astype(np.int64)
