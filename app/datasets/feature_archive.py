"""Write the features of a data set's items into an npz in the layout of model.data.archive, in flat memory."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import UInt8

from app.datasets.item import Item
from app.library.listing import is_no_medium
from app.library.source import Outcome
from app.processes.ahead import ahead
from index.disk import writing
from model.data.corpus import UNLABELLED, Timeline
from model.data.features import Features
from model.errors import MediaError, Silent, TooShort
from model.frontends.frontend import FrontEnd
from model.media.medium import FOOTAGE, open_medium
from model.media.segments import Segment

CHUNK_S = 4
NUMBER_BYTES = 4  # of a float32
DECODERS = 4


@dataclass
class Rows:
    """Hold what is written of each item beside its features; of few bytes an item."""

    items: list[Item] = field(default_factory=list)
    event: list[np.ndarray] = field(default_factory=list)
    heard: list[np.ndarray] = field(default_factory=list)
    seen: list[np.ndarray] = field(default_factory=list)

    def columns(self, seconds: int) -> dict[str, np.ndarray]:
        """Return the arrays of the archive, all but the features; an item's class is its first label."""
        classes = sorted({item.labels[0] for item in self.items if item.labels})
        rows = {label: row for row, label in enumerate(classes)}
        masks = {name: np.array(getattr(self, name), bool).reshape(-1, seconds) for name in ("event", "heard", "seen")}
        return masks | {
            "label": np.array([rows[i.labels[0]] if i.labels else UNLABELLED for i in self.items], np.int64),
            "split": np.array([item.split for item in self.items], "U5"),
            "video_id": np.array([item.name for item in self.items], str),
            "classes": np.array(classes, str),
        }


def archive_bytes(front_end: FrontEnd, items: int, seconds: int) -> int:
    """Return how many bytes the features of so many items take."""
    return items * seconds * NUMBER_BYTES * sum(_sizes(front_end))


def write_archive(
    path: Path, front_end: FrontEnd, items: Iterable[Item], seconds: int, done: Callable[[Outcome], None]
) -> Rows:
    """Write `seconds` seconds of each item, in order; the file is there whole or not at all, and none without a row.

    An item of which a later part is meant begins there, one that is shorter ends with seconds of neither sound nor
    picture. `done` is told what became of each item. Needs room on the disk for the features twice.

    Raises LibraryError where it cannot be written.
    """
    rows, sizes = Rows(), _sizes(front_end)
    with writing(path), tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.absolute().parent) as directory:
        parts = [Path(directory) / name for name in ("audio", "visual")]
        with parts[0].open("wb") as audio, parts[1].open("wb") as visual:
            for item, features in _features(front_end, items, seconds):
                outcome = _keep(rows, item, features, seconds, (audio, visual), sizes)
                done(outcome)
        if rows.items:
            whole = Path(directory) / "whole"
            _write_npz(whole, parts, sizes, seconds, rows)
            os.replace(whole, path)
    return rows


def features_of(front_end: FrontEnd, item: Item, seconds: int) -> Features:
    """Return the features of the seconds of an item that an archive takes. Raises MediaError."""
    start_s = first_second(item, seconds)
    medium = open_medium(item.path, FOOTAGE)
    with closing(medium.segments(start_s, start_s + seconds)) as reading:
        made = [front_end.features(())]
        while chunk := list(islice(reading, CHUNK_S)):
            made.append(front_end.features(_with_faces(chunk, item.faces, medium.duration_s or seconds)))
    features = Features.joined(made)
    if not len(features):
        raise TooShort(
            f"{item.path.name} ends before second {start_s}, where {item.name} begins; a whole one is expected"
        )
    if not (features.heard | features.seen).any():
        raise Silent(f"{item.path.name} is silent and has no picture; sound or pictures are expected")
    return features


def _with_faces(segments: list[Segment], faces: tuple[Path, ...], duration_s: float) -> list[Segment]:
    """Return segments of a sound with the pictures beside it, which are spread evenly over its length."""
    if not faces:
        return segments
    places = [min(int((s.start_s + 0.5) * len(faces) / duration_s), len(faces) - 1) for s in segments]
    frames = {place: _frame(faces[place]) for place in dict.fromkeys(places)}
    return [replace(s, frame=frames[place]) for s, place in zip(segments, places, strict=True)]


def _frame(face: Path) -> UInt8[np.ndarray, "height width 3"] | None:
    with closing(open_medium(face, FOOTAGE).segments()) as reading:
        return next(reading).frame


def first_second(item: Item, seconds: int) -> int:
    """Return where what is taken of an item begins: at 0, or with its part where that would not fit in else."""
    if item.start_s is None or item.end_s is None or item.end_s <= seconds:
        return 0
    return int(item.start_s)


def _features(front_end: FrontEnd, items: Iterable[Item], seconds: int) -> Iterator[tuple[Item, Future[Features]]]:
    with ThreadPoolExecutor(max(1, min(DECODERS, os.cpu_count() or 1))) as pool:
        yield from ahead(pool, lambda item: features_of(front_end, item, seconds), items, DECODERS)


def _keep(
    rows: Rows,
    item: Item,
    future: Future[Features],
    seconds: int,
    files: tuple[IO[bytes], IO[bytes]],
    sizes: tuple[int, int],
) -> Outcome:
    try:
        features = future.result()
    except MediaError as error:
        if item.listed and is_no_medium(item.path, error):
            return Outcome(item.path, "passed")
        return Outcome(item.path, "failed", item.name, error.code, str(error))
    start_s = first_second(item, seconds)
    at = features.start_s - start_s
    timeline = Timeline.of([(item.annotation, features.start_s, features.heard, features.seen)])
    for name in ("event", "heard", "seen"):
        mask = np.zeros(seconds, bool)
        mask[at] = getattr(timeline, name)
        getattr(rows, name).append(mask)
    for file, values, size in zip(files, (features.audio, features.visual), sizes, strict=True):
        padded = np.zeros((seconds, size), np.float32)
        padded[at] = values.reshape(len(values), size)
        padded.tofile(file)
    rows.items.append(replace(item, faces=()))  # of few bytes
    return Outcome(item.path, "added", item.name)


def _sizes(front_end: FrontEnd) -> tuple[int, int]:
    return int(np.prod(front_end.audio_shape)), int(np.prod(front_end.visual_shape))


def _write_npz(path: Path, parts: list[Path], sizes: tuple[int, int], seconds: int, rows: Rows) -> None:
    """Write the members with no time in them, so that equal items give equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for part, size in zip(parts, sizes, strict=True):
            with archive.open(zipfile.ZipInfo(f"{part.name}.npy"), "w", force_zip64=True) as member:
                shape = (len(rows.items), seconds, size)
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                with part.open("rb") as source:
                    shutil.copyfileobj(source, member)
        for name, values in rows.columns(seconds).items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
